"""The package's module `management`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

import pulumi

from infra.components.arguments import properties
from infra.components.resources.machines import ServerArgs


class ManagementServer(pulumi.CustomResource):
    """A management (head) node, powered through its management controller.

    Attributes:
        machine: what the machine says about itself: serial, uuid, power_state, model, bmc_url, driver.
        simulated: true if no machine stands behind this, only a simulation.
    """

    machine: pulumi.Output[dict[str, str]]
    simulated: pulumi.Output[bool]

    def __init__(self, name: str, args: ServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(["machine", "simulated"])
        super().__init__("gigasite:management:Server", name, {**properties(args), **outputs}, opts)
