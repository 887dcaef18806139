"""Whether hardware acceleration really works here, proved by booting a kernel."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from infra import paths
from infra.files import hold_lock, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

_DEVICE = Path("/dev/kvm")
_SILENT_S = 10.0  # a kernel without a root file system is done after 1-2 s under a KVM that works
_LIMIT_S = 60.0  # for one that goes on saying something on a slow computer
_DONE = "Kernel panic - not syncing: VFS"
"""The last word of a kernel that came all the way up and found no root file system: it was given none."""


class Kind(StrEnum):
    """How QEMU runs a guest's instructions."""

    KVM = "kvm"
    TCG = "tcg"


@dataclass(frozen=True, slots=True)
class Acceleration:
    """Way in which stand-ins are run on this machine.

    Attributes:
        kind: KVM if it was seen to boot a kernel, else TCG (emulation).
        reason: one sentence that says how that was found.
    """

    kind: Kind
    reason: str


def probe(kernel: Path, progress: Callable[[str], None] = lambda _: None) -> Acceleration:
    """Boot a kernel under KVM to its end, or fall back to emulation and say so.

    A device that opens proves nothing: KVM inside other hypervisors may fail a stock kernel or hang without
    a word. The answer is kept until this computer's next boot.

    Args:
        kernel: the kernel that stand-ins boot.
        progress: told the outcome when it was not known before.
    """
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        why = "may not be opened" if _DEVICE.exists() else "does not exist"
        return Acceleration(Kind.TCG, f"{_DEVICE} {why}: machines are emulated (TCG)")
    record = paths.cache() / "acceleration.json"
    with hold_lock(paths.cache() / "acceleration.lock"):
        now = [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), str(kernel), os.geteuid()]
        with suppress(OSError, ValueError, KeyError):
            kept = json.loads(record.read_text())
            if kept["for"] == now:
                return Acceleration(Kind(kept["kind"]), kept["reason"])
        found = _boot(kernel)
        progress(found.reason)
        write_whole(record, json.dumps({"for": now, "kind": found.kind, "reason": found.reason}))
        return found


def _boot(kernel: Path) -> Acceleration:
    with tempfile.TemporaryDirectory(prefix="gigasite-probe-") as folder:
        console = Path(folder) / "console"
        begin = heard = time.monotonic()
        said = 0
        process = subprocess.Popen(  # watched while it runs, always ended below
            [
                "qemu-system-x86_64", "-machine", "pc,accel=kvm", "-cpu", "host", "-m", "256", "-nodefaults",
                "-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{console}",
                "-kernel", kernel, "-append", "console=ttyS0 panic=-1",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            while process.poll() is None and not _run_until_done(console):
                now = time.monotonic()
                if (length := _length(console)) > said:
                    said, heard = length, now
                if now - heard > _SILENT_S or now - begin > _LIMIT_S:
                    break
                time.sleep(0.05)
            took = time.monotonic() - begin
        finally:
            process.kill()
            _, complaint = process.communicate()
        if _run_until_done(console):
            return Acceleration(Kind.KVM, f"KVM booted a kernel in {took:.1f} s: machines are accelerated")
        if process.returncode == -9:  # it was still there when we ended it
            words = "something" if said else "nothing"
            return Acceleration(
                Kind.TCG,
                f"KVM opens here but hangs (its console said {words} in {took:.0f} s): "
                "machines are emulated (TCG)",
            )
        last = complaint.strip().splitlines()[0] if complaint.strip() else "QEMU ended"
        return Acceleration(Kind.TCG, f"KVM opens here but fails ({last}): machines are emulated (TCG)")


def _length(console: Path) -> int:
    return console.stat().st_size if console.exists() else 0


def _run_until_done(console: Path) -> bool:
    return console.exists() and _DONE in console.read_text(errors="replace")
