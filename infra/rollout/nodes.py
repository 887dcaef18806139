"""Interface of machines and of their scheduler for a rollout.

Outcomes are given one by one as they come: a machine's name, and None where it went well or the reason where
it did not. A machine without an outcome is taken as failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Outcome = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Known:
    """Facts that a machine knows of itself.

    Attributes:
        applied: hash of what it was given last; empty if it does not know.
        boot: identity of its current boot.
        needs_reboot: something that it was given counts only after a reboot.
    """

    applied: str
    boot: str
    needs_reboot: bool = False


class Nodes(Protocol):
    """The machines."""

    def known(self, hosts: Sequence[str]) -> Mapping[str, Known]:
        """Read the facts that machines know of themselves; one that does not answer is left out."""
        ...

    def apply(self, content: Mapping[str, str]) -> Iterator[Outcome]:
        """Give machines their configuration, whose hash by machine is `content`, and let them remember it."""
        ...

    def reboot(self, hosts: Sequence[str]) -> Iterator[Outcome]:
        """Reboot machines and wait until they answer from another boot."""
        ...

    def prove(
        self, hosts: Sequence[str], command: str, limit: float
    ) -> Iterator[tuple[str, str | None, str]]:
        """Run a command on machines (without one: whether all their services are well).

        Yields:
            name, None or the reason of a failure, what the command printed.
        """
        ...


class Service(Protocol):
    """The scheduler whose jobs the machines serve."""

    def drain(self, hosts: Sequence[str], reason: str, limit: float, jobs: str) -> Iterator[Outcome]:
        """Let machines take no more jobs, and wait until theirs have ended.

        Args:
            hosts: names.
            reason: that people see beside the drained machine.
            limit: seconds.
            jobs: what happens to those that are left then: `wait` (the machine fails), `requeue`, `cancel`.
        """
        ...

    def hold(self, reasons: Mapping[str, str]) -> None:
        """Keep machines out of service, each with its reason."""
        ...

    def resume(self, hosts: Iterable[str]) -> Iterator[Outcome]:
        """Let machines take jobs again."""
        ...

    def out(self) -> Mapping[str, str]:
        """Machines that are out of service, whoever took them out, with the reason."""
        ...
