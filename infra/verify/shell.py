"""Raw commands on a machine, and waiting for what it settles by itself."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import pytest

from infra.verify.batch import BatchBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from testinfra.backend.base import BaseBackend
    from testinfra.host import Host

PATIENCE = 120
"""Answers that all checks of a machine wait for, a second and more apart; slowest by its own timers, on any
machine, is a clock whose server came back: 47 s seen."""
FEW = 5
"""Answers that a check still waits for once they are used up: what settles by itself had its time by then."""
PAUSE_S = 1.0
STARTING = "systemctl list-units --state=activating --plain --no-legend --no-pager"
"""Asks for services that are being started, those that systemd is about to start again included."""


class Answer(NamedTuple):
    """Result of a command: exit status, and its output with its errors."""

    status: int
    text: str


_waited: WeakKeyDictionary[BaseBackend, int] = WeakKeyDictionary()
"""Answers that were waited for so far, by connection to a machine."""


def wait(host: Host, true: Callable[[], bool], hopeless: Callable[[], bool] = lambda: False) -> bool:
    """Wait until something holds; return whether it does.

    For what a machine settles by itself after a change: it ends at the first good answer, and at one after
    which there is none to hope for. It counts answers and not seconds: a machine that is ten times slower
    gives the same number, ten times later. They are counted over all checks of a machine: it settles while
    any of them waits, and a broken one would else be waited for by each.

    Args:
        host: the machine that is asked again.
        true: asks it for what shall hold.
        hopeless: asks it whether that cannot come any more.
    """
    used = 0
    for number in range(max(PATIENCE - _waited.get(host.backend, 0), FEW) + 1):
        if number:
            time.sleep(PAUSE_S)
            _waited[host.backend] = _waited.get(host.backend, 0) + 1
            if isinstance(host.backend, BatchBackend):
                host.backend.forget(host.backend.used[used:])
        used = len(host.backend.used) if isinstance(host.backend, BatchBackend) else 0
        if true():
            return True
        if hopeless() or rehearses(host):
            break
    return False


def rehearses(host: Host) -> bool:
    """Return whether answers are guesses just now; see `infra.verify.rehearsal`."""
    return isinstance(host.backend, BatchBackend) and host.backend.wanted is not None


class Shell:
    """Runs commands on one machine."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @property
    def away(self) -> str | None:
        """Why the machine does not answer, if it does not."""
        return getattr(self.host.backend, "away", None)

    def run(self, command: str) -> Answer:
        """Return what a command says."""
        done = self.host.run(command)
        return Answer(done.rc, f"{done.stdout}{done.stderr}".strip("\n"))

    def out(self, command: str) -> str:
        """Return what a command prints; the check fails if the command does."""
        status, text = self.run(command)
        if status:
            pytest.fail(f"`{command}` exit {status}: {text or 'no output'}", pytrace=False)
        return text

    def wait(
        self, command: str, true: Callable[[str], bool], hopeless: Callable[[str], bool] = lambda _: False
    ) -> str:
        """Return what a command prints once that is as it shall be, or the last that it said; see `wait`.

        A command that fails has no answer yet as long as a service of the machine is starting.
        """

        def holds() -> bool:
            status, text = self.run(command)
            return not status and true(text)

        def ends() -> bool:
            status, text = self.run(command)
            return not self.run(STARTING).text if status else hopeless(text)

        wait(self.host, holds, ends)
        return self.out(command)

    def json(self, command: str) -> Any:
        """Return what a command prints as JSON."""
        return json.loads(self.out(command))
