"""A pod: its scalable units and the part of each fabric that it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from infra.components.hardware import Records  # noqa: TC001 (Pulumi reads the annotation)
from infra.components.scalable_unit import ScalableUnit, ScalableUnitArgs
from infra.components.servers import declare_servers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.components.fabric import FabricArgs
    from infra.components.storage_tier import StorageTierArgs
    from infra.plan.tables.machines import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class PodArgs:
    """Inputs of a pod.

    Attributes:
        units: scalable unit name → its parts.
        fabrics: fabric name → its switches in this pod.
        management: management servers of the pod.
        storage: storage tier name → its servers in this pod.
    """

    units: Mapping[str, ScalableUnitArgs]
    fabrics: Mapping[str, FabricArgs]
    management: Sequence[Machine] = ()
    storage: Mapping[str, StorageTierArgs] = field(default_factory=dict)


class Pod(pulumi.ComponentResource):
    """A pod of a site."""

    records: Records
    """Entries of its machines for the output `machines` of the stack."""

    def __init__(self, name: str, args: PodArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite:site:Pod", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.records = declare_servers(name, args, self)
        for unit, unit_args in args.units.items():
            self.records.include(ScalableUnit(unit, unit_args, child).records)
        self.register_outputs({"units": list(args.units), "fabrics": list(args.fabrics)})
