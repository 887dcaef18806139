"""Build the stand-ins' libnvidia-ml.so.1 and nvidia-smi from their sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = Path(__file__).parent / "source"
LIBRARY, COMMAND = "libnvidia-ml.so.1", "nvidia-smi"
_LIBRARY_PARTS = ("state.c", "device.c", "health.c", "links.c", "events.c")
_COMMAND_PARTS = ("smi.c", "smi_fields.c", "smi_pages.c")
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")
_LIMIT_S = 120


def build_library(folder: Path, flags: Sequence[str] = ()) -> Path:
    """Compile libnvidia-ml.so.1.

    Args:
        folder: where it shall lie.
        flags: further ones for the compiler.

    Raises:
        UserError: there is no compiler, or it refuses the sources.
    """
    target = folder / LIBRARY
    parts = [SOURCE / name for name in _LIBRARY_PARTS]
    shared = ("-fPIC", "-shared", "-fvisibility=hidden", "-pthread", f"-Wl,-soname,{LIBRARY}")
    run(["gcc", *_FLAGS, *flags, *shared, "-o", target, *parts], timeout=_LIMIT_S)
    return target


def build_command(folder: Path, flags: Sequence[str] = ()) -> Path:
    """Compile nvidia-smi, which loads whichever libnvidia-ml.so.1 it finds.

    Args:
        folder: where it shall lie.
        flags: further ones for the compiler.

    Raises:
        UserError: there is no compiler, or it refuses the sources.
    """
    target = folder / COMMAND
    run(["gcc", *_FLAGS, *flags, "-o", target, *(SOURCE / name for name in _COMMAND_PARTS), "-ldl"],
        timeout=_LIMIT_S)  # fmt: skip
    return target


def sources() -> tuple[Path, ...]:
    """Everything that the two are made from, sorted."""
    return tuple(sorted(SOURCE.glob("*.[ch]")))
