"""The lab's stacks on the embedded engine, with the real program and provider and simulated machines."""

from __future__ import annotations

import sqlite3

import pytest

from infra import paths
from infra.engine import Operation, Options, run
from infra.engine.backend.backend import FileBackend
from infra.engine.events import DiagnosticEvent, Severity
from infra.engine.resource.stack_ref import StackRef

pytestmark = pytest.mark.unit

RACK = "pod-01-su-01-rack-01"


class Stacks:
    """Operations on stacks whose state and machines lie in a temporary folder."""

    def __init__(self, folder) -> None:
        self.folder, self.backend = folder, FileBackend(f"file://{folder}")
        self.errors: list[str] = []

    def __call__(self, operation: str, stack: str, *, refresh: bool = False, imports=(), **config):
        ref = StackRef.parse(stack, "gigasite")
        if not self.backend.exists(ref):
            self.backend.init(ref)
        self.errors.clear()
        settings = {"driver": "simulated", "latency": "0", **config}
        config = {f"gigasite:{key}": value for key, value in settings.items()}
        options = Options(in_process=True, refresh=refresh, imports=imports, config=config)
        return run(
            Operation(operation), project_dir=paths.ROOT, stack=stack, options=options, on_event=self._note
        )

    def _note(self, event) -> None:
        if isinstance(event, DiagnosticEvent) and event.severity is Severity.ERROR:
            self.errors.append(event.message)

    def power(self) -> dict[str, str]:
        with sqlite3.connect(self.folder / "simulated.db") as db:
            return dict(db.execute("SELECT name, power FROM machine"))

    def set_power(self, name: str, power: str) -> None:
        with sqlite3.connect(self.folder / "simulated.db") as db:
            db.execute("UPDATE machine SET power = ? WHERE name = ?", (power, name))


@pytest.fixture
def stacks(tmp_path, monkeypatch) -> Stacks:
    monkeypatch.setattr(paths, "state", lambda _site="": tmp_path)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    return Stacks(tmp_path)


def counts(result) -> dict[str, int]:
    return {str(step): count for step, count in result.changes.items() if count}


def test_a_site_goes_up_stays_is_mended_and_goes_down(stacks):
    assert counts(stacks("up", "lab")) == {"create": 9}
    assert counts(stacks("up", "lab.pod-01")) == {"create": 7}
    assert set(stacks.power().values()) == {"on"}
    assert len(stacks.power()) == 5
    assert counts(stacks("preview", "lab")) == {"same": 9}
    again = stacks("preview", "lab.pod-01")
    assert counts(again) == {"same": 7}

    stacks.set_power(f"{RACK}-tray-02", "off")
    mended = stacks("up", "lab.pod-01", refresh=True)
    assert counts(mended) == {"same": 6, "update": 1}
    assert set(stacks.power().values()) == {"on"}

    # The eighth is the reference to the site's stack, which is only forgotten.
    assert counts(stacks("destroy", "lab.pod-01")) == {"delete": 7, "discard": 1}
    assert counts(stacks("destroy", "lab")) == {"delete": 9}
    assert set(stacks.power().values()) == {"off"}


def test_trays_that_fail_are_named_and_the_next_run_goes_on_with_them(stacks):
    stacks("up", "lab")
    runs = 0
    result = stacks("up", "lab.pod-01", failure_rate="0.7")
    assert result.exit_code == 1
    assert any("simulated failure of `power on`" in message for message in stacks.errors)
    assert not any("Traceback" in message for message in stacks.errors)
    while result.exit_code and runs < 30:
        runs += 1
        result = stacks("up", "lab.pod-01", failure_rate="0.7")
    assert result.exit_code == 0
    assert set(stacks.power().values()) == {"on"}
    assert counts(stacks("preview", "lab.pod-01")).keys() <= {"same", "update"}


def test_a_pods_outputs_name_its_machines_and_the_servers_that_it_uses(stacks):
    stacks("up", "lab")
    outputs = stacks("up", "lab.pod-01").outputs
    assert set(outputs["machines"]) == {f"{RACK}-tray-01", f"{RACK}-tray-02", "pod-01-leaf-01"}
    assert outputs["machines"]["pod-01-leaf-01"]["power_state"] == "on"
    tray = outputs["machines"][f"{RACK}-tray-01"]
    assert tray["serial"].startswith("SIM-")
    assert tray["started"] == "simulated"
    assert set(outputs["shared"]) == {"lab-head", "lab-storage"}
