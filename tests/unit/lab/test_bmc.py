from __future__ import annotations

import json
import os

import pytest

from infra.lab import bmc, session
from infra.lab.identity import ensure_identity

pytestmark = pytest.mark.unit

UUID = "11111111-2222-3333-4444-555555555555"


def record(state, pid: int, start: str) -> None:
    folder = ensure_identity(state, ["m1"]).machine("m1")
    (folder / "bmc.conf").write_text("text")
    (folder / "bmc.pid").write_text(json.dumps({"pid": pid, "start": start, "port": 20002}))


def test_a_recorded_process_is_found(tmp_path):
    record(tmp_path, os.getpid(), session.start_time(os.getpid()))
    assert bmc.bmc_process(tmp_path, "m1").pid == os.getpid()


def test_another_process_with_the_same_id_is_never_taken_for_ours(tmp_path):
    record(tmp_path, os.getpid(), "1")
    assert bmc.bmc_process(tmp_path, "m1") is None
    assert bmc.remove_bmc(tmp_path, "m1") is False  # and lives on


def test_no_record_means_no_process(tmp_path):
    assert bmc.bmc_process(tmp_path, "m1") is None


def test_the_emulator_shows_one_machine_on_loopback_with_a_password_and_tls(tmp_path):
    values: dict[str, object] = {}
    exec(bmc._config(ensure_identity(tmp_path, ["m1"]), "m1", UUID.upper(), 20002), values)  # noqa: S102
    assert values["SUSHY_EMULATOR_LISTEN_IP"] == "127.0.0.1"
    assert values["SUSHY_EMULATOR_ALLOWED_INSTANCES"] == [UUID]
    for name in ("AUTH_FILE", "SSL_CERT", "SSL_KEY"):
        assert os.path.exists(values[f"SUSHY_EMULATOR_{name}"])  # noqa: PTH110


def test_no_password_is_in_the_emulators_configuration(tmp_path):
    identity = ensure_identity(tmp_path, ["m1"])
    assert identity.credential("m1").password not in bmc._config(identity, "m1", UUID, 20002)
