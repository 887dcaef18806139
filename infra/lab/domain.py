"""A stand-in's libvirt domain as XML; pure text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from infra.lab.accel import Kind
from infra.lab.seed import FIRST_DATA_SLOT, MANAGEMENT_MAC, MANAGEMENT_SLOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from infra.lab.spec import Cable

NAMESPACE = "https://gigasite.invalid/lab/1"
"""Of our element in a domain's metadata; a name, not an address (RFC 2606)."""
QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
MAX_NICS = 24
"""PCI slots 0x08 to 0x1f."""
_DISK_SLOT, _SEED_SLOT, _RNG_SLOT = 0x04, 0x05, 0x06
_TB_CACHE_MIB = 96
"""Translation cache under TCG: 350-400 MB a machine instead of 850 with QEMU's default."""

ET.register_namespace("gigasite", NAMESPACE)
ET.register_namespace("qemu", QEMU_NAMESPACE)


@dataclass(frozen=True, slots=True)
class Domain:
    """Everything in a stand-in's domain.

    Attributes:
        name: domain name.
        uuid: of the domain and in SMBIOS.
        hostname: for the kernel's command line, and the SMBIOS serial number.
        owner_id: whose it is.
        memory_mib: guest memory in MiB.
        vcpus: virtual processors.
        acceleration: KVM or TCG.
        kernel: for direct kernel boot.
        initrd: goes with it.
        disk: qcow2 overlay.
        seed: raw seed disk.
        console: log file of the serial console.
        ssh_port: forwarded to the guest's port 22; None for a template, which nobody may meet.
        nics: data interfaces.
        root: run QEMU as root and leave owners of files alone, for libvirt as root.
    """

    name: str
    uuid: str
    hostname: str
    owner_id: str
    memory_mib: int
    vcpus: int
    acceleration: Kind
    kernel: Path
    initrd: Path
    disk: Path
    seed: Path
    console: Path
    ssh_port: int | None
    nics: Sequence[Cable]
    root: bool


def domain_xml(domain: Domain) -> str:
    """The domain's XML."""
    kvm = domain.acceleration is Kind.KVM
    top = ET.Element("domain", type="kvm" if kvm else "qemu")
    _text(top, "name", domain.name)
    _text(top, "uuid", domain.uuid)
    # libvirt gives every restored copy a new generation id: the guest reseeds its random numbers and wakes
    # the service that makes the copy its own machine.
    ET.SubElement(top, "genid")
    mark = ET.SubElement(ET.SubElement(top, "metadata"), f"{{{NAMESPACE}}}standin")
    mark.set("owner", domain.owner_id)
    mark.set("machine", domain.hostname)
    _text(top, "memory", str(domain.memory_mib), unit="MiB")
    _text(top, "vcpu", str(domain.vcpus))
    _add_system(top, domain)
    features = ET.SubElement(top, "features")
    ET.SubElement(features, "acpi")
    if not kvm:
        _text(ET.SubElement(features, "tcg"), "tb-cache", str(_TB_CACHE_MIB), unit="MiB")
    _add_cpu(top, kvm=kvm)
    ET.SubElement(top, "clock", offset="utc")
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        _text(top, f"on_{event}", action)
    _add_devices(top, domain)
    if domain.root:
        # libvirt as root would run QEMU as another user, which cannot reach a checkout under /root, and would
        # give it our files.
        label = ET.SubElement(top, "seclabel", type="static", model="dac", relabel="no")
        _text(label, "label", "+0:+0")
    _add_management(top, domain.ssh_port)
    ET.indent(top)
    return ET.tostring(top, encoding="unicode")


def parse(xml: str) -> ET.Element:
    """The tree of a domain's XML."""
    return ET.fromstring(xml)  # noqa: S314 (it comes from libvirt or from here)


def owner_of(xml: str) -> str | None:
    """Whose a domain is, from its XML; None if it is not a stand-in."""
    mark = parse(xml).find(f"metadata/{{{NAMESPACE}}}standin")
    return None if mark is None else mark.get("owner")


def machine_of(xml: str) -> str | None:
    """The machine that a domain stands in for; None if it is not a stand-in."""
    mark = parse(xml).find(f"metadata/{{{NAMESPACE}}}standin")
    return None if mark is None else mark.get("machine")


