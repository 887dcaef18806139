"""Stand-in machines: define them powered off, look at them, remove them with all that they left."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from infra.errors import UserError
from infra.files import hold_lock, write_whole
from infra.lab import accel, disks, identity, others, session
from infra.lab.accelerator.inventory import inventory_text
from infra.lab.domain import MAX_NICS, NAMESPACE, Domain, domain_xml, machine_of, owner_of, parse
from infra.lab.image import DISK_GIB, Image
from infra.lab.seed import seed
from infra.lab.session import libvirt
from infra.lab.spec import Cable, MachineSpec, Start, domain_name, owner_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "Cable",
    "MachineSpec",
    "Power",
    "Start",
    "Status",
    "define",
    "last_start",
    "machines",
    "status",
    "undefine",
]


class Power(StrEnum):
    """A machine's power state, in Redfish's words."""

    ON = "On"
    OFF = "Off"


@dataclass(frozen=True, slots=True)
class Status:
    """A stand-in as libvirt has it now.

    Attributes:
        name: the machine's name.
        domain: the libvirt domain's name.
        uuid: SMBIOS UUID.
        owner_id: whose it is.
        power: on or off.
        inputs: hash of what it was defined from.
    """

    name: str
    domain: str
    uuid: str
    owner_id: str
    power: Power
    inputs: str


def define(
    spec: MachineSpec,
    image: Image,
    *,
    acceleration: accel.Acceleration | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Status:
    """Make a stand-in, powered off; if it exists, only what differs is changed, at its next power on.

    Its keys and password are made too. Its disk, once made, is never replaced.

    Args:
        spec: what to make.
        image: what its disk starts as.
        acceleration: what QEMU runs it on, or None to find out.
        progress: told in words what happens.

    Raises:
        UserError: a port is in use, a name or UUID is somebody else's, or the sizes do not fit.
    """
    _check(spec)
    how = (acceleration or accel.probe(image.kernel, progress)).kind
    with hold_lock(spec.state_dir / "locks" / f"{spec.name}.lock"):
        connection = session.connect()
        found = _find(connection, spec)
        if found is None or not found.isActive():
            others.require_free(connection, spec, progress)
        keys = identity.ensure_identity(spec.state_dir, [spec.name])
        identity.trust_host(keys, spec.name, spec.ssh_port)
        _write_seed(spec, keys)
        image = disks.image_of(spec, image)
        xml = domain_xml(_domain(spec, image, how))
        inputs = hashlib.sha256(xml.encode()).hexdigest()[:16]
        changed = found is None or _inputs(found.XMLDesc()) != inputs
        if changed:
            progress(f"{spec.name}: defining the machine")
            # Without the hash: a command that is killed before the disk is there shall come here again.
            _define_xml(connection, spec, xml)
        if changed or not disks.exists(spec):
            disks.ensure_disk(spec, image, how, _full_xml(connection, spec), progress)
            _define_xml(connection, spec, _with_inputs(xml, inputs))
        return _require_status(spec)


def undefine(state_dir: Path, name: str, owner: str) -> bool:
    """Remove a stand-in and all files that it left, at once and without a clean shutdown.

    Args:
        state_dir: the site's local state.
        name: the machine's name.
        owner: who must own it.

    Returns:
        Whether there was anything to remove.

    Raises:
        UserError: the domain of that name is somebody else's.
    """
    with hold_lock(state_dir / "locks" / f"{name}.lock"):
        connection = session.connect()
        domain = _lookup(connection, domain_name(state_dir, name))
        if domain is not None:
            holder = owner_of(domain.XMLDesc())
            if holder != owner_id(state_dir, owner):
                raise UserError(
                    f"machine {domain.name()} belongs to {holder or 'somebody else'} and stays", where=name
                )
            session.remove_domain(domain)
        folder = state_dir / "machines" / name
        disks.remove_saved(folder)
        existed = domain is not None or folder.exists()
        shutil.rmtree(folder, ignore_errors=True)
        identity.forget_machine(identity.Identity(state_dir), name)
    (state_dir / "locks" / f"{name}.lock").unlink(missing_ok=True)
    return existed


def status(state_dir: Path, name: str) -> Status | None:
    """A stand-in's status; None if it is not defined (or not by us)."""
    domain = _lookup(session.connect(), domain_name(state_dir, name))
    return None if domain is None else _status(domain)


def last_start(state_dir: Path, name: str) -> Start | None:
    """How a machine came up the last time: booted, or from a template's memory; None while it is off."""
    domain = _lookup(session.connect(), domain_name(state_dir, name))
    if domain is None or not domain.isActive():
        return None
    _, reason = domain.state()
    return Start.FAST if reason == libvirt.VIR_DOMAIN_RUNNING_RESTORED else Start.BOOT


