"""Faults of stand-ins' accelerators: words of a command become lines of the state that the library reads."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "/run/gigasite/accelerator-faults"
"""On the stand-in: gone with a restart, as most of these are on hardware."""
CLEAR = "clear"
RESET = "gpu_health: reset of PCI:"
"""How playbooks/files/gpu_health tells the kernel's log of a reset, before the PCI address."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault.

    Attributes:
        key: the state file's word.
        low: least value.
        high: greatest value.
        default: value when none is given; None if one must be.
        help: what it does.
    """

    key: str
    low: int
    high: int
    default: int | None
    help: str


KINDS: dict[str, Kind] = {
    "xid": Kind("xid", 1, 999, None, "the driver reports this XID; 79 takes it off the bus too"),
    "lost": Kind("lost", 1, 1, 1, "it has fallen off the bus"),
    "ecc": Kind("ecc", 1, 10**9, 500, "so many uncorrected memory errors; a page is retired"),
    "nvlink": Kind("nvlink", 0, 31, None, "the NVLink of this number is down"),
    "hot": Kind("hot", 1, 150, 95, "so many °C; above its limit it slows itself down"),
    "clock": Kind("clock", 1, 10000, 345, "its clock is stuck at so many MHz, without a reason"),
}
"""By the word of the command line."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Fault to inject into an accelerator; `kind` None clears all its faults.

    Attributes:
        index: the accelerator's number; None for all of the machine (only to undo).
        kind: word of `KINDS`, or None.
        value: its number.
    """

    index: int | None
    kind: str | None = None
    value: int = 0

    @property
    def words(self) -> str:
        """As a person says it."""
        if self.index is None:
            return "all accelerators: faults cleared"
        if self.kind is None:
            return f"gpu {self.index}: faults cleared"
        return f"gpu {self.index}: {self.kind}{'' if KINDS[self.kind].high == 1 else f' {self.value}'}"


def parse(words: list[str], count: int) -> Fault:
    """The fault that words such as `gpu 2 xid 79`, `gpu 2 clear` or `clear` name.

    Args:
        words: of the command line.
        count: accelerators of the machine.

    Raises:
        UserError: they name none; says what may be said.
    """
    if words == [CLEAR]:
        return Fault(None)
    if len(words) not in {3, 4} or words[0] != "gpu":
        raise UserError(f"no fault: {' '.join(words) or 'nothing is named'}", hint=_hint())
    if not words[1].isdecimal() or int(words[1]) >= count:
        raise UserError(
            f"there is no accelerator {words[1]}",
            hint=f"the machine has {count}, from gpu 0 to gpu {count - 1}" if count else "it has none",
        )
    index, name = int(words[1]), words[2]
    if name == CLEAR and len(words) == 3:
        return Fault(index)
    kind = KINDS.get(name)
    if kind is None:
        raise UserError(f"no kind of fault: {name}", hint=_hint())
    value = words[3] if len(words) == 4 else kind.default
    if value is None:
        raise UserError(f"{name} needs a number", hint=f"for example `gpu {index} {name} {_example(name)}`")
    if not str(value).isdecimal() or not kind.low <= int(value) <= kind.high:
        raise UserError(f"{name} {value} is not from {kind.low} to {kind.high}", hint=kind.help)
    return Fault(index, name, int(value))


def script(fault: Fault, addresses: Sequence[str]) -> str:
    """Shell commands that make a fault happen on the stand-in, as root.

    An XID is told to the kernel's log too, in the driver's words: that is where health checks look for it.
    What is cleared counts as reset: the log says so in the words of `gpu_health`, which waits for them.

    Args:
        fault: what shall happen.
        addresses: PCI addresses of the machine's accelerators, for the kernel's log.
    """
    path = shlex.quote(PATH)
    prepare = f"mkdir -p -m 0755 {shlex.quote(PATH.rpartition('/')[0])} && touch {path} && chmod 0644 {path}"
    chosen = addresses if fault.index is None else addresses[fault.index : fault.index + 1]
    if fault.kind is None:
        gone = f": >{path}" if fault.index is None else f"sed -i '/^gpu {fault.index} /d' {path}"
        said = "".join(f" && echo '<5>{RESET}{pci}' >/dev/kmsg" for pci in chosen)
        return f"{prepare} && {gone}{said}"
    # One write of a whole line: the library may read at any time.
    said = f"{prepare} && echo 'gpu {fault.index} {KINDS[fault.kind].key} {fault.value}' >>{path}"
    if fault.kind == "xid":
        said += f" && echo '<3>NVRM: Xid (PCI:{chosen[0]}): {fault.value}, stand-in' >/dev/kmsg"
    return said


def _example(name: str) -> int:
    return {"xid": 79, "nvlink": 3}[name]


def _hint() -> str:
    lines = [
        f"  gpu N {name} {'NUMBER' if kind.high > 1 else ''}".ljust(24) + kind.help
        for name, kind in KINDS.items()
    ]
    return "\n".join(["say one of these, or `gpu N clear`, or `clear`:", *lines])
