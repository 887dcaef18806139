"""The embedded Pulumi deployment engine: runs a Pulumi program and its providers without the Pulumi CLI.

The state it leaves is the CLI's own, in both directions. Its packages are Pulumi's: `program` (what the
program talks to), `deploy` (decides, does and records), `plugin` (providers), `display`, `workspace`
(projects and configuration), `backend` (state files) and `resource` (states, values, names).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from infra.engine.errors import EngineError
from infra.engine.options import ImportSpec, Operation, Options, Result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.engine.events import Event

__all__ = ["EngineError", "ImportSpec", "Operation", "Options", "Result", "run"]


def run(
    operation: Operation | str,
    *,
    project_dir: Path,
    stack: str,
    options: Options | None = None,
    on_event: Callable[[Event], None],
) -> Result:
    """Run an operation on a stack to its end.

    Its own event loop runs inside; call it from the main thread if SIGINT shall stop it (once: finish what
    is in flight and save; twice: stop now, the journal is kept).

    Args:
        operation: what to do.
        project_dir: the folder of Pulumi.yaml.
        stack: the stack's name; it must exist.
        options: how.
        on_event: told every event, from the calling thread.

    Raises:
        EngineError: it could not start (no such stack, locked, wrong passphrase, unreadable state, …).
    """
    # Its library tells of every connection that ends, on standard error.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from infra.engine.program.gc_tuning import seldom_collected  # noqa: PLC0415 (as the next)
    from infra.engine.session import run_session  # noqa: PLC0415 (grpc takes 0.2 s to import)

    with seldom_collected():
        return run_session(Operation(operation), project_dir, stack, options or Options(), on_event)
