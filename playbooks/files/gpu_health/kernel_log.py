"""Collect XIDs from the kernel's log, and remember them for as long as the machine runs.

The log is a ring: a machine that says much forgets what it said. So what was found, and up to where, is kept
below /run, which a restart empties as it resets the accelerators.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT = "run/gigasite/gpu_health.json"
RESET = "gpu_health: reset of PCI:"
"""What is written into the log for an accelerator that was reset: its XIDs are over."""
_XID = re.compile(r"NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): (\d+)")
_RESET = re.compile(re.escape(RESET) + r"([0-9a-fA-F:.]+)")
_RECORD = 8192
"""Bytes that one read of /dev/kmsg must offer (kernel: CONSOLE_EXT_LOG_MAX)."""


class UnreadableLogError(Exception):
    """The log cannot be read; says why."""


def find_open_xids(root: Path) -> dict[str, list[int]]:
    """Return the XIDs of each PCI address (see `normal`) since the last start or reset, in order.

    Args:
        root: folder that has dev/ and run/.

    Raises:
        UnreadableLogError: this user may not.
    """
    kept = root / KEPT
    last, found = -1, {}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        state = json.loads(kept.read_text())
        last = int(state["last"])
        found = {str(pci): [int(code) for code in codes] for pci, codes in state["open"].items()}
    newest = last
    for number, message in _records(root / "dev/kmsg"):
        if number <= last:
            continue
        newest = number
        if told := _XID.search(message):
            found.setdefault(normal(told[1]), []).append(int(told[2]))
        elif done := _RESET.search(message):
            found.pop(normal(done[1]), None)
    if newest != last:
        with contextlib.suppress(OSError):  # a user who may read the log need not be one who may write
            kept.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            fresh = kept.with_suffix(".new")
            fresh.write_text(json.dumps({"last": newest, "open": found}))
            fresh.replace(kept)
    return found


def normal(pci: str) -> str:
    """Return a PCI address as `0000:08:00` (domain, bus, device), whichever way it is written."""
    domain, bus, device = (int(word, 16) for word in pci.partition(".")[0].split(":")[:3])
    return f"{domain:04x}:{bus:02x}:{device:02x}"


def tell_reset(root: Path, pci: str) -> None:
    """Write into the kernel's log that an accelerator was reset."""
    with (root / "dev/kmsg").open("a") as log:
        log.write(f"<5>{RESET}{pci}\n")


def _records(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the message of each record."""
    try:
        log = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableLogError(f"/dev/kmsg: {error.strerror}") from error
    try:
        while True:
            try:
                text = os.read(log, _RECORD)
            except OSError as error:
                if error.errno == errno.EPIPE:  # overwritten while it was read: the next one is there
                    continue
                if error.errno == errno.EAGAIN:
                    return
                raise UnreadableLogError(f"/dev/kmsg: {error.strerror}") from error
            if not text:
                return
            for line in text.decode(errors="replace").splitlines():
                head, separator, message = line.partition(";")
                fields = head.split(",")
                if separator and len(fields) > 2 and fields[1].isdigit():
                    yield int(fields[1]), message
    finally:
        os.close(log)
