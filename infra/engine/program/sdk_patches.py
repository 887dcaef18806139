"""Patches for speed that reach into the Pulumi SDK from outside.

Each one checks what it needs of the SDK and is left out where that is not there (another version), so that
the program then runs as it would without it. Stands alone: it is run in the program's process too.
"""

from __future__ import annotations


def apply() -> list[str]:
    """Apply what fits this SDK; the names of what was applied."""
    return [patch.__name__ for patch in PATCHES if patch()]


def skip_debug_logs() -> bool:
    """Four debug messages a resource go to the engine, each a call that blocks; nobody reads them."""
    import pulumi.log  # noqa: PLC0415 (only where it is applied)

    if not callable(getattr(pulumi.log, "debug", None)):
        return False

    def debug(*_args: object, **_kwargs: object) -> None:
        return None

    pulumi.log.debug = debug
    return True


def cheap_source_positions() -> bool:
    """A stack trace a resource looks at the time stamp of each source file, which do not change in a run."""
    import linecache  # noqa: PLC0415

    if not callable(getattr(linecache, "checkcache", None)):
        return False

    def checkcache(filename: str | None = None) -> None:  # noqa: ARG001 (the signature of the original)
        return None

    linecache.checkcache = checkcache
    return True


def linear_wait() -> bool:
    """The SDK waits for all outputs again whenever one is done; waiting for all of them once is linear."""
    import asyncio  # noqa: PLC0415
    import inspect  # noqa: PLC0415
    import types  # noqa: PLC0415

    from pulumi.runtime import stack  # noqa: PLC0415

    try:
        source = inspect.getsource(stack.wait_for_rpcs)
    except (AttributeError, OSError, TypeError):
        return False
    if "return_when=asyncio.FIRST_COMPLETED" not in source:
        return False
    if vars(stack).get("asyncio") is not asyncio:
        return False
    # The module sees an asyncio whose FIRST_COMPLETED means "all, or the first that fails".
    own = types.ModuleType("asyncio")
    own.__dict__.update(asyncio.__dict__)
    own.FIRST_COMPLETED = asyncio.FIRST_EXCEPTION  # type: ignore[attr-defined]
    vars(stack)["asyncio"] = own
    return True


def remembered_positions() -> bool:
    """Of a resource's stack only files and lines are told, most of them those of the one before."""
    import functools  # noqa: PLC0415
    import sys  # noqa: PLC0415
    import traceback  # noqa: PLC0415
    import types  # noqa: PLC0415

    from pulumi.runtime import resource  # noqa: PLC0415

    position = getattr(resource, "_get_source_position_for_frame", None)
    if not callable(position) or vars(resource).get("traceback") is not traceback:
        return False

    @functools.lru_cache(maxsize=4096)
    def known(filename: str, line: int | None) -> object:
        return position(traceback.FrameSummary(filename, line, "", lookup_line=False))

    def extract_stack() -> traceback.StackSummary:
        """As the original, without the text of the lines."""
        frames = traceback.walk_stack(sys._getframe().f_back)  # noqa: SLF001
        stack = traceback.StackSummary.extract(frames, lookup_lines=False)
        stack.reverse()
        return stack

    own = types.ModuleType("traceback")
    own.__dict__.update(traceback.__dict__)
    own.extract_stack = extract_stack  # type: ignore[attr-defined]
    vars(resource)["traceback"] = own
    vars(resource)["_get_source_position_for_frame"] = lambda frame: known(frame.filename, frame.lineno)
    return True


PATCHES = (skip_debug_logs, cheap_source_positions, linear_wait, remembered_positions)
