"""The package's module `compute`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.components.arguments import properties
from infra.components.resources.machines import MachineArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class TrayArgs(MachineArgs):
    """Declared inputs of one tray.

    Attributes:
        slot: position among the rack's trays, from 1.
    """

    slot: pulumi.Input[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RackArgs:
    """Declared inputs of one rack.

    Attributes:
        name: name of the rack, unique in the site; a change replaces the resource.
        trays: trays by host name.
    """

    name: pulumi.Input[str]
    trays: Mapping[str, TrayArgs]


class Rack(pulumi.CustomResource):
    """A rack: its trays are inspected and powered through their management controllers, all at once.

    Attributes:
        machines: by tray, what it says about itself: serial, uuid, power_state, model, bmc_url, driver.
        simulated: true if no machines stand behind this, only a simulation.
    """

    machines: pulumi.Output[dict[str, dict[str, str]]]
    simulated: pulumi.Output[bool]

    def __init__(self, name: str, args: RackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["machines", "simulated"])
        super().__init__("gigasite:compute:Rack", name, {**properties(args), **outputs}, opts)
