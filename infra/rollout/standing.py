"""How a rollout stands, for people and programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.rollout import failures, rollouts
from infra.rollout.inventory.roster_cache import roster_at
from infra.rollout.ledger import State

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class WaveStanding:
    """Machines of a wave by how they are."""

    number: int
    canary: bool
    done: int
    failed: int
    running: int
    pending: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A rollout now.

    Attributes:
        id, site, state, reason: which one and how it is.
        waves: in order.
        gates: wave, gate, whether it holds, what it saw.
        failed: failures, equal ones together.
        rate: machines a minute over the last steps; 0 before any ended.
        minutes_left: at that rate, of the machines that are pending; None if not known.
    """

    id: str
    site: str
    state: str
    reason: str
    waves: Sequence[WaveStanding]
    gates: Sequence[tuple[int, str, bool, str]]
    failed: Sequence[str]
    rate: float
    minutes_left: float | None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For a person."""
        head = f"rollout {self.id} of {self.site}: {self.state}" + (f": {self.reason}" if self.reason else "")
        lines = [head, f" {'wave':>5} {'done':>8} {'failed':>7} {'running':>8} {'pending':>8}"]
        for wave in self.waves:
            kind = "  canaries" if wave.canary else ""
            counts = f"{wave.done:>8,} {wave.failed:>7,} {wave.running:>8,} {wave.pending:>8,}"
            lines.append(f" {wave.number:>5} {counts}{kind}")
        for number, gate, holds, saw in self.gates:
            lines.append(f"wave {number}, gate {gate}: {'holds' if holds else 'does not hold'}: {saw}")
        lines += [f"failed: {text}" for text in self.failed]
        if self.rate:
            left = f", about {self.minutes_left:.0f} min left" if self.minutes_left is not None else ""
            lines.append(f"{self.rate:,.0f} machines a minute{left}")
        return lines


def of(site: str, rollout: str = "") -> Standing:
    """How a rollout stands.

    Raises:
        UserError: not found, or its ledger is damaged.
    """
    plan = rollouts.read(site, rollout)
    ledger = rollouts.ledger_of(plan)
    counts = ledger.counts()
    canaries = {wave.number for wave in plan.waves if wave.canary}
    waves = [WaveStanding(number, number in canaries, **found) for number, found in counts.items()]
    reasons = {row.host: f"{row.step}: {row.reason}" for row in ledger.rows(state=State.FAILED)}
    roster = roster_at(paths.inventory(site) / "site.yaml")
    racks = roster.columns.get("rack")

    def place(host: str) -> str | None:
        return racks[roster.rows[host]] if racks and host in roster.rows else None

    ended = ledger.span()
    done = sum(wave.done + wave.failed for wave in waves)
    rate = done / (ended / 60) if ended > 0 else 0.0
    pending = sum(wave.pending + wave.running for wave in waves)
    result = Standing(
        plan.id, site, ledger.fact("state") or "ready", ledger.fact("reason") or "", waves,
        [(number, gate, holds, saw) for number, gate, holds, saw, _ in ledger.gates()],
        failures.group(reasons, place), rate, pending / rate if rate and pending else None,
    )  # fmt: skip
    ledger.close()
    return result
