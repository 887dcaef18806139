"""The disk image of every stand-in: Debian 13 with all roles' packages, built once per set of inputs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.files import hold_lock, write_whole
from infra.lab.accelerator import build
from infra.lab.packages import packages
from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

SUITE = "trixie"
"""Debian 13: its Slurm 24.11 has topology/block, Debian 12's 22.05 has not."""
COMPONENTS = ("main", "contrib")
"""Of the archive; contrib has Slurm's NVML plugin."""
DISK_GIB = 4
"""Size of the root file system; what the packages fill is about 0.4 GiB, the rest is sparse."""
USER = "gigasite"
"""Who logs in by ssh and has passwordless sudo."""
MASKED = (
    # A stand-in has no screen, no second namespace of names, no firmware to talk to; each of these costs
    # seconds of a boot without hardware acceleration.
    "getty.target", "console-getty.service", "serial-getty@ttyS0.service", "getty@tty1.service",
    "systemd-networkd-persistent-storage.service", "systemd-networkd-wait-online.service",
    "systemd-binfmt.service", "systemd-hwdb-update.service", "systemd-pstore.service",
    "systemd-logind.service",
    "systemd-journal-catalog-update.service", "systemd-journal-flush.service", "systemd-rfkill.service",
    # What follows a change of /usr: an image's never changes.
    "systemd-update-done.service", "systemd-sysusers.service", "ldconfig.service",
    "kmod-static-nodes.service", "systemd-network-generator.service", "systemd-udev-load-credentials.service",
    "systemd-ask-password-console.path", "systemd-ask-password-wall.path", "systemd-tmpfiles-clean.timer",
    "dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount", "modprobe@fuse.service", "modprobe@drm.service",
    "modprobe@efi_pstore.service",
    "modprobe@loop.service", "modprobe@dm_mod.service", "modprobe@configfs.service",
    "sys-kernel-config.mount",
    "systemd-random-seed.service", "systemd-machine-id-commit.service",
    "e2scrub_reap.service", "e2scrub_all.timer", "apt-daily.timer",
    "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer",
)  # fmt: skip
"""Units that a stand-in never starts."""
GENERATORS = (
    # Each is one more process at a boot and at every `systemctl daemon-reload`; none has work in a stand-in.
    "systemd-bless-boot-generator", "systemd-cryptsetup-generator", "systemd-debug-generator",
    "systemd-getty-generator", "systemd-gpt-auto-generator", "systemd-hibernate-resume-generator",
    "systemd-integritysetup-generator", "systemd-rc-local-generator", "systemd-ssh-generator",
    "systemd-system-update-generator", "systemd-sysv-generator", "systemd-tpm2-generator",
    "systemd-veritysetup-generator",
)  # fmt: skip
"""Unit generators that are masked."""

_FOLDER = Path(__file__).parent
_OVERLAY = _FOLDER / "overlay"
_VARIANT = (
    "--variant=minbase",
    *(f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("man", "doc", "locale", "info")),
    # The initrd loads three modules by name and mounts /dev/vda: udev in it is 3 s of an emulated boot.
    *(
        f"--dpkgopt=path-exclude=/usr/share/initramfs-tools/{what}"
        for what in ("hooks/udev", "hooks/dmsetup", "hooks/keymap", "hooks/thermal", "scripts/*/udev")
    ),
)
_FORMAT = 1  # raise when the same inputs make something else
_BUILD_LIMIT_S = 3600  # 80 s to 4 min on 2 cores; a build that fails ends by itself
_WORK, _WORK_PREFIX = Path("/var/tmp"), "gigasite-image-"  # noqa: S108 (names in it are made by tempfile)
_KEPT_IMAGES = 2


@dataclass(frozen=True, slots=True)
class Image:
    """One built image; all files lie in the cache and are never changed.

    Attributes:
        key: hash of everything that went into it.
        disk: read-only base disk (qcow2), one ext4 file system without partitions.
        kernel: for direct kernel boot.
        initrd: its small initial file system.
    """

    key: str
    disk: Path
    kernel: Path
    initrd: Path

    @property
    def folder(self) -> Path:
        """Where the image lies; template states of the image lie below it."""
        return self.disk.parent


