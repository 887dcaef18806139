"""Gates between waves: each looks at one thing, says whether it lets the rollout go on, and what it saw."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra import paths
from infra.rollout import approvals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from infra.rollout.blueprint import Blueprint, PlannedWave
    from infra.rollout.nodes import Nodes
    from infra.rollout.policy import Gate

BEFORE = ("grid", "window", "approval", "changes")
"""Kinds that are asked before a wave begins; the others judge a wave that is done."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAD_TO_SIGMA = 1.4826
"""Median absolute deviation to standard deviation, for normally distributed values."""
SPREAD_FLOOR = 0.01
"""Least spread that is taken as real, as a part of the median: equal values have none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Result of a gate: its name, whether it holds, and what it saw."""

    gate: str
    holds: bool
    saw: str


@dataclass
class Gates:
    """The gates of a rollout.

    Attributes:
        blueprint: the rollout.
        nodes: the machines.
        verify: runs checks (selection, machines) → (whether they passed, what it saw).
        grid: reasons of the grid gates that hold load back now, empty if none does.
        now: the time, UTC.
        sleep: waits some seconds.
        ramp: most megawatts that the site's load may change by in a minute; None without a limit.
        moved: when the last machine's step ended, in seconds since 1970; None before the first.
    """

    blueprint: Blueprint
    nodes: Nodes
    verify: Callable[[str, Sequence[str]], tuple[bool, str]]
    grid: Callable[[], Sequence[str]]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], object] = time.sleep
    ramp: float | None = None
    moved: Callable[[], float | None] = lambda: None

    def before(self, wave: PlannedWave) -> Iterator[Gate]:
        """Gates that are asked before a wave begins."""
        yield from (gate for gate in self._of(wave) if gate.kind in BEFORE)

    def during(self, wave: PlannedWave) -> Iterator[Gate]:
        """Gates that are asked before each batch of a wave."""
        yield from (gate for gate in self._of(wave) if gate.kind == "window")

    def after(self, wave: PlannedWave) -> Iterator[Gate]:
        """Gates that judge a wave that is done."""
        yield from (gate for gate in self._of(wave) if gate.kind not in BEFORE)

    def _of(self, wave: PlannedWave) -> Iterator[Gate]:
        for gate in self.blueprint.policy.gates:
            if "all" in gate.waves or wave.canary:
                yield gate

    def ask(self, gate: Gate, wave: PlannedWave) -> Answer:
        """Ask a gate, again and again for as long as its `wait` says; a gate that breaks does not hold."""
        end = self.now().timestamp() + gate.wait
        pause = 1.0
        while True:
            try:
                holds, saw = KINDS[gate.kind](self, gate, wave)
            except subprocess.TimeoutExpired:
                holds, saw = False, f"no answer within {gate.limit:.0f} s"
            except OSError as error:
                holds, saw = False, str(error)
            if holds or self.now().timestamp() + pause > end:
                waited = f" (waited {gate.wait:.0f} s)" if gate.wait and not holds else ""
                return Answer(gate.title, holds, saw + waited)
            self.sleep(pause)
            pause = min(pause * 2, 60.0)


def _health(world: Gates, gate: Gate, wave: PlannedWave) -> tuple[bool, str]:
    """The command is well on every machine of the wave that went through."""
    bad: dict[str, str] = {}
    good = 0
    seen = set()
    for host, reason, _ in world.nodes.prove(wave.hosts, gate.command, gate.limit):
        seen.add(host)
        if reason is None:
            good += 1
        else:
            bad[host] = reason
    bad.update({host: "no answer" for host in wave.hosts if host not in seen})
    what = gate.command or "services"
    if not bad:
        return True, f"{what}: well on {good} of {len(wave.hosts)} machines"
    first = min(bad)
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    return (
        False,
        f"{what}: bad on {len(bad)} of {len(wave.hosts)} machines: {first}: {bad[first].strip()}{more}",
    )


def _verify(world: Gates, gate: Gate, wave: PlannedWave) -> tuple[bool, str]:
    """The declared checks pass on the wave's machines."""
    return world.verify(gate.select, wave.hosts)


def _statistics(world: Gates, gate: Gate, wave: PlannedWave) -> tuple[bool, str]:
    """No machine of the wave is far below the others, or below the declared floor."""
    values: dict[str, float] = {}
    for host, reason, printed in world.nodes.prove(wave.hosts, gate.metric, gate.limit):
        if reason is not None:
            return False, f"{host}: {reason.strip()}"
        try:
            values[host] = float(printed.split()[-1])
        except (ValueError, IndexError):
            return False, f"{host}: `{gate.metric}` printed no number: {printed.strip()[:80]!r}"
    if len(values) < len(wave.hosts):
        return False, f"{len(wave.hosts) - len(values)} machines gave no value"
    median = statistics.median(values.values())
    spread = statistics.median(abs(value - median) for value in values.values())
    least = median - gate.deviations * max(spread * MAD_TO_SIGMA, abs(median) * SPREAD_FLOOR)
    floor = least if gate.floor is None else max(least, gate.floor)
    low = {host: value for host, value in values.items() if value < floor}
    seen = f"median {median:g}, MAD {spread:g}, floor {floor:g}, {len(values)} machines"
    if not low:
        return True, f"{seen}; lowest {min(values.values()):g}"
    worst = min(low, key=lambda host: low[host])
    return False, f"{seen}; {len(low)} below: {worst} {low[worst]:g}"


