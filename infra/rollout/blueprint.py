"""A rollout before it runs: waves, gates, times and megawatts, in a file for review."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from infra import yamltext
from infra.errors import UserError
from infra.files import write_whole
from infra.rollout.policy import Policy
from infra.rollout.schedule import Budgets, waves_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.rollout.inventory.roster import Roster

HEAD = """\
# Made by `gigasite apply --plan`; made again by the same command. `gigasite apply --file` does what is here:
# hosts may be taken out or moved to other waves. `content` is the hash of what the hosts are given.
"""


class PlannedWave(BaseModel):
    """One wave.

    Attributes:
        number: from 1.
        canary: the first machines.
        hosts: names.
        batches: how many steps the budgets cut it into.
        seconds: expected.
        megawatts: that its machines draw at the site's meter, rated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    canary: bool = False
    batches: int = 1
    seconds: float = 0.0
    megawatts: float = 0.0
    hosts: tuple[str, ...]


class PlannedChange(BaseModel):
    """Files that change alike on some machines.

    Attributes:
        key: hash of the change.
        text: as it is shown to the person who approves it.
        hosts: names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    text: tuple[str, ...]
    hosts: tuple[str, ...]


class Blueprint(BaseModel):
    """A rollout.

    Attributes:
        id: name of the rollout.
        site, pattern, playbook: what it is of.
        content: hash of what is applied: playbook, roles, templates, declaration.
        simulated: the machines are simulated ones.
        policy: waves, budgets and gates as they were when it was made.
        compared: whether the machines' files were compared when it was laid out.
        changes: what was found to differ, the most machines first.
        waves: in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    site: str
    pattern: str
    playbook: str
    content: str
    simulated: bool = False
    policy: Policy
    compared: bool = False
    changes: tuple[PlannedChange, ...] = ()
    waves: tuple[PlannedWave, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """All machines, in order."""
        return tuple(host for wave in self.waves for host in wave.hosts)

    @property
    def fleet(self) -> str:
        """Whose machines leave service: the site's, or its simulated ones, which nobody else sees."""
        return f"{self.site}/simulated" if self.simulated else self.site

    @property
    def seconds(self) -> float:
        """Expected time without the gates' waiting."""
        return sum(wave.seconds for wave in self.waves)


def draw(
    roster: Roster,
    rows: Sequence[int],
    policy: Policy,
    *,
    pattern: str,
    playbook: str,
    content: str,
    watts: Mapping[str, float],
    out: Sequence[int] = (),
    simulated: bool = False,
) -> Blueprint:
    """Lay out a rollout over some machines.

    Args:
        roster: names and groups.
        rows: the chosen machines.
        policy: waves, budgets, gates.
        pattern: as it was asked for.
        playbook: that is run.
        content: hash of what is applied.
        watts: of a machine of each platform's group, at the meter.
        out: machines that are out of service already.
        simulated: the machines are simulated ones.
    """
    budgets = Budgets(roster, policy, out)
    times = policy.times
    planned = []
    for wave in waves_of(roster, rows, policy):
        batches = [len(batch) for batch in budgets.batches(wave.rows)]
        each = times.node + (times.reboot if policy.reboot else 0)
        power = sum(watts.get(roster.columns["platform"][row] or "", 0.0) for row in wave.rows)
        planned.append(
            PlannedWave(
                number=wave.number,
                canary=wave.canary,
                batches=len(batches),
                seconds=round(sum(math.ceil(size / times.at_once) * each for size in batches), 1),
                megawatts=round(power / 1e6, 4),
                hosts=tuple(roster.names[row] for row in wave.rows),
            )
        )
    key = hashlib.sha256(f"{pattern}\0{playbook}\0{content}\0{datetime.now(UTC)}".encode()).hexdigest()[:4]
    return Blueprint(
        id=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{key}",
        site=roster.site,
        pattern=pattern,
        playbook=playbook,
        content=content,
        simulated=simulated,
        policy=policy,
        waves=tuple(planned),
    )


def save(blueprint: Blueprint, path: Path) -> None:
    """Write a rollout's file for a person."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yamltext.dumps(blueprint.model_dump(mode="json"))
    write_whole(path, f"{HEAD}{text}", mode=0o644)


def read(path: Path) -> Blueprint:
    """Read a rollout's file.

    Raises:
        UserError: it is not there, or is no rollout.
    """
    try:
        value = yamltext.load(path)
        blueprint = Blueprint.model_validate(value)
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}", hint="make one with `gigasite apply … --plan`") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise UserError(
            f"{place}: {first['msg']}", where=str(path), hint="make it anew with `gigasite apply … --plan`"
        ) from error
    except Exception as error:
        raise UserError(f"it is no YAML: {error}", where=str(path)) from error
    twice = (
        [host for host in set(blueprint.hosts) if blueprint.hosts.count(host) > 1]
        if len(set(blueprint.hosts)) < len(blueprint.hosts)
        else []
    )
    if twice:
        raise UserError(f"{min(twice)} is in two waves", where=str(path), hint="take it out of one")
    return blueprint