def machines(state_dir: Path) -> tuple[Status, ...]:
    """All stand-ins of a site, by name."""
    end = owner_id(state_dir, "")
    found = (_status(domain) for domain in session.connect().listAllDomains())
    return tuple(sorted((s for s in found if s and s.owner_id.endswith(end)), key=lambda s: s.name))


def _check(spec: MachineSpec) -> None:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", spec.name):
        raise UserError(f"{spec.name!r} is not a host name", hint="use lower-case letters, digits and dashes")
    if len(spec.nics) > MAX_NICS:
        raise UserError(
            f"a stand-in has at most {MAX_NICS} data interfaces, not {len(spec.nics)}", where=spec.name
        )
    if spec.disk_gib < DISK_GIB:
        raise UserError(
            f"a stand-in's disk has at least {DISK_GIB} GiB, not {spec.disk_gib}", where=spec.name
        )


def _find(connection: Any, spec: MachineSpec) -> Any:
    """Our domain of this name; refuses a name that others have."""
    domain = _lookup(connection, spec.domain_name)
    if domain is None:
        return None
    if owner_of(domain.XMLDesc()) != spec.owner_id:
        raise UserError(f"machine {spec.domain_name} exists and was not made by gigasite", where=spec.name)
    if domain.UUIDString() != spec.uuid.lower():
        raise UserError(
            f"the machine exists with another UUID, {domain.UUIDString()}",
            where=spec.name,
            hint="remove it first: a machine's UUID never changes",
        )
    return domain


def _define_xml(connection: Any, spec: MachineSpec, xml: str) -> None:
    try:
        connection.defineXML(xml)
    except libvirt.libvirtError as error:
        raise UserError(f"libvirt refuses the machine: {error}", where=spec.name) from error


def _full_xml(connection: Any, spec: MachineSpec) -> str:
    """The definition with what libvirt filled in: the machine type's version, controllers, addresses."""
    domain = connection.lookupByName(spec.domain_name)
    return str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE))


def _write_seed(spec: MachineSpec, keys: identity.Identity) -> None:
    host_key = keys.host_key(spec.name)
    content = seed(
        kind="machine",
        hostname=spec.name,
        machine_id=spec.uuid.replace("-", "").lower(),
        nics=spec.nics,
        files={
            "ssh_host_ed25519_key": host_key.read_bytes(),
            "ssh_host_ed25519_key.pub": host_key.with_suffix(".pub").read_bytes(),
            "authorized_keys": keys.ssh_key.with_suffix(".pub").read_bytes(),
            **_accelerators(spec),
        },
    )
    path = spec.folder / "seed.img"
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, content)


def _accelerators(spec: MachineSpec) -> dict[str, bytes]:
    """The seed's file `gpus`; a name before `authorized_keys` would hide from a copy that it is a machine."""
    if spec.accelerators is None:
        return {}
    return {"gpus": inventory_text(spec.accelerators, spec.uuid, spec.vcpus).encode()}


def _domain(spec: MachineSpec, image: Image, how: accel.Kind) -> Domain:
    return Domain(
        name=spec.domain_name, uuid=spec.uuid.lower(), hostname=spec.name, owner_id=spec.owner_id,
        memory_mib=spec.memory_mib, vcpus=spec.vcpus, acceleration=how, kernel=image.kernel,
        initrd=image.initrd, disk=spec.folder / "disk.qcow2", seed=spec.folder / "seed.img",
        console=spec.folder / "console.log", ssh_port=spec.ssh_port, nics=spec.nics,
        root=session.is_privileged(),
    )  # fmt: skip


def _with_inputs(xml: str, inputs: str) -> str:
    top = parse(xml)
    mark = top.find(f"metadata/{{{NAMESPACE}}}standin")
    assert mark is not None
    mark.set("inputs", inputs)
    return ET.tostring(top, encoding="unicode")


def _inputs(xml: str) -> str:
    mark = parse(xml).find(f"metadata/{{{NAMESPACE}}}standin")
    return "" if mark is None else mark.get("inputs", "")


def _lookup(connection: Any, name: str) -> Any:
    try:
        return connection.lookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise UserError(f"libvirt does not answer: {error}", where=name) from error


def _status(domain: Any) -> Status | None:
    try:
        xml = domain.XMLDesc()
        power = Power.ON if domain.isActive() else Power.OFF
    except libvirt.libvirtError:  # removed by another command meanwhile
        return None
    name, owner = machine_of(xml), owner_of(xml)
    if name is None or owner is None:
        return None
    return Status(name, domain.name(), domain.UUIDString(), owner, power, _inputs(xml))


def _require_status(spec: MachineSpec) -> Status:
    found = status(spec.state_dir, spec.name)
    if found is None:
        raise UserError("the machine was removed by another command", where=spec.name)
    return found
