"""The connection to libvirt (`qemu:///session`), with its daemons started when nobody else starts them."""

from __future__ import annotations

import os
import pwd
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libvirt as _libvirt

from infra.errors import UserError
from infra.lab.files import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

libvirt: Any = _libvirt  # its Python half has no types
URI = "qemu:///session"
"""An ordinary user's own libvirt; as root the same address means the system's only libvirt."""
_DAEMON_LIMIT_S = 20.0
_local = threading.local()


def privileged() -> bool:
    """Whether libvirt runs as root here: then QEMU would run as another user and files change owner."""
    return os.geteuid() == 0


def connect() -> Any:
    """A connection for this thread, kept open; starts the daemons first if that is needed.

    Raises:
        UserError: libvirt cannot be reached, with its own words.
    """
    connection = getattr(_local, "connection", None)
    if connection is not None:
        with suppress(libvirt.libvirtError):
            if connection.isAlive():
                return connection
    # libvirt prints every error on stderr unless told otherwise; ours are raised.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    try:
        _local.connection = libvirt.open(URI)
    except libvirt.libvirtError as first:
        if not privileged():
            raise UserError(f"libvirt does not answer: {first}", hint="run `gigasite doctor`") from first
        start_daemons()
        try:
            _local.connection = libvirt.open(URI)
        except libvirt.libvirtError as error:
            raise UserError(f"libvirt does not answer: {error}", hint="run `gigasite doctor`") from error
    return _local.connection


def start_daemons() -> None:
    """Start virtlogd and libvirtd as root where no init system does; they record their own pid.

    Raises:
        UserError: a daemon is not installed or did not come up.
    """
    with locked(_ours()):
        for program, socket in (("virtlogd", "virtlogd-sock"), ("libvirtd", "libvirt-sock")):
            if _running(program):
                continue
            try:
                started = subprocess.run(  # noqa: PLW1510 (judged below)
                    # Its own session and log: it must outlive this command and hold none of its pipes.
                    [*_without_closed_kvm(program), program, "-d"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                    text=True, timeout=_DAEMON_LIMIT_S, start_new_session=True,
                )  # fmt: skip
            except FileNotFoundError as error:
                raise UserError(f"{program} is not installed", hint="run `gigasite doctor`") from error
            end = time.monotonic() + _DAEMON_LIMIT_S
            while not (Path("/run/libvirt") / socket).exists() or not _running(program):
                if time.monotonic() > end:
                    raise UserError(
                        f"{program} did not start: {started.stderr.strip()}",
                        hint=f"read /var/log/libvirt/{program}.log",
                    )
                time.sleep(0.1)
            pid, start = next(_running_ids(program))
            with _ours().open("a") as file:
                file.write(f"{program} {pid} {start}\n")


def _without_closed_kvm(program: str) -> list[str]:
    """What goes before libvirtd to hide a /dev/kvm that is closed to its QEMU user: a mount namespace.

    libvirtd 9 probes QEMU with root's right to open the device, finds KVM, then finds that QEMU's user may
    not open it, calls its knowledge outdated and probes anew: 4 s at each look-up, and a machine takes
    several (seen). With a plain file in the device's place both answers are no. Nothing changes outside it.
    """
    device = Path("/dev/kvm")
    if program != "libvirtd" or not device.exists() or _open_to_qemu(device):
        return []
    blank = Path("/run/gigasite-no-kvm")
    blank.touch(mode=0o600)
    script = f'mount --bind {blank} {device} && exec "$@"'
    return ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh"]


def _open_to_qemu(device: Path) -> bool:
    """Whether the user that libvirt runs QEMU as may read and write a device."""
    status = device.stat()
    try:
        user = pwd.getpwnam("libvirt-qemu")
    except KeyError:
        return True
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    mode = status.st_mode
    shift = 6 if status.st_uid == user.pw_uid else 3 if status.st_gid in groups else 0
    return (mode >> shift) & 0o6 == 0o6


def stop_daemons() -> bool:
    """Stop the daemons that `start_daemons` started, if no machine of anybody runs on them; True if stopped."""
    with locked(_ours()):
        ours = [line.split() for line in _ours().read_text().splitlines()]
        if not ours or not privileged():
            return False
        with suppress(libvirt.libvirtError):
            if libvirt.open(URI).numOfDomains():
                return False
        for program, pid, start in reversed(ours):
            if (int(pid), start) in _running_ids(program):
                os.kill(int(pid), 15)
        _ours().write_text("")
        return True


def _ours() -> Path:
    """Record of the daemons that were started here; in /run because no process outlives the host's boot."""
    return Path("/run/gigasite-libvirt")


def _running(program: str) -> bool:
    return any(True for _ in _running_ids(program))


def _running_ids(program: str) -> Iterator[tuple[int, str]]:
    """(pid, start time in clock ticks since boot) of the processes with this name."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # A dead process that its parent has not yet waited for still has its name, but no command line.
            if (folder / "comm").read_text().strip() == program and (folder / "cmdline").read_bytes():
                yield int(folder.name), start_time(int(folder.name))


def start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot: with the pid it names one process for ever.

    Raises:
        OSError: there is no such process.
    """
    # proc(5): field 22; the second field is in parentheses and may hold spaces.
    return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
