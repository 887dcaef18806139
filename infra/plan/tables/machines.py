"""One machine of the plan, as everything downstream sees it: components, inventory, templates, checks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Role of a machine; also its Ansible group `role_ROLE`."""

    TRAY = "tray"
    STORAGE = "storage"
    MANAGEMENT = "management"
    SWITCH = "switch"


@dataclass(frozen=True, slots=True)
class Nic:
    """One data interface and the cable in it.

    Attributes:
        name: interface name in the operating system, for example `data0`.
        mac: lower-case with colons; locally administered for stand-ins.
        fabric: name of the fabric that it is in; its kind where no fabric serves it.
        rail: rail number on the east-west fabric, else None.
        gbit: nominal speed in Gbit/s.
        address: own address with prefix length, for example `10.64.0.1/31`; None if unnumbered.
        peer: (machine, interface) at the cable's other end; None if no cable is planned.
        peer_address: the other end's address without prefix length.
        udp: (local, remote) ports on 127.0.0.1 that carry this cable between stand-ins; None on real
        hardware.
        kind: what the fabric is for: `east-west`, `north-south` or `storage`.
    """

    name: str
    mac: str
    fabric: str
    rail: int | None
    gbit: int
    address: str | None
    peer: tuple[str, str] | None
    peer_address: str | None
    udp: tuple[int, int] | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Bmc:
    """A machine's management controller.

    Attributes:
        address: host name or IP address.
        port: TCP port of its Redfish service (TLS).
        credential: name of the credential, looked up in the site's local state, never a password.
        system: id of the machine's ComputerSystem; None where it is the only one.
        accelerators_at: id of the ComputerSystem that lists its accelerators; None for its own.
    """

    address: str
    port: int
    credential: str
    system: str | None = None
    accelerators_at: str | None = None

    @property
    def url(self) -> str:
        """The Redfish service's base URL."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class StandIn:
    """How a machine is stood in for by a VM: sizes, ssh port on 127.0.0.1, first start (fast, boot)."""

    vcpus: int
    memory_mib: int
    disk_gib: int
    ssh_port: int
    start: str = "fast"


@dataclass(frozen=True, slots=True)
class AcceleratorPlan:
    """Plan of each accelerator of a tray.

    Attributes:
        power_w: watts that it may draw: its own limit, or less where the rack is given less than its rating.
        driver: the declared version; None for any that its platform goes with.
        domain: loopbacks of the trays whose accelerators are in one NVLink domain with it, in order of slots;
            empty where its links leave no tray.
    """

    power_w: int
    driver: str | None = None
    domain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """One server, tray or switch.

    Attributes:
        name: unique in the site and a valid host name, for example `pod-01-su-01-rack-01-tray-01`.
        role: what it is for.
        site, pod, su, rack: where it belongs; None above its level.
        unit: rack unit (U) of its lower edge.
        slot: position in the rack among its kind, from 1; None if it is not a tray.
        platform: name of its catalog entry.
        uuid: SMBIOS UUID of its stand-in, made from site and name so that it never changes; hardware has one
            of its maker's.
        bmc: its management controller.
        management_address: address of the operating system on the out-of-band network.
        loopback: its own routed address without prefix length (storage clients mount by it), or None.
        nics: data interfaces in order.
        accelerators: number of accelerators.
        stand_in: None on real hardware.
        accelerator: the plan of each of its accelerators; None without any that the catalog knows.
    """

    name: str
    role: Role
    site: str
    pod: str | None
    su: str | None
    rack: str | None
    unit: int
    slot: int | None
    platform: str
    uuid: str
    bmc: Bmc
    management_address: str
    loopback: str | None
    nics: tuple[Nic, ...]
    accelerators: int
    stand_in: StandIn | None
    accelerator: AcceleratorPlan | None = None