def image_key() -> str:
    """Hash over the inputs: suite, packages, hooks, and the overlay's names, modes and contents."""
    digest = hashlib.sha256()
    nowhere = Path("/")
    digest.update(
        json.dumps([SUITE, COMPONENTS, packages(), _hooks(nowhere, nowhere), _VARIANT, _FORMAT]).encode()
    )
    for path in sorted(p for p in _OVERLAY.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(_OVERLAY)}:{path.stat().st_mode & 0o111}\n".encode())
        digest.update(path.read_bytes())
    for path in build.sources():
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def find_cached_image() -> Image | None:
    """The image for today's inputs if it is built already."""
    return image_by_key(image_key())


def ensure_image(progress: Callable[[str], None] = lambda _: None) -> Image:
    """Build the image if the cache has none for today's inputs; about 80 s on 2 cores.

    A build that is interrupted leaves nothing that a later run would take for an image; a second caller
    waits for the first.

    Args:
        progress: told in words what happens.

    Raises:
        UserError: the build failed, with the log's last lines and its path.
    """
    if image := find_cached_image():
        return image
    folder = paths.cache() / f"image-{image_key()}"
    waiting = partial(progress, "waiting for another command that builds the image")
    with hold_lock(paths.cache() / "image.lock", on_wait=waiting):
        if image := find_cached_image():
            return image
        _clean(keep=_KEPT_IMAGES - 1)
        _clean_killed()
        progress(f"building the Debian {SUITE} image with {len(packages())} packages")
        building = folder.with_name(f"{folder.name}.building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700)
        try:
            _build(building, progress)
            (building / "complete").touch()
            building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return _image(folder)


def _image(folder: Path) -> Image:
    return Image(
        folder.name.removeprefix("image-"), folder / "base.qcow2", folder / "vmlinuz", folder / "initrd"
    )


def _build(folder: Path, progress: Callable[[str], None]) -> None:
    log = paths.cache() / "image-build.log"
    # mmdebstrap as an ordinary user works in a user namespace whose root is another uid on this machine: it
    # must be able to write here, and nobody else needs to find the name.
    with tempfile.TemporaryDirectory(
        prefix="gigasite-image-", dir="/var/tmp", ignore_cleanup_errors=True
    ) as name:
        work = Path(name)
        work.chmod(0o711)
        shared = work / "out"
        shared.mkdir()
        shared.chmod(0o777)
        overlay = work / "overlay"
        shutil.copytree(_OVERLAY, overlay)
        _build_accelerator(overlay)
        _open_for_reading(overlay)
        command = [
            "mmdebstrap", *_VARIANT, f"--components={','.join(COMPONENTS)}",
            f"--include={','.join(packages())}", f"--logfile={log}",
            # Before any package: the initrd is then made once, in the right form.
            f"--essential-hook=cp -r {overlay}/etc/initramfs-tools $1/etc/",
            *(f"--customize-hook={line}" for line in _hooks(overlay, shared)),
            "--format=null", SUITE, "-", *_sources(),
        ]  # fmt: skip
        try:
            run(
                command,
                timeout=_BUILD_LIMIT_S,
                env={**os.environ, "TMPDIR": str(shared), "LC_ALL": "C.UTF-8"},
            )
        except UserError as error:
            lines = log.read_text(errors="replace").splitlines() if log.exists() else [str(error)]
            tail = "\n".join(line for line in lines if not line.startswith("I: running --"))[-1500:]
            raise UserError(
                f"building the image failed:\n{tail}",
                hint=f"read {log}; the build starts afresh the next time",
                done="No machine was made or changed.",
            ) from error
        progress("making the disk")
        for product in ("vmlinuz", "initrd"):
            shutil.copyfile(shared / product, folder / product)
        run(["qemu-img", "convert", "-O", "qcow2", shared / "root.ext4", folder / "base.qcow2"], timeout=300)
        (folder / "base.qcow2").chmod(0o400)


def _build_accelerator(overlay: Path) -> None:
    """Compile the accelerator stand-in to where its library and its command lie on a machine."""
    for folder, compile_to in (("lib", build.build_library), ("bin", build.build_command)):
        target = overlay / "usr" / "local" / folder
        target.mkdir(parents=True, exist_ok=True)
        compile_to(target)


def _hooks(overlay: Path, shared: Path) -> tuple[str, ...]:
    """Commands for the new root `$1` after its packages are there, up to its disk and kernel in shared."""
    users = f'chroot "$1" useradd --create-home --shell /bin/bash --comment "gigasite stand-in" {USER}'
    return (
        f'cp -rT --no-preserve=ownership {overlay} "$1"',
        'chmod 0440 "$1/etc/sudoers.d/gigasite"',
        'chroot "$1" ldconfig',  # its service is masked, and /usr/local/lib has a library
        users,
        # No password, yet not locked: sshd refuses locked users.
        f'chroot "$1" usermod --password "*" {USER}',
        'rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname"',
        ': >"$1/etc/machine-id"',
        # Munge's key is a secret that a playbook brings; one from the image would be the same everywhere.
        'rm -f "$1/etc/munge/munge.key"',
        'chroot "$1" systemctl preset-all --preset-mode=full >/dev/null 2>&1',
        f'chroot "$1" systemctl mask --quiet {" ".join(MASKED)}',
        'rm -f "$1/etc/modules-load.d/modules.conf"',  # empty, yet enough to start a service
        'mkdir -p "$1/etc/systemd/system-generators"',
        *(f'ln -s /dev/null "$1/etc/systemd/system-generators/{name}"' for name in GENERATORS),
        'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/usr/share/doc/*',
        f'cp -L "$1"/boot/vmlinuz-* {shared}/vmlinuz',
        f'cp -L "$1"/boot/initrd.img-* {shared}/initrd',
        'rm -f "$1"/boot/System.map-*',
        f"chmod 0644 {shared}/vmlinuz {shared}/initrd",
        # 64bit and metadata_csum are defaults; no reserved blocks: nobody but root fills this disk.
        # The bind mount shows the root without the proc, sys and dev that mmdebstrap mounted in it.
        f'mkdir {shared}/root && mount --bind "$1" {shared}/root',
        f"mke2fs -q -t ext4 -m 0 -L root -d {shared}/root {shared}/root.ext4 {DISK_GIB}G",
        f"umount {shared}/root && rmdir {shared}/root",
        f"chmod 0644 {shared}/root.ext4",
    )


def _sources() -> tuple[str, ...]:
    """Where this machine itself gets Debian from; empty on other systems: mmdebstrap's default is used."""
    form = "$(CREATED_BY)|$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(CODENAME)"
    listed = run(["apt-get", "indextargets", "--format", form])
    archive = security = ""
    for line in listed.stdout.splitlines():
        kind, uri, origin, label, codename = line.split("|")
        if kind != "Packages":
            continue
        if origin and origin != "Debian":
            continue
        if label == "Debian-Security" or codename.endswith("-security"):
            security = security or uri
        elif uri.rstrip("/").endswith("/debian"):
            archive = archive or uri
    if not archive:
        return ()
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    # The index of our suite is checked against the packaged keys, whatever the mirror is.
    lines = [f"deb [signed-by={keyring}] {archive} {SUITE} {' '.join(COMPONENTS)}"]
    if security:
        lines.append(f"deb [signed-by={keyring}] {security} {SUITE}-security main")
    return tuple(lines)


def _open_for_reading(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _clean(keep: int) -> None:
    """Remove the oldest images: each is about 0.7 GiB with its template states."""
    made = [path for path in paths.cache().glob("image-*") if (path / "complete").exists()]
    for old in sorted(made, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        if not _in_use(old):
            shutil.rmtree(old)


def _clean_killed() -> None:
    """Remove what builds left that were killed; ours is the only one that runs now."""
    for folder in paths.cache().glob("image-*.building"):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in _WORK.glob(f"{_WORK_PREFIX}*"):
        # The builder itself may go on for a while after its command was killed.
        if folder.stat().st_uid == os.geteuid() and time.time() - folder.stat().st_mtime > _BUILD_LIMIT_S:
            shutil.rmtree(folder, ignore_errors=True)


def image_by_key(key: str) -> Image | None:
    """A built image that the cache still has."""
    image = _image(paths.cache() / f"image-{key}")
    return image if (image.folder / "complete").exists() else None


def note_user(image: Image, disk: Path) -> None:
    """Keep an image for as long as a disk that was made from it exists."""
    with hold_lock(image.folder / "users.lock"):
        users = image.folder / "users"
        lines = users.read_text().splitlines() if users.exists() else []
        kept = [line for line in lines if Path(line).parent.exists() and line != str(disk)]
        write_whole(users, "".join(f"{line}\n" for line in (*kept, disk)))


def _in_use(folder: Path) -> bool:
    """Whether a machine was made from this image: each leaves its overlay's path in `users`."""
    users = folder / "users"
    return users.exists() and any(Path(line).parent.exists() for line in users.read_text().splitlines())
