"""Waiting in checks: it ends at the first good answer, or where there is no hope, and counts answers."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from infra.verify import shell as waiting
from infra.verify.batch import BatchBackend
from infra.verify.shell import Shell

pytestmark = pytest.mark.unit


class Scripted(BatchBackend):
    """Says these texts one after the other, the last one for ever; None is a command that fails."""

    def __init__(self, *texts):
        super().__init__("one")
        self.texts, self.asked, self.starting = texts, 0, True

    def ask(self, commands):
        for command in commands:
            if command not in self.answers:
                text = self.texts[min(self.asked, len(self.texts) - 1)]
                if command == waiting.STARTING:
                    self.answers[command] = self.result(0, b"", b"frr.service" if self.starting else b"", b"")
                    continue
                self.answers[command] = self.result(int(text is None), b"", (text or "").encode(), b"")
                self.asked += 1


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(waiting.time, "sleep", lambda _: None)

    def make(*texts):
        backend = Scripted(*texts)
        host = Host(backend)
        backend.set_host(host)
        return Shell(host)

    return make


def test_it_ends_at_the_first_good_answer(machine):
    shell = machine("no", "no", "yes", "later")
    assert shell.wait("state", "yes".__eq__) == "yes"
    assert shell.host.backend.asked == 3


def test_a_command_that_fails_has_no_answer_yet_while_a_service_starts(machine):
    shell = machine(None, None, "yes")
    assert shell.wait("state", lambda _: True) == "yes"
    shell = machine(None)
    shell.host.backend.starting = False
    with pytest.raises(pytest.fail.Exception, match="`state` exit 1"):
        shell.wait("state", lambda _: True)
    assert shell.host.backend.asked == 1


def test_what_was_asked_before_counts(machine):
    shell = machine("yes")
    shell.host.backend.ask(["state"])
    assert shell.wait("state", "yes".__eq__) == "yes"
    assert shell.host.backend.asked == 1


def test_it_ends_where_there_is_no_hope(machine):
    shell = machine("no", "dead", "yes")
    assert shell.wait("state", "yes".__eq__, hopeless="dead".__eq__) == "dead"


def test_it_gives_up_after_so_many_answers_however_long_they_take(machine):
    shell = machine("no")
    assert shell.wait("state", "yes".__eq__) == "no"
    assert shell.host.backend.asked == waiting.PATIENCE + 1


def test_checks_of_a_machine_share_their_patience(machine):
    shell = machine("no")
    shell.wait("state", "yes".__eq__)
    shell.wait("another", "yes".__eq__)
    assert shell.host.backend.asked == waiting.PATIENCE + 1 + waiting.FEW + 1
    other = machine("no")
    other.wait("state", "yes".__eq__)
    assert other.host.backend.asked == waiting.PATIENCE + 1


def test_a_rehearsal_waits_for_nothing(machine):
    shell = machine("no")
    shell.host.backend.wanted = {}
    assert shell.wait("state", "yes".__eq__) == "0"
    assert list(shell.host.backend.wanted) == ["state"]
