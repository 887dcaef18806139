"""The package's module `machines`, made by `python -m infra.provider.generate`; do not edit."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, slots=True, kw_only=True)
class BmcArgs:
    """A management controller that speaks Redfish over TLS.

    Attributes:
        address: host name or IP address.
        port: TCP port of the Redfish service.
        credential: name of the credential in the site's credentials.yaml, never the secret.
        system: id of the machine's ComputerSystem, where the controller shows more than one.
        accelerators_at: id of the ComputerSystem that lists the machine's accelerators, if it is not its own.
    """

    address: pulumi.Input[str]
    port: pulumi.Input[int] | None = None
    credential: pulumi.Input[str]
    system: pulumi.Input[str] | None = None
    accelerators_at: pulumi.Input[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineArgs:
    """Declared inputs of one computer.

    Attributes:
        platform: name of its catalog entry.
        bmc: its management controller.
        uuid: SMBIOS UUID that it must have.
        power: power state wanted (on, off).
        accelerators: accelerators that it must have.
        boot: device to boot from once, at the power-on that follows (disk, network, http, cd).
        hardware: identity of what is under it (a stand-in's definition, a chassis serial): when it changes,
            the machine is converged anew.
        on_delete: `off` powers it off when the resource is deleted, `leave` does not touch it (off, leave).
        shutdown: `graceful` asks its operating system first, `force` does not (graceful, force).
    """

    platform: pulumi.Input[str]
    bmc: BmcArgs
    uuid: pulumi.Input[str] | None = None
    power: pulumi.Input[str] | None = None
    accelerators: pulumi.Input[int] | None = None
    boot: pulumi.Input[str] | None = None
    hardware: pulumi.Input[str] | None = None
    on_delete: pulumi.Input[str] | None = None
    shutdown: pulumi.Input[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerArgs(MachineArgs):
    """Declared inputs of one server or switch.

    Attributes:
        name: host name; a change replaces the resource.
    """

    name: pulumi.Input[str]
