"""Take machines that may change at the same time through all steps, each noted in a ledger before and after.

Killed at any moment, a batch is gone on with by its ledger: what ended is not done again, what was not begun
is done, and what was begun and did not end is in doubt. There the machine is asked: it remembers the hash of
what it was given, and which boot it is in. The other steps (drain, prove, resume) may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from infra.rollout.ledger import State, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from infra.rollout.ledger import Ledger
    from infra.rollout.nodes import Nodes, Outcome, Service
    from infra.rollout.policy import Policy

DONE = (State.OK, State.SKIPPED)
NOTED_TOGETHER = 100
"""Outcomes that are written to the ledger in one transaction."""
PROOF_S = 120.0
"""How long a machine may take to say whether its services are well."""

Noted = Callable[[Step, Mapping[str, "str | None"]], object]
"""Called after each step with its machines and the outcomes of them all, None where it went well."""


class Crew(Protocol):
    """Takes machines that may change at the same time through all steps."""

    def run(self, hosts: Sequence[str], noted: Noted) -> None:
        """Do what is not done yet; afterwards the rollout's ledger has how each step ended."""
        ...


@dataclass
class LocalCrew:
    """Works in this process; a machine that fails goes no further and stays out of service.

    Attributes:
        rollout: name of the rollout; people see it beside a drained machine.
        ledger: taken by who runs this.
        nodes, service: the machines and their scheduler.
        policy: limits, care of jobs, reboots.
        content: hash of what a machine is given.
    """

    rollout: str
    ledger: Ledger
    nodes: Nodes
    service: Service
    policy: Policy
    content: Callable[[str], str]
    _noted: Noted = lambda *_: None

    def run(self, hosts: Sequence[str], noted: Noted) -> None:
        """Do what is not done yet.

        Raises:
            Fenced: another controller took the rollout.
        """
        self._noted = noted
        policy, reason = self.policy, f"gigasite {self.rollout}"
        content = {host: self.content(host) for host in hosts}

        def drained(todo: Sequence[str]) -> Iterator[Outcome]:
            return self.service.drain(todo, reason, policy.service.drain_limit, policy.service.jobs)

        alive = self._step(Step.DRAIN, hosts, drained)
        alive = self._step(
            Step.APPLY, alive, lambda todo: self.nodes.apply({host: content[host] for host in todo}), content
        )
        if policy.reboot:
            alive = self._reboot(alive)
        alive = self._step(
            Step.PROVE,
            alive,
            lambda todo: ((name, why) for name, why, _ in self.nodes.prove(todo, "", 120.0)),
        )
        self._step(Step.RESUME, alive, self.service.resume)

    def _step(
        self,
        step: Step,
        hosts: Sequence[str],
        work: Callable[[Sequence[str]], Iterator[Outcome]],
        content: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Do a step where it is not done; return the machines that may go on."""
        todo, states = self._left(step, hosts)
        doubtful = [host for host in todo if states.get(host, {}).get(step) is State.RUNNING]
        if doubtful and step is Step.APPLY:
            known = self.nodes.known(doubtful)
            settled = [
                host for host in doubtful if host in known and known[host].applied == (content or {})[host]
            ]
            self.ledger.end(dict.fromkeys(settled), step)
            todo = _without(todo, settled)
        if todo:
            self.ledger.begin(todo, step, content)
            self._take(step, todo, work(todo))
        return self._through(step, hosts)

    def _take(self, step: Step, hosts: Sequence[str], outcomes: Iterable[Outcome]) -> None:
        """Note outcomes as they come; who has none has failed."""
        found: dict[str, str | None] = {}
        fresh: dict[str, str | None] = {}
        for host, reason in outcomes:
            found[host] = fresh[host] = reason
            if len(fresh) >= NOTED_TOGETHER:
                self.ledger.end(fresh, step)
                fresh = {}
        silent = {host: "it gave no answer" for host in hosts if host not in found}
        self.ledger.end({**fresh, **silent}, step)
        found.update(silent)
        bad = {host: why for host, why in found.items() if why is not None}
        if bad:
            self.service.hold(
                {host: f"gigasite {self.rollout}: {step}: {why}"[:200] for host, why in bad.items()}
            )
        self._noted(step, found)

    def _reboot(self, hosts: Sequence[str]) -> list[str]:
        """Reboot the machines that say that they need it; in doubt, the boot that they are in decides."""
        todo, _ = self._left(Step.REBOOT, hosts)
        known = self.nodes.known(todo)
        before = {
            row.host: row.content for row in self.ledger.rows(state=State.RUNNING) if row.step is Step.REBOOT
        }
        over = [
            host for host in todo if host in known and before.get(host, known[host].boot) != known[host].boot
        ]
        self.ledger.end(dict.fromkeys(over), Step.REBOOT)
        todo = _without(todo, over)
        idle = [
            host for host in todo if host in known and not known[host].needs_reboot and host not in before
        ]
        self.ledger.end(dict.fromkeys(idle), Step.REBOOT, skipped=True)
        todo = _without(todo, idle)
        if todo:
            boots = {host: known[host].boot if host in known else before.get(host, "") for host in todo}
            self.ledger.begin(todo, Step.REBOOT, boots)
            self._take(Step.REBOOT, todo, self.nodes.reboot(todo))
        return self._through(Step.REBOOT, hosts)

    def _left(self, step: Step, hosts: Sequence[str]) -> tuple[list[str], Mapping[str, Mapping[Step, State]]]:
        """Machines that a step is not done on, and the states of all."""
        states = self.ledger.states(hosts)
        over = {*DONE, State.FAILED}
        return [host for host in hosts if states.get(host, {}).get(step) not in over], states

    def _through(self, step: Step, hosts: Sequence[str]) -> list[str]:
        """Machines that a step went well on."""
        states = self.ledger.states(hosts)
        return [host for host in hosts if states.get(host, {}).get(step) in DONE]


def is_finished(steps: Mapping[Step, State]) -> bool:
    """Whether a machine went through, or failed at a step: nothing is left to do."""
    return State.FAILED in steps.values() or steps.get(Step.RESUME) in DONE


def settle(ledger: Ledger, nodes: Nodes, hosts: Sequence[str], content: Callable[[str], str]) -> int:
    """Fill a new ledger with what the machines know; returns how many have the rollout's content.

    Those are proved and given back to service again, which harms nothing; all others begin at the first step.
    """
    known = nodes.known(hosts)
    given = [host for host in hosts if host in known and known[host].applied == content(host)]
    for step in (Step.DRAIN, Step.APPLY):
        ledger.begin(given, step, {host: content(host) for host in given})
        ledger.end(dict.fromkeys(given), step)
    return len(given)


def _without(hosts: Iterable[str], others: Iterable[str]) -> list[str]:
    left = set(others)
    return [host for host in hosts if host not in left]
