"""A stack of boxes in a folder of its own, run by an engine process that can be measured or killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.engine.backend.backend import FileBackend
from infra.engine.resource import integrity
from infra.engine.resource.stack_ref import StackRef

HERE: Final = Path(__file__).resolve().parent
REF: Final = StackRef("boxes", "dev")
_RUN: Final = """
import sys, threading
from pathlib import Path
from infra.engine import run
from infra.engine.backend import refresher
from infra.engine.errors import EngineError
from infra.engine.options import Options
from infra.engine.events import DiagnosticEvent
def show(event):
    if isinstance(event, DiagnosticEvent) and event.severity in ("error", "warning"):
        print(event.urn, event.message, flush=True)
if sys.argv[4] == "never":
    refresher.AT_LEAST = threading.TIMEOUT_MAX
try:
    result = run(sys.argv[1], project_dir=Path(sys.argv[2]), stack="dev",
                 options=Options(in_process=sys.argv[3] == "in"), on_event=show)
except EngineError as error:
    print(error, flush=True)
    sys.exit(1)
sys.exit(result.exit_code)
"""


@dataclass
class Boxes:
    """A stack.

    Attributes:
        folder: an empty folder for the project and its backend.
    """

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "Pulumi.yaml").write_text(
            f"name: boxes\nruntime: python\nmain: {HERE / 'program'}\n"
            f"plugins:\n  providers:\n    - name: box\n      path: {HERE / 'provider'}\n"
        )
        self.backend = FileBackend(f"file://{self.folder}")
        self.backend.init(REF)
        self.log = self.folder / "effects"

    def environment(self, settings: dict[str, Any]) -> dict[str, str]:
        """The environment of a run; settings are the program's and the provider's: `COUNT=5` is BOX_COUNT."""
        return {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{self.folder}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            **{f"BOX_{key}": str(value) for key, value in settings.items()},
        }

    def start(
        self, operation: str = "up", *, in_process: bool = False, refresh: bool = True, **settings: Any
    ) -> subprocess.Popen[str]:
        """Start an operation, with the provider's effects logged unless `LOG=""`.

        Args:
            operation: which.
            in_process: with the program in the engine's process.
            refresh: refresh the checkpoint while it runs.
            settings: see `environment`.
        """
        mode = "in" if in_process else "out"
        return subprocess.Popen(
            [
                sys.executable,
                "-c",
                _RUN,
                operation,
                str(self.folder),
                mode,
                "now and then" if refresh else "never",
            ],
            env=self.environment({"LOG": self.log, **settings}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=HERE.parents[1],
        )

    def run(self, operation: str = "up", **settings: Any) -> tuple[int, str]:
        """Run an operation to its end: exit code and what it said."""
        process = self.start(operation, **settings)
        said, _ = process.communicate(timeout=600)
        return process.returncode, said

    def recover(self) -> None:
        """What `cancel` does after a crash."""
        self.backend.cancel(REF)

    def deployment(self) -> dict[str, Any]:
        """The state.

        Raises:
            IntegrityError: it is not sound.
        """
        found = self.backend.read(REF).deployment
        integrity.check(found.get("resources") or [])
        return found

    def items(self) -> dict[str, dict[str, Any]]:
        """The items in the state by URN, but for those that are only there to be deleted."""
        resources = self.deployment().get("resources") or []
        return {r["urn"]: r for r in resources if r["type"] == "box:index:Item" and not r.get("delete")}

    def _effects(self) -> list[list[str]]:
        return [line.split("\t") for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def effects(self) -> Counter[tuple[str, str]]:
        """What the provider did: how often which method on which URN."""
        return Counter((method, urn) for _, method, urn, _ in self._effects())

    def living(self) -> set[str]:
        """The ids of what exists, by the provider's own record."""
        alive: set[str] = set()
        for _, method, _, id_ in self._effects():
            if method == "create":
                alive.add(id_)
            elif method == "delete":
                alive.discard(id_)
        return alive

    def text(self) -> str:
        """The state, for messages."""
        return json.dumps(self.deployment(), indent=1)
