"""A network fabric: its switches, tier by tier, and what keeps its tenants apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from infra.components.hardware import Records, stand_in, switch_args
from infra.components.resources.network import Partition, Switch, Tenant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.components.resources.network import PartitionArgs, TenantArgs
    from infra.plan.tables.machines import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricArgs:
    """Inputs of a fabric in one stack.

    Attributes:
        switches: its switches.
        configurations: text by file, by name, of the switches that a driver configures.
        partitions, tenants: as they are declared; in the site's own stack.
    """

    switches: Sequence[Machine] = ()
    configurations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    partitions: Sequence[PartitionArgs] = ()
    tenants: Sequence[TenantArgs] = ()


class Fabric(pulumi.ComponentResource):
    """The switches of one fabric (`east-west`, `north-south`) that belong to a pod or to the site's core.

    In the site's own stack it holds the fabric's partitions and tenants too, which reach over pods.
    """

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
        child = pulumi.ResourceOptions(parent=self)
        for partition in args.partitions:
            Partition(f"{name}-{partition.name}", partition, child)
        for tenant in args.tenants:
            Tenant(f"{name}-{tenant.name}", tenant, child)
        self.register_outputs({"switches": len(args.switches)})
