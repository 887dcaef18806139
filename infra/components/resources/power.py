"""The package's module `power`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.components.arguments import properties
from infra.components.resources.facility import DeviceArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedArgs(DeviceArgs):
    """Declared inputs of one feed.

    Attributes:
        capacity_kw: rated power in kW.
        load_kw: planned load in kW.
        energised: whether it is switched on.
    """

    capacity_kw: pulumi.Input[float]
    load_kw: pulumi.Input[float] | None = None
    energised: pulumi.Input[bool] | None = None


class Feed(pulumi.CustomResource):
    """A power feed of a row or a rack.

    Attributes:
        serial: serial number, as the device reports it.
        simulated: true if no device stands behind this, only a simulation.
    """

    serial: pulumi.Output[str]
    simulated: pulumi.Output[bool]

    def __init__(self, name: str, args: FeedArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["serial", "simulated"])
        super().__init__("gigasite:power:Feed", name, {**properties(args), **outputs}, opts)
