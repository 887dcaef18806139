"""Carry a rollout out: wave by wave, batch by batch, step by step, each noted in the ledger before and after.

Killed at any moment, it goes on by the ledger: what ended is not done again, what was not begun is done, and
what was begun and did not end is in doubt. There the machine is asked: it remembers the hash of what it was
given, and which boot it is in. The other steps (drain, prove, resume) may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.rollout import applied, cordon, failures
from infra.rollout.ledger import Ledger, State, Step
from infra.rollout.policy import amount_of
from infra.rollout.schedule import Budgets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from infra.rollout.blueprint import Blueprint, PlannedWave
    from infra.rollout.gates import Gates
    from infra.rollout.inventory.roster import Roster
    from infra.rollout.nodes import Nodes, Outcome, Service

DONE = (State.OK, State.SKIPPED)


@dataclass(frozen=True, slots=True)
class Progress:
    """Something happened.

    Attributes:
        kind: `wave`, `step`, `failed`, `gate`, `stopped` or `done`.
        wave: number.
        text: for a person.
        machines: how many it is of.
        data: more for a program.
    """

    kind: str
    wave: int
    text: str
    machines: int = 0
    data: Mapping[str, object] = field(default_factory=dict)


class Stopped(UserError):  # noqa: N818 (not a mistake: it did what it should)
    """A gate or the failure budget stopped the rollout."""


@dataclass
class Controller:
    """Carries one rollout out.

    Attributes:
        blueprint: the rollout.
        ledger: taken by this controller.
        nodes, service: the machines and their scheduler.
        gates: ask whether a wave may begin, and whether it was good.
        roster: failure domains; machines that it does not have are in none.
        content: hash of what each machine is given.
        tell: told what happens.
    """

    blueprint: Blueprint
    ledger: Ledger
    nodes: Nodes
    service: Service
    gates: Gates
    roster: Roster
    content: Callable[[str], str]
    tell: Callable[[Progress], object] = lambda _: None

    def run(self) -> None:
        """Do what is not done yet.

        Raises:
            Stopped: a gate held or too many machines failed; the rest is untouched.
            Fenced: another controller took the rollout.
        """
        self.ledger.set(state="running", reason="")
        try:
            for wave in self.blueprint.waves:
                self._wave(wave)
        except Stopped as stop:
            self.ledger.set(state="stopped", reason=stop.message)
            self.tell(Progress("stopped", int(self.ledger.fact("wave") or 0), stop.message))
            raise
        except KeyboardInterrupt:
            self.ledger.set(state="interrupted", reason="interrupted by a person")
            raise
        self.ledger.set(state="done")
        failed = self._failed(self.blueprint.hosts)
        self.tell(
            Progress("done", len(self.blueprint.waves), self._summary(failed), len(self.blueprint.hosts))
        )

    def _wave(self, wave: PlannedWave) -> None:
        states = self.ledger.states(wave.hosts)
        left = [host for host in wave.hosts if not _finished(states.get(host, {}))]
        passed = {gate for _, gate, held, _, _ in self.ledger.gates(wave.number) if held}
        after = [gate for gate in self.gates.after(wave) if f"after {gate.title}" not in passed]
        if not left and not after:
            return
        self.ledger.set(wave=str(wave.number))
        if left:
            self.tell(
                Progress("wave", wave.number, f"{len(left)} machines", len(left), {"canary": wave.canary})
            )
            self._ask(wave, "before", self.gates.before(wave))
            rows = [self.roster.rows[host] for host in left]
            ours = set(self.blueprint.hosts)
            out = [
                self.roster.rows[host]
                for host in self.service.out()
                if host not in ours and host in self.roster.rows
            ]
            for batch in Budgets(self.roster, self.blueprint.policy, out).batches(rows):
                # A window that closes in the middle of a wave lets no further machine begin.
                self._ask(wave, "before", self.gates.during(wave), quiet=True)
                self._batch(wave, [self.roster.names[row] for row in batch])
        self._judge(wave)
        # Machines that failed within the budget are out of service: what is judged is what goes on.
        failed = self._failed(wave.hosts)
        through = tuple(host for host in wave.hosts if host not in failed)
        if through:
            self._ask(wave.model_copy(update={"hosts": through}), "after", after)

    def _ask(self, wave: PlannedWave, when: str, asked: Iterable[object], *, quiet: bool = False) -> None:
        """Ask gates; what each saw is noted.

        Raises:
            Stopped: one does not hold.
        """
        for gate in asked:
            answer = self.gates.ask(gate, wave)  # type: ignore[arg-type]
            if quiet and answer.holds:
                continue
            self.ledger.gate(wave.number, f"{when} {answer.gate}", answer.holds, answer.saw)
            told = f"{answer.gate}: {'holds' if answer.holds else 'does not hold'}: {answer.saw}"
            self.tell(Progress("gate", wave.number, told, data={"gate": answer.gate, "holds": answer.holds}))
            if not answer.holds:
                kind = "canary wave" if wave.canary else "wave"
                raise Stopped(
                    f"gate {answer.gate} {when} {kind} {wave.number} does not hold: {answer.saw}",
                    where=f"rollout {self.blueprint.id}",
                    hint=self._hint(),
                )

    def _batch(self, wave: PlannedWave, hosts: Sequence[str]) -> None:
        """Take machines through all steps; one that fails goes no further and stays out of service."""
        policy, reason = self.blueprint.policy, f"gigasite {self.blueprint.id}"
        alive = list(hosts)
        content = {host: self.content(host) for host in hosts}

        def drained(todo: Sequence[str]) -> Iterator[Outcome]:
            return self.service.drain(todo, reason, policy.service.drain_limit, policy.service.jobs)

        alive = self._step(wave, Step.DRAIN, alive, drained)
        alive = self._step(
            wave,
            Step.APPLY,
            alive,
            lambda todo: self.nodes.apply({host: content[host] for host in todo}),
            content,
        )
        if policy.reboot:
            alive = self._reboot(wave, alive)
        alive = self._step(
            wave,
            Step.PROVE,
            alive,
            lambda todo: ((name, why) for name, why, _ in self.nodes.prove(todo, "", 120.0)),
        )
        alive = self._step(wave, Step.RESUME, alive, self.service.resume)
        cordon.update(self.blueprint.fleet, {}, alive)
        what = applied.what(self.blueprint.playbook, self.blueprint.content)
        applied.note(self.blueprint.fleet, alive, what)
        self._judge(wave)

    def _step(
        self,
        wave: PlannedWave,
        step: Step,
        hosts: Sequence[str],
        work: Callable[[Sequence[str]], Iterator[Outcome]],
        content: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Do a step where it is not done; return the machines that may go on."""
        states = self.ledger.states(hosts)
        todo = [host for host in hosts if states.get(host, {}).get(step) not in {*DONE, State.FAILED}]
        doubtful = [host for host in todo if states.get(host, {}).get(step) is State.RUNNING]
        if doubtful and step is Step.APPLY:
            known = self.nodes.known(doubtful)
            settled = [
                host for host in doubtful if host in known and known[host].applied == (content or {})[host]
            ]
            self.ledger.end(dict.fromkeys(settled), step)
            todo = [host for host in todo if host not in set(settled)]
        if todo:
            self.ledger.begin(todo, step, content)
            self._take(wave, step, todo, work(todo))
        states = self.ledger.states(hosts)
        return [host for host in hosts if states.get(host, {}).get(step) in DONE]

    def _take(self, wave: PlannedWave, step: Step, hosts: Sequence[str], outcomes: Iterable[Outcome]) -> None:
        """Note outcomes as they come; who has none has failed."""
        waiting = dict.fromkeys(hosts, "it gave no answer")
        bad: dict[str, str] = {}
        good: dict[str, str | None] = {}

        def note() -> None:
            self.ledger.end({**good, **bad}, step)
            good.clear()

        for host, reason in outcomes:
            waiting.pop(host, None)
            if reason is None:
                good[host] = None
            else:
                bad[host] = reason
            if len(good) >= 100:
                note()
        bad.update(waiting)
        note()
        if bad:
            self.service.hold(
                {host: f"gigasite {self.blueprint.id}: {step}: {why}"[:200] for host, why in bad.items()}
            )
            cordon.update(self.blueprint.fleet, {host: f"{step}: {why}" for host, why in bad.items()})
            self.tell(
                Progress(
                    "failed", wave.number, f"{step}: {self._summary(bad)}", len(bad), {"hosts": sorted(bad)}
                )
            )
        done = len(hosts) - len(bad)
        self.tell(Progress("step", wave.number, f"{step}: {done} of {len(hosts)}", done, {"step": str(step)}))

    def _reboot(self, wave: PlannedWave, hosts: Sequence[str]) -> list[str]:
        """Reboot the machines that say that they need it; in doubt, the boot that they are in decides."""
        states = self.ledger.states(hosts)
        todo = [host for host in hosts if states.get(host, {}).get(Step.REBOOT) not in {*DONE, State.FAILED}]
        known = self.nodes.known(todo)
        before = {
            row.host: row.content for row in self.ledger.rows(state=State.RUNNING) if row.step is Step.REBOOT
        }
        over = [
            host for host in todo if host in known and before.get(host, known[host].boot) != known[host].boot
        ]
        self.ledger.end(dict.fromkeys(over), Step.REBOOT)
        todo = [host for host in todo if host not in set(over)]
        idle = [
            host for host in todo if host in known and not known[host].needs_reboot and host not in before
        ]
        self.ledger.end(dict.fromkeys(idle), Step.REBOOT, skipped=True)
        todo = [host for host in todo if host not in set(idle)]
        if todo:
            boots = {host: known[host].boot if host in known else before.get(host, "") for host in todo}
            self.ledger.begin(todo, Step.REBOOT, boots)
            self._take(wave, Step.REBOOT, todo, self.nodes.reboot(todo))
        states = self.ledger.states(hosts)
        return [host for host in hosts if states.get(host, {}).get(Step.REBOOT) in DONE]

    def _judge(self, wave: PlannedWave) -> None:
        """Compare failures with the budget.

        Raises:
            Stopped: there are more.
        """
        failed = self._failed(self.blueprint.hosts)
        tried = self.ledger.tried()
        canaries = set(wave.hosts) if wave.canary else set()
        allowed = amount_of(self.blueprint.policy.failures, tried)
        if len(failed) <= allowed and not canaries & set(failed):
            return
        limit = (
            "no canary may" if canaries & set(failed) else f"{allowed} may ({self.blueprint.policy.failures})"
        )
        raise Stopped(
            f"{len(failed)} of {tried} machines failed, {limit}: {self._summary(failed)}",
            where=f"rollout {self.blueprint.id}",
            hint=self._hint(),
        )

    def _failed(self, hosts: Iterable[str]) -> dict[str, str]:
        wanted = set(hosts)
        return {row.host: row.reason for row in self.ledger.rows(state=State.FAILED) if row.host in wanted}

    def _summary(self, reasons: Mapping[str, str]) -> str:
        if not reasons:
            return "no machine failed"
        racks = self.roster.columns.get("rack")

        def place(host: str) -> str | None:
            return racks[self.roster.rows[host]] if racks and host in self.roster.rows else None

        return ", ".join(failures.group(reasons, place))

    def _hint(self) -> str:
        site = self.blueprint.site
        return f"mend it, then `gigasite rollout resume {site}` or `gigasite rollout retry {site} --failed`"


def _finished(steps: Mapping[Step, State]) -> bool:
    """Whether a machine went through, or failed at a step: nothing is left to do."""
    return State.FAILED in steps.values() or steps.get(Step.RESUME) in DONE


def rebuild(blueprint: Blueprint, ledger: Ledger, nodes: Nodes, content: Callable[[str], str]) -> int:
    """Fill a new ledger with what the machines know; returns how many have the rollout's content.

    Those are proved and given back to service again, which harms nothing; all others begin at the first step.
    """
    known = nodes.known(blueprint.hosts)
    given = [host for host in blueprint.hosts if host in known and known[host].applied == content(host)]
    for step in (Step.DRAIN, Step.APPLY):
        ledger.begin(given, step, {host: content(host) for host in given})
        ledger.end(dict.fromkeys(given), step)
    return len(given)
