"""Runs a Pulumi program in a process of its own. Started by path with the program's interpreter.

It needs nothing but the Pulumi SDK: the interpreter may be of another environment than the engine's.
Settings come as JSON on standard input, so that secrets are in no argument list.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

ACTIONABLE = 32
"""Exit code: people have been told what is wrong."""


def main() -> int:
    """Run the program that the settings name; its exit code."""
    settings = json.load(sys.stdin)
    gc.set_threshold(*settings["thresholds"])  # see gc_tuning.py
    try:
        import grpc  # noqa: PLC0415 (said in words below if it is missing)
        import pulumi  # noqa: PLC0415
        import pulumi.runtime  # noqa: PLC0415
        from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc  # noqa: PLC0415
    except ImportError:
        traceback.print_exc()
        print("The Pulumi SDK is not installed for this interpreter.", file=sys.stderr)  # noqa: T201
        return 1
    program = settings["program"]
    runpy.run_path(settings["patches"])["apply"]()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    workers = ThreadPoolExecutor(max(settings["parallel"] or 1, 1) * 4)
    loop.set_default_executor(workers)
    # Channels of our own: the SDK's would go through a proxy that the environment names.
    options = [tuple(option) for option in settings["channel_options"]]
    monitor = grpc.insecure_channel(settings["monitor"], options)  # type: ignore[no-untyped-call]
    engine = grpc.insecure_channel(settings["engine"], options)  # type: ignore[no-untyped-call]
    pulumi.runtime.set_all_config(settings["config"], settings["secret_keys"])
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=settings["project"],
            stack=settings["stack"],
            monitor=resource_pb2_grpc.ResourceMonitorStub(monitor),
            engine=engine_pb2_grpc.EngineStub(engine),
            parallel=settings["parallel"],
            dry_run=settings["preview"],
            organization=settings["organization"],
            root_directory=settings["root"],
        )
    )
    sys.argv = [program]
    os.chdir(settings["pwd"])
    # asyncio complains about tasks that nobody awaits, of which a failed program leaves many by design.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: _run(program)))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except Exception:  # noqa: BLE001 (whatever the program raises)
        pulumi.log.error("Program failed with an unhandled exception:\n" + trace_of(program))
        return ACTIONABLE
    finally:
        workers.shutdown(wait=False, cancel_futures=True)
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _run(program: str) -> None:
    runpy.run_path(program, run_name="__main__")


def trace_of(program: str) -> str:
    """The traceback from the program on, without what called it."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    main_file = os.path.abspath(program if program.endswith(".py") else os.path.join(program, "__main__.py"))  # noqa: PTH100, PTH118
    for index, frame in enumerate(frames):
        if os.path.abspath(frame.filename) == main_file:  # noqa: PTH100
            return traceback.format_exc(limit=-(len(frames) - index))
    return traceback.format_exc()


if __name__ == "__main__":
    code = main()
    # Threads that wait for a monitor that is gone must not keep the process.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
