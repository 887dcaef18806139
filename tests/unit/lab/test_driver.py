from __future__ import annotations

import pytest

from infra.lab import driver
from infra.lab.driver import CheckFailed, DriverError, Output, StandIn
from infra.lab.identity import Identity

pytestmark = pytest.mark.unit


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A stand-in whose commands answer from `answers`, the last one again and again; time does not pass."""
    folder = Identity(tmp_path).machine("m1")
    folder.mkdir(parents=True)
    (folder / "console.log").write_text("[ 1.0] first\n[ 2.0] the last words\n")
    now = [0.0]
    monkeypatch.setattr(driver.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(driver.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    one = StandIn(tmp_path, "m1")
    one.answers, one.asked = [], []

    def execute(command, limit_s=60):
        one.asked.append(command)
        answer = one.answers.pop(0) if len(one.answers) > 1 else one.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(one, "execute", execute)
    yield one
    one.close()


def test_succeed_gives_the_output(machine):
    machine.answers = [Output(0, "hello\n", "")]
    assert machine.succeed("echo hello") == "hello\n"


def test_succeed_tells_code_words_and_the_serial_console(machine):
    machine.answers = [Output(3, "", "no such unit")]
    with pytest.raises(CheckFailed, match=r"(?s)`false` failed with 3: no such unit.*the last words"):
        machine.succeed("false")


def test_fail_is_not_content_with_success(machine):
    machine.answers = [Output(0, "fine", "")]
    with pytest.raises(CheckFailed, match="succeeded: fine"):
        machine.fail("true")


def test_a_broken_driver_is_no_failed_check(machine):
    machine.answers = [DriverError("ssh failed")]
    with pytest.raises(DriverError):
        machine.fail("true")
    assert not issubclass(DriverError, AssertionError)


def test_waiting_goes_on_while_ssh_does_not_answer(machine):
    machine.answers = [DriverError("ssh failed"), Output(1, "", ""), Output(0, "up\n", "")]
    assert machine.wait_until_succeeds("x") == "up\n"


def test_waiting_ends_at_its_limit_with_the_last_reason(machine):
    machine.answers = [Output(1, "", "not yet")]
    with pytest.raises(CheckFailed, match=r"within 10 s \(exit code 1: not yet\)"):
        machine.wait_until_succeeds("x", limit_s=10)


def test_a_unit_that_has_failed_ends_the_wait_at_once_with_its_log(machine):
    machine.answers = [
        Output(0, "ActiveState=activating\nSubState=start\n", ""),
        Output(0, "ActiveState=failed\nSubState=failed\n", ""),
        Output(0, "chronyd: bad config\n", ""),
    ]
    with pytest.raises(CheckFailed, match="chronyd: bad config"):
        machine.wait_for_unit("chrony.service")
    assert len(machine.asked) == 3


def test_a_unit_that_becomes_active_ends_the_wait(machine):
    machine.answers = [Output(0, "ActiveState=activating\n", ""), Output(0, "ActiveState=active\n", "")]
    machine.wait_for_unit("chrony.service")
    assert len(machine.asked) == 2
