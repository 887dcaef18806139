"""A network fabric: its switches, tier by tier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from infra.components.hardware import Records, stand_in, switch_args
from infra.components.resources.network import Switch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.plan.tables.machines import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricArgs:
    """Inputs of a fabric in one stack.

    Attributes:
        switches: its switches.
        configurations: text by file, by name, of the switches that a driver configures.
    """

    switches: Sequence[Machine]
    configurations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Fabric(pulumi.ComponentResource):
    """The switches of one fabric (`east-west`, `north-south`) that belong to a pod or to the site's core."""

    records: Records
    """Entries of its machines for the output `machines` of the stack."""

    def __init__(self, name: str, args: FabricArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite:network:Fabric", name, None, opts)
        self.records = Records()
        for switch in args.switches:
            under = stand_in(switch, self)
            declared = switch_args(switch, under, args.configurations.get(switch.name))
            made = Switch(switch.name, declared, pulumi.ResourceOptions(parent=self))
            self.records.add_one(switch, under, made.machine)
        self.register_outputs({"switches": len(args.switches)})
