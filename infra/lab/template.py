"""Templates for fast start: a machine that booted once, with its memory and disk kept for all copies."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.errors import UserError
from infra.files import hold_lock, try_lock, write_whole
from infra.lab import ports, session
from infra.lab.domain import Domain, domain_xml, owner_of
from infra.lab.saveimage import extract_stream
from infra.lab.seed import seed
from infra.lab.session import libvirt
from infra.lab.spec import Cable
from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.lab.accel import Kind
    from infra.lab.image import Image

READY = "gigasite: template ready"
"""What the guest says on its console when it can be saved (overlay/usr/local/lib/gigasite/seed)."""
_OWNER = "template"
_PREFIX = "gigasite-"
_BOOT_LIMIT_S = 1200.0  # about 60 s with emulation on two cores that have nothing else to do
DEATHS = ("Kernel panic", "Freezing execution", "Oops:", "emergency mode", "gigasite: seeding failed")
"""What a console says when its machine will not come up any more."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """Hardware that a copy and its template must share, since it is part of the saved memory.

    Attributes:
        vcpus: virtual processors.
        memory_mib: guest memory in MiB.
        disk_gib: disk size in GiB.
        nics: number of data interfaces.
    """

    vcpus: int
    memory_mib: int
    disk_gib: int
    nics: int


@dataclass(frozen=True, slots=True)
class Template:
    """A kept template.

    Attributes:
        disk: its disk at the moment it was saved; copies' overlays lie on it.
        stream: its memory and devices as QEMU's migration stream.
        save_folder: where this libvirt keeps managed save images.
    """

    disk: Path
    stream: Path
    save_folder: Path


def ensure_template(
    image: Image, hardware: Hardware, acceleration: Kind, progress: Callable[[str], None] = lambda _: None
) -> Template:
    """Boot and save a template for such hardware if the image has none yet; 40 to 60 s with emulation.

    Args:
        image: what it boots.
        hardware: what all its copies have in common.
        acceleration: KVM or TCG; memory saved under one is of no use to the other.
        progress: told in words what happens.

    Raises:
        UserError: it did not boot or could not be saved, with the console's last lines.
    """
    connection = session.connect()
    folder = image.folder / f"template-{_key(connection, hardware, acceleration)}"
    if not (folder / "template.json").exists():
        _remove_orphans(connection, image)
        with hold_lock(_lock(folder.name)):
            if not (folder / "template.json").exists():
                progress(
                    f"booting a template with {hardware.nics} data interfaces, {hardware.memory_mib} MiB"
                )
                _make(connection, folder, image, hardware, acceleration)
    kept = json.loads((folder / "template.json").read_text())
    return Template(folder / "disk.qcow2", folder / "stream", Path(kept["save_folder"]))


def _key(connection: Any, hardware: Hardware, acceleration: Kind) -> str:
    # Saved memory belongs to one QEMU, one libvirt and, under KVM, one kind of processor.
    facts: list[object] = [
        hardware.vcpus, hardware.memory_mib, hardware.disk_gib, hardware.nics, acceleration,
        connection.getVersion(), connection.getLibVersion(),
        Path(__file__).with_name("domain.py").read_text(),
    ]  # fmt: skip
    if acceleration == "kvm":
        facts.append(connection.getInfo()[0])
        facts.append(_cpu_model())
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return "\n".join(
        sorted({line for line in lines if line.startswith(("model name", "flags", "microcode"))})
    )


def _make(connection: Any, folder: Path, image: Image, hardware: Hardware, acceleration: Kind) -> None:
    building = folder.with_name(f"{folder.name}.building")
    name = f"{_PREFIX}{folder.name}"
    _remove_domain(connection, name)
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    try:
        own_id = str(uuid.uuid4())
        nics = _own_cables(hardware.nics)
        write_whole(
            building / "seed.img",
            seed(
                kind="template", hostname="template", machine_id=own_id.replace("-", ""), nics=nics, files={}
            ),
        )
        disk = building / "disk.qcow2"
        run(
            [
                "qemu-img",
                "create",
                "-q",
                "-f",
                "qcow2",
                "-F",
                "qcow2",
                "-b",
                image.disk,
                disk,
                f"{hardware.disk_gib}G",
            ]
        )
        xml = domain_xml(
            Domain(
                name=name, uuid=own_id, hostname="template", owner_id=_OWNER, memory_mib=hardware.memory_mib,
                vcpus=hardware.vcpus, acceleration=acceleration, kernel=image.kernel, initrd=image.initrd,
                disk=disk, seed=building / "seed.img", console=building / "console.log", ssh_port=None,
                nics=nics, root=session.is_privileged(),
            )
        )  # fmt: skip
        try:
            domain = connection.defineXML(xml)
            # Autodestroy: it goes off when this command ends, also when it is killed.
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY)
            _wait_ready(domain, building / "console.log")
            # libvirt stops it, saves it and notes that it ran: a copy starts to run at once.
            domain.managedSave(libvirt.VIR_DOMAIN_SAVE_RUNNING)
            saved = _find_saved_file(name)
            extract_stream(saved, building / "stream")
        except libvirt.libvirtError as error:
            raise UserError(f"the template for fast start failed: {error}", hint=_HINT) from error
        disk.chmod(0o400)
        write_whole(building / "template.json", json.dumps({"save_folder": str(saved.parent)}))
        building.rename(folder)
    finally:
        _remove_domain(connection, name)
        shutil.rmtree(building, ignore_errors=True)


_HINT = "set `start: boot` under stand_ins in site.yaml to boot each machine for real"


def _wait_ready(domain: Any, console: Path) -> None:
    end = time.monotonic() + _BOOT_LIMIT_S
    while True:
        text = console.read_text(errors="replace") if console.exists() else ""
        if READY in text:
            return
        tail = "\n".join(text.splitlines()[-8:])
        if any(word in text for word in DEATHS) or not domain.isActive():
            raise UserError(f"the template for fast start died while booting:\n{tail}", hint=_HINT)
        if time.monotonic() > end:
            raise UserError(
                f"the template for fast start was not ready after {_BOOT_LIMIT_S:.0f} s:\n{tail}", hint=_HINT
            )
        time.sleep(0.5)


def _own_cables(count: int) -> tuple[Cable, ...]:
    """Cables to nowhere, on ports that are free now: a copy brings its own."""
    free = ports.free_udp_ports(2 * count)
    return tuple(
        Cable(f"data{place}", f"52:54:00:00:01:{place:02x}", free[2 * place], free[2 * place + 1])
        for place in range(count)
    )


def _find_saved_file(name: str) -> Path:
    """Where libvirt put a managed save image: seen, since it has no call that tells."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "libvirt" / "qemu"
    for folder in (Path("/var/lib/libvirt/qemu/save"), config / "lib" / "save", config / "save"):
        with suppress(OSError):
            if (folder / f"{name}.save").is_file():
                return folder / f"{name}.save"
    raise UserError("libvirt's folder for saved machines was not found", hint=_HINT)


def _lock(template: str) -> Path:
    return paths.cache() / "locks" / f"{template}.lock"


def _remove_orphans(connection: Any, image: Image) -> None:
    """Remove what killed commands left: definitions and folders of templates whose lock nobody holds."""
    for building in image.folder.glob("template-*.building"):
        with try_lock(_lock(building.name.removesuffix(".building"))) as orphan:
            if orphan:
                shutil.rmtree(building, ignore_errors=True)
    for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE):
        name = domain.name()
        if name.startswith(f"{_PREFIX}template-"):
            with try_lock(_lock(name.removeprefix(_PREFIX))) as orphan:
                if orphan:
                    _remove_domain(connection, name)


def _remove_domain(connection: Any, name: str) -> None:
    """Remove a template's domain, also one that a killed command left."""
    with suppress(libvirt.libvirtError):
        domain = connection.lookupByName(name)
        if owner_of(domain.XMLDesc()) != _OWNER:
            return
        session.remove_domain(domain)
