"""One operation on one stack, on the embedded engine."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from typing import TYPE_CHECKING, Any

from infra import engine
from infra.engine import Operation, Options, events
from infra.engine.display import display, event_json
from infra.engine.resource.state import ENGINE_VERSION
from infra.stacks import workspace
from infra.stacks.stack_runs import Shown, StackRun
from infra.stacks.user_files import user_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.engine.events import Event
    from infra.engine.resource.stack_ref import StackRef

WORDS = f"embedded engine (Pulumi {ENGINE_VERSION})"


class _Lines:
    """A text file that hands on each line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def write(self, text: str) -> int:
        for line in text.splitlines():
            self._say(line)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False


class _Errors:
    """Gathers what went wrong, one sentence each."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, events.DiagnosticEvent) and event.severity is events.Severity.ERROR:
            where = f"{event.urn}: " if event.urn else ""
            self.found.append(where + event_json.plain_text(event.message).strip())


def run(
    operation: Operation,
    ref: StackRef,
    options: Options,
    shown: Shown,
    *,
    on_event: Callable[[Event], None] | None,
    say: Callable[[str], None] | None,
) -> StackRun:
    """Do it, and show it as asked.

    Raises:
        EngineError: it could not start.
    """
    if operation is Operation.PREVIEW and not shown.as_json:
        # Nothing is touched, so nothing needs a process of its own; two starts of Python a stack are saved.
        # But what a program's children print would come between the lines of a document.
        options = dataclasses.replace(options, in_process=True)
    errors = _Errors()
    digest = event_json.PreviewDigest() if shown.as_json and operation is Operation.PREVIEW else None
    screen = None if digest or shown.quiet else _screen(operation, ref, shown, say)
    listeners: list[Callable[[Event], None]] = [
        listener for listener in (on_event, digest, screen, errors) if listener is not None
    ]
    with contextlib.ExitStack() as stack:
        if shown.event_log:
            with user_file(shown.event_log, "write"):
                log = stack.enter_context(shown.event_log.open("a"))
            listeners.append(event_json.EventStream(log))
        if screen is not None:
            # Give the terminal back before an error is printed; after `close` it does nothing.
            stack.callback(screen.abort)

        def tell(event: Event) -> None:
            for listener in listeners:
                listener(event)

        result = engine.run(
            operation, project_dir=workspace.current().folder, stack=ref.stack, options=options, on_event=tell
        )
        if screen is not None:
            screen.close(result)
    return StackRun(
        stack=ref.stack,
        engine=WORDS,
        exit_code=result.exit_code,
        changes={str(op): count for op, count in result.changes.items()},
        outputs={name: event_json.mask_secrets(value) for name, value in result.outputs.items()},
        messages=(*errors.found, result.error) if result.error else tuple(errors.found),
        document=digest.document() if digest else None,
    )


def _screen(
    operation: Operation, ref: StackRef, shown: Shown, say: Callable[[str], None] | None
) -> display.Display | display.JsonDisplay:
    out: Any = _Lines(say) if say else sys.stdout
    print(f"engine: {WORDS}", file=sys.stderr if shown.as_json else out)
    return display.display_for(
        operation, ref.stack, as_json=shown.as_json, show_differences=shown.differences,
        show_same=shown.same, out=out,
    )  # fmt: skip
