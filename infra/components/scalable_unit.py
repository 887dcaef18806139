"""A scalable unit: a row of racks with the feeds and coolant distribution units that serve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.components.hardware import Records, stand_in, tray_args
from infra.components.resources.compute import Rack, RackArgs
from infra.components.resources.cooling import Cdu, CduArgs
from infra.components.resources.power import Feed, FeedArgs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.plan.tables.machines import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalableUnitArgs:
    """Inputs of a scalable unit.

    Attributes:
        racks: rack name → its trays.
        feeds: power feeds of the row.
        cdus: coolant distribution units of the row.
    """

    racks: Mapping[str, Sequence[Machine]]
    feeds: Sequence[FeedArgs] = ()
    cdus: Sequence[CduArgs] = ()


class ScalableUnit(pulumi.ComponentResource):
    """A row of racks. Racks get power after what feeds and cools them."""

    records: Records
    """Entries of its machines for the output `machines` of the stack."""

    def __init__(self, name: str, args: ScalableUnitArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite:site:ScalableUnit", name, None, opts)
        self.records = Records()
        child = pulumi.ResourceOptions(parent=self)
        supply: list[pulumi.Resource] = [Feed(str(feed.name), feed, child) for feed in args.feeds]
        supply += [Cdu(str(cdu.name), cdu, child) for cdu in args.cdus]
        for rack_name, trays in args.racks.items():
            under = {tray.name: stand_in(tray, self) for tray in trays}
            rack = Rack(
                rack_name,
                RackArgs(
                    name=rack_name, trays={tray.name: tray_args(tray, under[tray.name]) for tray in trays}
                ),
                pulumi.ResourceOptions(parent=self, depends_on=supply),
            )
            self.records.add({tray.name: (tray, under[tray.name]) for tray in trays}, rack.machines, dict)
        self.register_outputs({"racks": list(args.racks)})
