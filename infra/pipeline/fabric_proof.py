"""Proof of an InfiniBand fabric: OpenSM brings the planned cables up, and what it finds is judged."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.lab.subnet_manager import simulate
from infra.render.network.balance import balance, forwarding
from infra.render.network.cabling import compare
from infra.render.network.manager import manager_files, members_of
from infra.render.network.subnet import read_discovered, read_topology, subnet_of, topology

if TYPE_CHECKING:
    from infra.lab.subnet_manager import Simulator
    from infra.plan import Plan
    from infra.render.network.balance import Balance
    from infra.render.network.cabling import Cabling
    from infra.render.network.subnet import Discovered, Subnet

TIME_LIMIT = 900.0
"""Seconds for OpenSM's sweep; a pod of 9,216 adapters took 38 s on two busy cores."""
QOS_UP_TO = 1000
"""Adapters up to which service levels are set up too: each port pair of each switch is a packet of its own,
which took a simulated pod from one minute to three."""
ASKED = 24
"""Adapters of each partition, and of none, whose keys are asked for."""
EVEN = 1.5
"""The most loaded link may carry this many times the mean; with all links there, ftree is even."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Outcome.

    Attributes:
        name: `SITE.POD`.
        up: OpenSM said SUBNET UP.
        adapters, switches: that it found.
        planned_adapters, planned_switches: that the plan has.
        cabling: links found against links planned.
        routes: of its forwarding tables; None if it wrote none.
        partitions: keys that were asked for, and what is wrong with them.
        keys_asked: adapters whose keys were read.
        errors: of OpenSM's log.
        seconds: of OpenSM's sweep.
    """

    name: str
    up: bool
    adapters: int
    switches: int
    planned_adapters: int
    planned_switches: int
    cabling: Cabling
    routes: Balance | None
    partitions: tuple[str, ...]
    keys_asked: int
    errors: tuple[str, ...]
    seconds: float

    @property
    def unreachable(self) -> int:
        """Ordered pairs of planned adapters without a path."""
        every = self.planned_adapters * (self.planned_adapters - 1)
        return every - (self.routes.delivered if self.routes else 0)

    @property
    def holds(self) -> bool:
        """Whether the fabric is what the plan says, and every pair has its path."""
        return (
            self.up
            and self.adapters == self.planned_adapters
            and self.switches == self.planned_switches
            and not self.cabling.faults
            and not self.unreachable
            and not self.partitions
            and self.routes is not None
            and self.routes.worst <= EVEN
        )

    def data(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "fabric": self.name,
            "holds": self.holds,
            "subnet_up": self.up,
            "adapters": self.adapters,
            "adapters_planned": self.planned_adapters,
            "switches": self.switches,
            "switches_planned": self.planned_switches,
            "links": self.cabling.planned,
            "links_right": self.cabling.right,
            "links_missing": self.cabling.missing,
            "links_wrong": self.cabling.wrong,
            "faults": [asdict(fault) for fault in self.cabling.faults],
            "pairs_without_path": self.unreachable,
            "routes": asdict(self.routes) if self.routes else None,
            "partition_keys_asked": self.keys_asked,
            "partition_faults": list(self.partitions),
            "opensm_errors": list(self.errors),
            "opensm_seconds": round(self.seconds, 1),
            "proved_on": "emulated",
        }


def prove(plan: Plan, name: str, *, wired: Path | None = None, keep: Path | None = None) -> Proof:
    """Bring a pod's InfiniBand fabric up.

    Args:
        plan: of the pod.
        name: `SITE.POD`.
        wired: a topology file to bring up instead of the plan's cables.
        keep: folder for all files; by default they are gone afterwards.

    Raises:
        UserError: the pod has no such fabric, a program is missing, or the topology is refused.
    """
    planned = subnet_of(plan)
    text = wired.read_text(encoding="utf-8") if wired else topology(planned)
    there = read_topology(text, str(wired)) if wired else planned
    there = read_topology(text, str(wired)) if wired else planned
    # OpenSM runs on a switch, as managed ones can: on one of the top tier, if that is not what is missing.
    host = next(name for name in (*planned.roots, *there.switches) if name in there.switches)
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    with (
        nullcontext(str(keep.resolve())) if keep else tempfile.TemporaryDirectory(prefix="gigasite-") as path
    ):
        folder = Path(path)
        for old in ("opensm.log", "opensm-subnet.lst", "opensm-lfts.dump"):
            (folder / old).unlink(missing_ok=True)
        files = manager_files(plan, planned, name, f"{folder}/", qos=len(planned.adapters) <= QOS_UP_TO)
        with simulate(folder, text, files, host) as simulator:
            swept = simulator.sweep(TIME_LIMIT)
            found = read_discovered(swept.subnet)
            faults, asked = _keys(plan, planned, found, simulator)
        routes = balance(forwarding(swept.tables), found) if swept.tables else None
    return Proof(
        name=name,
        up=swept.up,
        adapters=len(found.adapters),
        switches=len(found.switches),
        planned_adapters=len(planned.adapters),
        planned_switches=len(planned.switches),
        cabling=compare(((a, z, None) for a, z in planned.cables), found.seen),
        routes=routes,
        partitions=faults,
        keys_asked=asked,
        errors=swept.errors,
        seconds=swept.seconds,
    )


def _keys(
    plan: Plan, planned: Subnet, found: Discovered, simulator: Simulator
) -> tuple[tuple[str, ...], int]:
    """List errors in the partition keys of some adapters, and count the adapters asked."""
    wanted = members_of(plan, planned)
    if not wanted:
        return (), 0
    taken = {member for _, members in wanted.values() for member in members}
    asked = [name for name in planned.adapters if name not in taken][:ASKED]
    for _, members in wanted.values():
        asked += members[: ASKED // 2] + members[-(ASKED // 2) :]
    faults = []
    asked = [name for name in dict.fromkeys(asked) if name in found.lids]
    for name in asked:
        keys = {key & 0x7FFF for key in simulator.keys_of(found.lids[name]) if key != 0x7FFF}
        due = {key for key, members in wanted.values() if name in members}
        if keys != due:
            told = ", ".join(f"0x{key:04x}" for key in sorted(keys)) or "none"
            wish = ", ".join(f"0x{key:04x}" for key in sorted(due)) or "none"
            faults.append(f"{name} has the keys {told}, planned {wish}")
    return tuple(faults), len(asked)
