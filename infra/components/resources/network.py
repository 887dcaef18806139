"""The package's module `network`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.components.arguments import properties
from infra.components.resources.machines import ServerArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchArgs(ServerArgs):
    """Declared inputs of one switch.

    Attributes:
        configuration: text of its configuration by file, for a switch that a driver reaches: FRR over ssh. A
            change is put in place by commit-confirm.
    """

    configuration: Mapping[str, pulumi.Input[str]] | None = None


class Switch(pulumi.CustomResource):
    """A switch with a management controller (a whitebox switch, or a stand-in), powered through it.

    A changed configuration is put in place with a timer that goes back, and kept once the controller has come
    in again.

    Attributes:
        machine: what the machine says about itself: serial, uuid, power_state, model, bmc_url, driver.
        simulated: true if no machine stands behind this, only a simulation.
        configured: how its configuration came into force: `role` with the step that configures machines,
            `confirmed` by commit-confirm, `none` where no driver reaches it.
    """

    machine: pulumi.Output[dict[str, str]]
    simulated: pulumi.Output[bool]
    configured: pulumi.Output[str]

    def __init__(self, name: str, args: SwitchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["machine", "simulated", "configured"])
        super().__init__("gigasite:network:Switch", name, {**properties(args), **outputs}, opts)
