"""Which pods get power together: as many as the grid connection's ramp limit lets rise in one minute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from infra.plan import Plan


@dataclass(frozen=True, slots=True)
class Wave:
    """Pods that are made together.

    Attributes:
        pods: their names.
        watts: what they draw at the facility's meter when all is on.
        minutes: time that the ramp limit asks for this rise; 0 without a limit.
    """

    pods: tuple[str, ...]
    watts: float
    minutes: int


def waves(planned: Plan, pods: Container[str] = ()) -> tuple[Wave, ...]:
    """A site's pods (only some, if `pods` names them) in waves; one wave if no ramp limit is declared.

    A pod is never split: one that rises by more than the limit in a minute takes several.
    """
    grid = planned.site.grid
    rows = planned.power.filter(planned.power["level"] == "pod")
    # Where no PUE is declared, IT power is all that is known.
    drawn = rows["facility_w"].fill_null(rows["it_w"])
    watts = dict(zip(rows["name"].to_list(), drawn.to_list(), strict=True))
    chosen = [pod for pod in planned.pods if not pods or pod in pods]
    return _waves(chosen, watts, grid.ramp if grid else None)


def _waves(pods: Sequence[str], watts: Mapping[str, float], ramp: float | None) -> tuple[Wave, ...]:
    """Fill each wave up to the limit.

    Args:
        pods: names, in order.
        watts: of each.
        ramp: W per minute; None without a limit.
    """
    if ramp is None:
        return (Wave(tuple(pods), sum(watts[pod] for pod in pods), 0),) if pods else ()
    filled: list[list[str]] = []
    total = math.inf
    for pod in pods:
        if total + watts[pod] > ramp:
            filled.append([])
            total = 0.0
        filled[-1].append(pod)
        total += watts[pod]
    return tuple(
        Wave(tuple(wave), power, max(1, math.ceil(power / ramp)))
        for wave in filled
        for power in [sum(watts[pod] for pod in wave)]
    )
