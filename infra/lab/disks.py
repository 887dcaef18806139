"""A stand-in's disk, and for a fast start the saved memory that fits this disk and no other."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.files import write_whole
from infra.lab.image import Image, image_by_key, note_user
from infra.lab.saveimage import unfinished_name, write_save_image
from infra.lab.spec import MachineSpec, Start
from infra.lab.template import Hardware, ensure_template
from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.lab.accel import Kind

_LEAKS = 3  # qemu-img check: clusters that nothing uses
_CHECK_S = 120.0
_ORIGIN = "disk.json"
"""What the disk came from: the image's key, the template's disk and the place of the saved memory."""


def exists(spec: MachineSpec) -> bool:
    """Whether the machine has its disk."""
    return _disk(spec).exists()


def image_of(spec: MachineSpec, image: Image) -> Image:
    """The image that the machine's disk came from: kernel and disk belong together; else the image of today.

    Raises:
        UserError: the disk is there and its image is gone from the cache.
    """
    if not exists(spec):
        return image
    key = _origin(spec.folder).get("image", image.key)
    found = image_by_key(key)
    if found is None:
        raise UserError(
            f"the image {key} that the disk was made from is no longer in the cache",
            where=spec.name,
            hint="remove the machine (`gigasite down`) and make it again",
        )
    return found


def ensure_disk(
    spec: MachineSpec, image: Image, acceleration: Kind, xml: str, progress: Callable[[str], None]
) -> None:
    """Make the disk if the machine has none, and let its saved memory, while it waits, follow the definition.

    Args:
        spec: the machine.
        image: what a new disk starts as.
        acceleration: KVM or TCG.
        xml: the domain as libvirt has it now.
        progress: told in words what happens.
    """
    disk = _disk(spec)
    if disk.exists():
        _follow(spec, image, acceleration, xml, progress)
        return
    note_user(image, disk)
    if spec.start is Start.BOOT:
        remove_saved(spec.folder)
        write_whole(spec.folder / _ORIGIN, json.dumps({"image": image.key}))
        make_overlay(disk, image.disk, spec.disk_gib)
        return
    template = ensure_template(image, _hardware(spec), acceleration, progress)
    saved = template.save_folder / f"{spec.domain_name}.save"
    origin = {"image": image.key, "template": str(template.disk), "saved": str(saved)}
    write_whole(spec.folder / _ORIGIN, json.dumps(origin))
    # The disk last: once it exists its machine may have run, and memory from before must not come back.
    write_save_image(saved, xml, template.stream)
    make_overlay(disk, template.disk, spec.disk_gib)


def make_overlay(disk: Path, base: Path, gib: int) -> None:
    """Make a qcow2 disk over a read-only base; whole or not at all."""
    fresh = disk.with_name(f".{disk.name}")
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, fresh, f"{gib}G"])
    fresh.chmod(0o600)
    fresh.rename(disk)


def damage(folder: Path) -> str | None:
    """Describe the damage of the disk of a machine that is off; None if it is whole or not made yet.

    Leaked clusters, which a machine leaves whose power was cut, are no damage.
    """
    disk = folder / "disk.qcow2"
    if not disk.exists():
        return None
    done = run(["qemu-img", "check", "-q", "-f", "qcow2", disk], check=False, timeout=_CHECK_S)
    if done.returncode in (0, _LEAKS):
        return None
    said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return said[0].removeprefix("qemu-img: ").strip() if said else f"qemu-img says {done.returncode}"


def remove_saved(folder: Path) -> None:
    """Remove a machine's saved memory, also one that was not finished; it then boots."""
    saved = _origin(folder).get("saved")
    if saved is not None:
        for path in (Path(saved), unfinished_name(Path(saved))):
            path.unlink(missing_ok=True)


def _follow(
    spec: MachineSpec, image: Image, acceleration: Kind, xml: str, progress: Callable[[str], None]
) -> None:
    origin = _origin(spec.folder)
    if "saved" not in origin or not Path(origin["saved"]).exists():
        return  # it has run, or boots anyway
    template = ensure_template(image, _hardware(spec), acceleration, progress)
    if spec.start is Start.FAST and str(template.disk) == origin["template"]:
        write_save_image(Path(origin["saved"]), xml, template.stream)
    else:
        remove_saved(spec.folder)  # another form: memory of one template on the disk of another is lost data


def _hardware(spec: MachineSpec) -> Hardware:
    return Hardware(spec.vcpus, spec.memory_mib, spec.disk_gib, len(spec.nics))


def _disk(spec: MachineSpec) -> Path:
    return spec.folder / "disk.qcow2"


def _origin(folder: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        found = json.loads((folder / _ORIGIN).read_text())
        if isinstance(found, dict):
            return found
    return {}
