"""Groups of machines by what was seen of them, not by the plan: `cordoned` and `health_…`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from infra import paths
from infra.rollout import cordon
from infra.state_files import damage_error, read_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.rollout.inventory.roster import Roster

HEALTH = ("health_ok", "health_failed", "health_unknown")


class Observed(Mapping[str, "Sequence[int]"]):
    """Rows by group: `cordoned`, `health_ok`, `health_failed`, `health_unknown`.

    A machine's health is what the checks of the site's latest verification said: failed if one of its checks
    failed or could not be done, unknown if none was asked of it. A damaged file of theirs is an error
    (`UserError`) only where a group of health is asked for.

    Args:
        roster: names and groups.
        fleet: `SITE/simulated` for the simulated machines, which nobody verifies.
    """

    def __init__(self, roster: Roster, fleet: str = "") -> None:
        self._roster, self._fleet = roster, fleet
        out = (roster.rows.get(name) for name in cordon.read_cordoned_names(fleet or roster.site))
        self._out = sorted(row for row in out if row is not None)

    @cached_property
    def _by_health(self) -> dict[str, list[int]]:
        health = {} if self._fleet else _health(self._roster.site)
        found: dict[str, list[int]] = {group: [] for group in HEALTH}
        for row, name in enumerate(self._roster.names):
            found[health.get(name, "health_unknown")].append(row)
        return found

    def __getitem__(self, group: str) -> Sequence[int]:
        return self._out if group == "cordoned" else self._by_health[group]

    def __contains__(self, group: object) -> bool:
        return group == "cordoned" or group in HEALTH

    def __iter__(self) -> Iterator[str]:
        yield from ("cordoned", *HEALTH)

    def __len__(self) -> int:
        return 1 + len(HEALTH)


def _health(site: str) -> dict[str, str]:
    """Health by machine that was verified."""
    file = paths.out(site) / "verify.json"
    hint = f"run `gigasite verify {site}` again"
    data = read_object(file, hint)
    found: dict[str, str] = {}
    try:
        for check in (data or {"checks": ()})["checks"]:
            name, outcome = check["machine"], check["outcome"]
            if name and outcome != "skipped" and found.get(name) != "health_failed":
                found[name] = "health_ok" if outcome == "passed" else "health_failed"
    except (KeyError, TypeError) as error:
        raise damage_error(file, f"this is no list of checks ({error})", hint) from error
    return found
