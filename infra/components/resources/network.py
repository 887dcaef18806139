"""The package's module `network`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersArgs:
    """Declared members of a part of a fabric.

    Attributes:
        name: its name, unique in the fabric; a change replaces the resource.
        fabric: name of the fabric; a change replaces the resource.
        places: pods, scalable units and racks whose machines are in it.
    """

    name: pulumi.Input[str]
    fabric: pulumi.Input[str]
    places: Sequence[pulumi.Input[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionArgs(MembersArgs):
    """Declared inputs of a partition.

    Attributes:
        key: P_Key without its membership bit.
    """

    key: pulumi.Input[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantArgs(MembersArgs):
    """Declared inputs of a tenant.

    Attributes:
        vni: VXLAN network identifier of its VRF.
    """

    vni: pulumi.Input[int]


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


class Partition(pulumi.CustomResource):
    """A partition of an InfiniBand fabric, as it is declared.

    It is a record, by which a preview shows that one comes, changes or goes: what puts it into force is the
    subnet manager's `partitions.conf`, which `gigasite fabric prove --keep DIR` writes and a person carries
    to the manager. A refresh asks no device.
    """

    def __init__(self, name: str, args: PartitionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite:network:Partition", name, properties(args), opts)


class Tenant(pulumi.CustomResource):
    """A tenant of an Ethernet fabric, as it is declared.

    It is a record, by which a preview shows that one comes, changes or goes: what puts it into force is the
    configuration of the switches, which changes with it (`gigasite:network:Switch`). A refresh asks no
    device.
    """

    def __init__(self, name: str, args: TenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite:network:Tenant", name, properties(args), opts)