def _grid(world: Gates, gate: Gate, wave: PlannedWave) -> tuple[bool, str]:
    """The grid lets load through that leaves and comes back: the guard is open, and the ramp is kept.

    The load of a wave is reckoned to move after that of the wave before: as many minutes must lie between
    them as the wave's megawatts take at the declared ramp. They are few, and waited for here.
    """
    del gate
    if held := world.grid():
        return False, "; ".join(held)
    seen = f"the grid guard is open; the wave moves {wave.megawatts:g} MW"
    if world.ramp is None:
        return True, seen
    needed, last = wave.megawatts / world.ramp * 60, world.moved()
    # No more than is needed, also where the clock was set back after the last step.
    left = 0.0 if last is None else min(last + needed - world.now().timestamp(), needed)
    if left > 0:
        world.sleep(left)
    return True, f"{seen}, which takes {needed:.0f} s at {world.ramp:g} MW/min; waited {max(left, 0):.0f} s"


def _window(world: Gates, gate: Gate, wave: PlannedWave) -> tuple[bool, str]:
    """It is a time at which people agreed to have changes."""
    del wave
    now = world.now()
    clock = f"{now:%H:%M}"
    day = DAYS[now.weekday()]
    over_midnight = gate.end <= gate.start
    inside = gate.start <= clock < gate.end if not over_midnight else clock >= gate.start or clock < gate.end
    if over_midnight and clock < gate.end:  # the window began yesterday
        day = DAYS[now.weekday() - 1]
    holds = inside and (not gate.days or day in gate.days)
    days = f"{', '.join(gate.days)} " if gate.days else ""
    return holds, f"it is {DAYS[now.weekday()]} {clock} UTC, the window is {days}{gate.start} to {gate.end}"


def _approval(world: Gates, gate: Gate, wave: PlannedWave) -> tuple[bool, str]:
    """A person approved the wave."""
    del gate
    rollout = world.blueprint
    found = approvals.find(rollout.site, rollout.id, wave.number)
    if found:
        return True, f"approved by {found.who} at {found.when}" + (f": {found.note}" if found.note else "")
    return False, f"nobody approved: `gigasite approve {rollout.site} --wave {wave.number}`"


def _changes(world: Gates, gate: Gate, wave: PlannedWave) -> tuple[bool, str]:
    """A person approved each change that machines of the wave get."""
    del gate
    rollout, hosts = world.blueprint, set(wave.hosts)
    if not rollout.compared:
        return False, "no changes were compared: lay it out with `gigasite apply … --verify`"
    mine = [change for change in rollout.changes if hosts & set(change.hosts)]
    approved = {one.what: one for one in approvals.read_approvals(rollout.site, rollout.id)}
    left = [change.key for change in mine if f"change {change.key}" not in approved]
    if left:
        how = f"`gigasite approve {rollout.site} --change {left[0]}`"
        return False, f"nobody approved {', '.join(f'change {key}' for key in left)}: {how}"
    who = sorted({approved[f"change {change.key}"].who for change in mine})
    return True, f"{len(mine)} changes, each approved by {' or '.join(who)}" if mine else "no change"


def _command(world: Gates, gate: Gate, wave: PlannedWave) -> tuple[bool, str]:
    """A command of the site's own says yes (exit code 0)."""
    rollout = world.blueprint
    environment = {
        **os.environ,
        "GIGASITE_SITE": rollout.site, "GIGASITE_ROLLOUT": rollout.id, "GIGASITE_WAVE": str(wave.number),
        "GIGASITE_HOSTS": " ".join(wave.hosts) if len(wave.hosts) <= 1000 else "",
    }  # fmt: skip
    done = subprocess.run(
        ["sh", "-c", gate.command], cwd=paths.ROOT, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="replace", timeout=gate.limit, check=False,
    )  # fmt: skip
    printed = (done.stdout.strip() or done.stderr.strip()).splitlines()
    said = printed[-1][:200] if printed else "it printed nothing"
    return done.returncode == 0, f"`{gate.command}`: exit code {done.returncode}: {said}"


KINDS: dict[str, Callable[[Gates, Gate, PlannedWave], tuple[bool, str]]] = {
    "health": _health,
    "verify": _verify,
    "statistics": _statistics,
    "grid": _grid,
    "window": _window,
    "approval": _approval,
    "changes": _changes,
    "command": _command,
}
