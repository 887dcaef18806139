"""Ports on this host of each stand-in, from its own place: no two share one, and none counts its neighbours.

`limit` numbers are dealt out: the first half to trays, pod by pod, a quarter to servers, a quarter to
switches (those in pods from its beginning, those above pods from its end). A machine's number gives its BMC's
and its ssh's TCP port. Each end of a cable receives on a UDP port of its own machine, so moving a cable from
one machine to another never makes one wait for the other to let go of a port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.tables import switching
from infra.plan.tables.links import port_names
from infra.spec import rooms, tiers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.plan.tables.geometry import Geometry
    from infra.plan.tables.switching import TierFrame
    from infra.spec.services import StandIns

HOST_CABLES = 8
"""Cables that a tray or server has ports for."""
SWITCH_CABLES = 24
"""Cables that a switch has ports for: QEMU's q35 machine takes this many network interfaces."""
PORTS_EACH = 12
"""UDP ports laid out for each number: ¾ of the numbers have `HOST_CABLES`, ¼ has `SWITCH_CABLES`."""


class HostPorts:
    """Ports of all stand-ins of a site.

    Args:
        stand_ins: the site's declaration of them.
        geometry: of the site.
    """

    def __init__(self, stand_ins: StandIns, geometry: Geometry) -> None:
        self.base, self.limit, self.geometry = stand_ins.port_base, stand_ins.limit, geometry
        self._servers, self._switches = self.limit // 2, self.limit * 3 // 4
        self.pod_trays = geometry.sus * geometry.racks * max(form.capacity for form in geometry.forms)
        self._starts, self.pod_switches = _seats(geometry, switching.INSIDE)
        self._above, self.site_switches = _seats(geometry, ("hall", "building", "site"))

    def tray(self, pod: int, node: int) -> int:
        """Number of a tray, by its pod and its position in it (see `positions.nodes`)."""
        return pod * self.pod_trays + node

    def server(self, place: int) -> int:
        """Number of a server, by its place (see `positions.servers`): those of pods come from the end."""
        return (self._switches if place < 0 else self._servers) + place

    def switches(self, frames: Iterable[TierFrame]) -> Iterator[tuple[str, int, dict[str, int]]]:
        """Name, number and ports (name → index) of the switches of data fabrics in some tiers."""
        for tier in frames:
            key = tier.tier.name
            if key not in self._starts and key not in self._above:
                continue
            ports = {name: index for index, name in enumerate(port_names(tier))}
            inside, each = key in self._starts, rooms.room(tier.tier.per_block)
            size = self.geometry.room_of(tier.tier.per) if inside else 0
            for name, block, ordinal in tier.frame.select("name", "block", "ordinal").iter_rows():
                if inside:
                    pod, local = divmod(block, size)
                    seat = self._starts[key] + local * each + ordinal
                    yield name, self._switches + pod * self.pod_switches + seat, ports
                else:
                    seat = self._above[key] + block * each + ordinal
                    yield name, self.limit - 1 - seat, ports

    def bmc(self, number: int) -> int:
        """TCP port of a machine's BMC."""
        return self.base + number

    def ssh(self, number: int) -> int:
        """TCP port that leads to a machine's ssh."""
        return self.base + self.limit + number

    def cable(self, number: int, index: int) -> int:
        """UDP port on which a machine receives what comes through one of its cables."""
        if number < self._switches:
            return self.base + number * HOST_CABLES + index
        first = self.base + self._switches * HOST_CABLES
        return first + (number - self._switches) * SWITCH_CABLES + index

    def needed(self) -> int:
        """The least `limit` under which every machine has a number."""
        site = self.geometry.site
        servers = rooms.all_places(site.servers, site.layout.pods)
        switches = site.layout.pods * self.pod_switches + self.site_switches
        return max(2 * site.layout.pods * self.pod_trays, 4 * servers, 4 * switches)


def _seats(geometry: Geometry, levels: tuple[str, ...]) -> tuple[dict[str, int], int]:
    """First seat of each tier, by name, of these levels, and seats in all; each block has room for more."""
    layout, found, start = geometry.site.layout, {}, 0
    for tier in geometry.every_tier:
        if tier.per in levels and tier.kind != "out-of-band":
            found[tier.name] = start
            inside = tier.per in switching.INSIDE
            blocks = geometry.room_of(tier.per) if inside else tiers.blocks_within(layout, tier.per, "site")
            start += blocks * rooms.room(tier.per_block)
    return found, start
