"""Carry a rollout out: wave by wave, batch by batch, gates between; killed, it goes on by its ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.rollout import applied, cordon, failures
from infra.rollout.crews.local import DONE, is_finished
from infra.rollout.ledger import Fenced, Ledger, State, Step
from infra.rollout.policy import amount_of
from infra.rollout.schedule import Budgets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from infra.rollout.blueprint import Blueprint, PlannedWave
    from infra.rollout.crews.local import Crew
    from infra.rollout.gates import Gates
    from infra.rollout.inventory.roster import Roster
    from infra.rollout.nodes import Service


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
        crew: takes machines through the steps.
        service: the scheduler, which knows what others took out of service.
        gates: ask whether a wave may begin, and whether it was good.
        roster: failure domains; machines that it does not have are in none.
        tell: told what happens.
    """

    blueprint: Blueprint
    ledger: Ledger
    crew: Crew
    service: Service
    gates: Gates
    roster: Roster
    tell: Callable[[Progress], object] = lambda _: None

    def run(self) -> Mapping[str, str]:
        """Do what is not done yet; the machines that failed within the budget, with the reason.

        Raises:
            Stopped: a gate held or too many machines failed; the rest is untouched.
            Fenced: another controller took the rollout.
        """
        self.ledger.set(state="running", reason="")
        self._settle(self.blueprint.hosts)
        try:
            for wave in self.blueprint.waves:
                self._wave(wave)
        except Stopped as stop:
            self.ledger.set(state="stopped", reason=stop.message)
            self.tell(Progress("stopped", int(self.ledger.fact("wave") or 0), stop.message))
            raise
        except Fenced:
            raise
        except (
            UserError
        ) as error:  # the scheduler stays away, a file cannot be written: not the machines' fault
            self.ledger.set(state="stopped", reason=str(error))
            raise
        except KeyboardInterrupt:
            self.ledger.set(state="interrupted", reason="interrupted by a person")
            raise
        self.ledger.set(state="done")
        failed = self._failed(self.blueprint.hosts)
        self.tell(
            Progress("done", len(self.blueprint.waves), self._summary(failed), len(self.blueprint.hosts))
        )
        return failed

    def _wave(self, wave: PlannedWave) -> None:
        states = self.ledger.states(wave.hosts)
        left = [host for host in wave.hosts if not is_finished(states.get(host, {}))]
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
        """Take machines through all steps, here or on workers; one that fails stays out of service."""

        def noted(step: Step, outcomes: Mapping[str, str | None]) -> None:
            self._note(wave, step, outcomes)

        self.crew.run(hosts, noted)
        self._settle(hosts)
        self._judge(wave)

    def _settle(self, hosts: Sequence[str]) -> None:
        """Note for others what the ledger says: who is out of service, who is back and what it was given.

        Done again when a controller begins: the one before may have been killed between ledger and note.
        """
        bad: dict[str, str] = {}
        back = []
        for row in self.ledger.rows(hosts=hosts):
            if row.state is State.FAILED:
                bad[row.host] = f"{row.step}: {row.reason}"
            elif row.step is Step.RESUME and row.state in DONE:
                back.append(row.host)
        if not bad and not back:
            return
        cordon.update(self.blueprint.fleet, bad, back)
        what = applied.what(self.blueprint.playbook, self.blueprint.content)
        applied.note(self.blueprint.fleet, back, what)

    def _note(self, wave: PlannedWave, step: Step, outcomes: Mapping[str, str | None]) -> None:
        """Note who left service, and tell how a step went."""
        bad = {host: why for host, why in outcomes.items() if why is not None}
        if bad:
            cordon.update(self.blueprint.fleet, {host: f"{step}: {why}" for host, why in bad.items()})
            self.tell(
                Progress(
                    "failed", wave.number, f"{step}: {self._summary(bad)}", len(bad), {"hosts": sorted(bad)}
                )
            )
        done = len(outcomes) - len(bad)
        self.tell(
            Progress("step", wave.number, f"{step}: {done} of {len(outcomes)}", done, {"step": str(step)})
        )

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