def _add_system(top: ET.Element, domain: Domain) -> None:
    sysinfo = ET.SubElement(top, "sysinfo", type="smbios")
    system = ET.SubElement(sysinfo, "system")
    for name, value in (
        ("manufacturer", "gigasite"), ("product", "stand-in"), ("serial", domain.hostname),
        ("uuid", domain.uuid),
    ):  # fmt: skip
        _text(system, "entry", value, name=name)
    system = ET.SubElement(top, "os")
    _text(system, "type", "hvm", arch="x86_64", machine="pc")
    _text(system, "kernel", str(domain.kernel))
    _text(system, "initrd", str(domain.initrd))
    # no_timer_check: a busy computer starves QEMU for so long that the kernel finds its timer broken.
    words = (
        "root=/dev/vda rw console=ttyS0 loglevel=4 net.ifnames=0 mitigations=off nowatchdog no_timer_check",
        "random.trust_cpu=on systemd.show_status=false",
        f"systemd.machine_id={domain.uuid.replace('-', '')} systemd.hostname={domain.hostname}",
    )
    _text(system, "cmdline", " ".join(words))
    ET.SubElement(system, "boot", dev="hd")
    ET.SubElement(system, "smbios", mode="sysinfo")


def _add_cpu(top: ET.Element, *, kvm: bool) -> None:
    if kvm:
        ET.SubElement(top, "cpu", mode="host-passthrough", migratable="on")
        return
    cpu = ET.SubElement(top, "cpu", mode="custom", match="exact", check="none")
    _text(cpu, "model", "Nehalem", fallback="forbid")
    # QEMU 7.2 emulates cmpxchg16b wrongly: Debian 13 died in 3 of 8 boots, without it in none of 6.
    ET.SubElement(cpu, "feature", policy="disable", name="cx16")


def _add_devices(top: ET.Element, domain: Domain) -> None:
    devices = ET.SubElement(top, "devices")
    ET.SubElement(devices, "controller", type="usb", model="none")
    # Unsafe: a disk is thrown away with its machine; only a crash of the host itself would lose writes.
    _add_disk(devices, domain.disk, "vda", "qcow2", _DISK_SLOT, cache="unsafe")
    _add_disk(devices, domain.seed, "vdb", "raw", _SEED_SLOT, cache="none")
    for place, nic in enumerate(domain.nics):
        _add_cable(devices, nic, FIRST_DATA_SLOT + place)
    serial = ET.SubElement(devices, "serial", type="file")
    ET.SubElement(serial, "source", path=str(domain.console), append="on")
    ET.SubElement(serial, "target", type="isa-serial", port="0")
    ET.SubElement(devices, "memballoon", model="none")
    random = ET.SubElement(devices, "rng", model="virtio")
    _text(random, "backend", "/dev/urandom", model="random")
    _add_slot(random, _RNG_SLOT)


def _add_disk(devices: ET.Element, path: Path, target: str, kind: str, slot: int, *, cache: str) -> None:
    disk = ET.SubElement(devices, "disk", type="file", device="disk")
    ET.SubElement(disk, "driver", name="qemu", type=kind, cache=cache)
    ET.SubElement(disk, "source", file=str(path))
    ET.SubElement(disk, "target", dev=target, bus="virtio")
    if kind == "raw":
        ET.SubElement(disk, "readonly")
    _add_slot(disk, slot)


def _add_cable(devices: ET.Element, nic: Cable, slot: int) -> None:
    interface = ET.SubElement(devices, "interface", type="udp")
    ET.SubElement(interface, "mac", address=nic.mac)
    source = ET.SubElement(interface, "source", address="127.0.0.1", port=str(nic.udp_remote))
    ET.SubElement(source, "local", address="127.0.0.1", port=str(nic.udp_local))
    ET.SubElement(interface, "model", type="virtio")
    ET.SubElement(interface, "rom", enabled="no")
    ET.SubElement(interface, "alias", name=f"ua-{nic.name}")
    _add_slot(interface, slot)


def _add_management(top: ET.Element, ssh_port: int | None) -> None:
    # libvirt has no words for restrict and hostfwd of QEMU's user network.
    forward = f",hostfwd=tcp:127.0.0.1:{ssh_port}-:22" if ssh_port is not None else ""
    device = f"virtio-net-pci,netdev=mgmt,id=mgmt0,mac={MANAGEMENT_MAC},bus=pci.0,addr={MANAGEMENT_SLOT:#x}"
    line = ET.SubElement(top, f"{{{QEMU_NAMESPACE}}}commandline")
    for word in ("-netdev", f"user,id=mgmt,restrict=on{forward}", "-device", f"{device},romfile="):
        ET.SubElement(line, f"{{{QEMU_NAMESPACE}}}arg", value=word)


def _add_slot(device: ET.Element, slot: int) -> None:
    ET.SubElement(
        device, "address", type="pci", domain="0x0000", bus="0x00", slot=f"{slot:#04x}", function="0x0"
    )


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element
