"""A network fabric: its switches, tier by tier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.components.hardware import Records, server_args, stand_in
from infra.components.resources import Switch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.tables.machines import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricArgs:
    """What a fabric is made of in one stack."""

    switches: Sequence[Machine]


class Fabric(pulumi.ComponentResource):
    """The switches of one fabric (`east-west`, `north-south`) that belong to a pod or to the site's core."""

    records: Records
    """Entries of its machines for the output `machines` of the stack."""

    def __init__(self, name: str, args: FabricArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite:network:Fabric", name, None, opts)
        self.records = Records()
        for switch in args.switches:
            under = stand_in(switch, self)
            made = Switch(switch.name, server_args(switch, under), pulumi.ResourceOptions(parent=self))
            self.records.add_one(switch, under, made.machine)
        self.register_outputs({"switches": len(args.switches)})
