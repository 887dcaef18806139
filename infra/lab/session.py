"""The connection to libvirt (`qemu:///session`), with its daemons started when nobody else starts them."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libvirt as _libvirt

from infra import paths
from infra.errors import UserError
from infra.files import hold_lock, write_whole
from infra.lab import prerequisites
from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator

libvirt: Any = _libvirt  # its Python half has no types
os.environ["LIBVIRT_AUTOSTART"] = "0"  # see `_start_session`
URI = "qemu:///session"
"""An ordinary user's own libvirt; as root the same address means the system's only libvirt."""
_DAEMON_LIMIT_S = 180.0  # it probes QEMU: seconds, more on a busy computer
_SYSTEM_CONFIG = Path("/etc/libvirt/qemu.conf")
_SOCKET = Path("/run/libvirt/libvirt-sock")
_OUR_FOLDER = Path("/run/gigasite")
"""In /run because no process outlives the host's boot."""
_CONFIG = """\
# Made by gigasite for the libvirtd that it started.
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
# All machines in one control group would share the processor time of one process between them.
cgroup_controllers = []
stdio_handler = "file"
"""
_local = threading.local()


def is_privileged() -> bool:
    """Whether libvirt runs as root here: then QEMU would run as another user and files change owner."""
    return os.geteuid() == 0


def connect() -> Any:
    """A connection for this thread, kept open; starts the daemons first if that is needed.

    Raises:
        UserError: libvirt cannot be reached, with its own words.
    """
    connection = getattr(_local, "connection", None)
    if connection is not None:
        # A question, since isAlive() still says yes of a daemon that was stopped and started again.
        with suppress(libvirt.libvirtError):
            connection.numOfDomains()
            return connection
    # libvirt prints every error on stderr unless told otherwise; ours are raised.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    try:
        _local.connection = libvirt.open(URI)
    except libvirt.libvirtError:
        if is_privileged():
            start_daemons()
        else:
            _start_session()
        try:
            _local.connection = libvirt.open(URI)
        except libvirt.libvirtError as error:
            raise UserError(f"libvirt does not answer: {error}", hint="run `gigasite doctor`") from error
    return _local.connection


def remove_domain(domain: Any) -> None:
    """Remove a domain from libvirt, at once, with its saved memory; its disks stay."""
    if domain.isActive():
        with suppress(libvirt.libvirtError):  # it may go off by itself meanwhile
            domain.destroy()
    domain.undefineFlags(
        libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    )


def start_daemons() -> None:
    """Start libvirtd as root where no init system does; it is recorded with its process id.

    It runs with a configuration of its own, seen by nobody else: QEMU runs as root, as the one whose files
    and devices it uses. With Debian's (QEMU as another user) and a /dev/kvm that only root may open, libvirt
    probes QEMU anew at every call, which takes seconds to minutes each time.

    Raises:
        UserError: it is not installed or did not come up.
    """
    with hold_lock(_ours()):
        if _running("libvirtd"):
            return
        if not _SYSTEM_CONFIG.exists():
            raise UserError("libvirt's system package is not installed", hint="run `gigasite doctor`")
        config = _OUR_FOLDER / "qemu.conf"
        write_whole(config, _CONFIG)
        Path("/var/log/libvirt").mkdir(parents=True, exist_ok=True)
        script = 'mount --bind "$1" "$2" && exec libvirtd -d'
        started = run(
            ["unshare", "--mount", "--", "sh", "-c", script, "sh", config, _SYSTEM_CONFIG],
            check=False, timeout=_DAEMON_LIMIT_S, hint="run `gigasite doctor`",
        )  # fmt: skip
        end = time.monotonic() + _DAEMON_LIMIT_S
        while not _SOCKET.exists() or not _running("libvirtd"):
            if time.monotonic() > end:
                raise UserError(
                    f"libvirtd did not start: {started.stderr.strip()}",
                    hint="read /var/log/libvirt/libvirtd.log",
                )
            time.sleep(0.1)
        pid, start = next(_running_ids("libvirtd"))
        _ours().write_text(f"libvirtd {pid} {start}\n")


def _start_session() -> None:
    """Start an ordinary user's daemon; it ends by itself when it has had nothing to do for a while.

    libvirt would start it too, but by a fork that aborts in a process where gRPC has threads: the provider's.
    """
    libvirtd = prerequisites.program("libvirtd")
    if libvirtd is None:
        return  # what libvirt says of it is told
    with hold_lock(paths.cache() / "locks" / "libvirtd"):
        # Where another has just started one, this one finds that and ends.
        run([libvirtd, "--daemon", "--timeout", "120"], check=False, timeout=_DAEMON_LIMIT_S)


def stop_daemons() -> bool:
    """Stop the daemon that `start_daemons` started, if no machine is defined any more; True if stopped."""
    if not is_privileged():
        return False
    with hold_lock(_ours()):
        ours = [line.split() for line in _ours().read_text().splitlines()]
        if not ours:
            return False
        with suppress(libvirt.libvirtError):
            # Also machines that are off: a BMC emulator must find libvirt when it is asked for power.
            if libvirt.open(URI).listAllDomains():
                return False
        for program, pid, start in reversed(ours):
            if (int(pid), start) in _running_ids(program):
                os.kill(int(pid), 15)
        _ours().write_text("")
        return True


def _ours() -> Path:
    """Record of the daemon that was started here."""
    return _OUR_FOLDER / "libvirt-daemons"


def _running(program: str) -> bool:
    return any(True for _ in _running_ids(program))


def _running_ids(program: str) -> Iterator[tuple[int, str]]:
    """(pid, start time in clock ticks since boot) of the processes with this name."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # A dead process that its parent has not yet waited for still has its name, but no command line.
            named = (folder / "comm").read_text().strip() == program and (folder / "cmdline").read_bytes()
            # One in a container of this host has its socket in a /run of its own: nobody here can ask it.
            if named and (folder / "root" / "run").samefile("/run"):
                yield int(folder.name), start_time(int(folder.name))


def start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot: with the pid it names one process for ever.

    Raises:
        OSError: there is no such process.
    """
    # proc(5): field 22; the second field is in parentheses and may hold spaces.
    return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
