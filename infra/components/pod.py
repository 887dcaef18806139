"""A pod: its scalable units and the part of each fabric that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.fabric import Fabric, FabricArgs
from infra.components.scalable_unit import ScalableUnit, ScalableUnitArgs

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class PodArgs:
    """What a pod is made of.

    Attributes:
        units: scalable unit name → its parts.
        fabrics: fabric name → its switches in this pod.
    """

    units: Mapping[str, ScalableUnitArgs]
    fabrics: Mapping[str, FabricArgs]


class Pod(pulumi.ComponentResource):
    """A pod of a site."""

    machines: Mapping[str, pulumi.Output[dict[str, Any]]]
    """Host name → output record, for all of the pod's machines."""

    def __init__(self, name: str, args: PodArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite:site:Pod", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        machines: dict[str, pulumi.Output[dict[str, Any]]] = {}
        for fabric, fabric_args in args.fabrics.items():
            machines |= Fabric(f"{name}-{fabric}", fabric_args, child).machines
        for unit, unit_args in args.units.items():
            machines |= ScalableUnit(unit, unit_args, child).machines
        self.machines = machines
        self.register_outputs({"units": list(args.units), "fabrics": list(args.fabrics)})
