"""`gigasite doctor`: what this machine has and lacks, what needs it, and the one command that installs it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from infra import paths
from infra.cli.arguments import Json
from infra.pipeline import apt
from infra.pipeline.prerequisites import packages_of, requirements
from infra.pipeline.progress import console

if TYPE_CHECKING:
    from collections.abc import Sequence

_DISK_GIB = 8
"""Image with its template state 1 GiB, building it 3 GiB, five overlays 2 GiB, and room."""
_MEMORY_GIB = 4
"""Five stand-ins at 350–400 MB each without hardware acceleration, and the tools beside them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table.

    Attributes:
        name: what it is about.
        found: whether it is there, or enough.
        needed_by: what needs it.
        packages: Debian packages that bring it; empty if none does.
        detail: version, size or reason.
        optional: nothing fails without it.
    """

    name: str
    found: bool
    needed_by: str
    packages: tuple[str, ...] = ()
    detail: str = ""
    optional: bool = False


def examine() -> tuple[Finding, ...]:
    """Look at this machine; changes nothing."""
    found = [
        Finding(item.name, item.check(), item.needed_by, packages_of(item), "") for item in requirements()
    ]
    disk = shutil.disk_usage(paths.cache()).free / 2**30
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    pulumi = shutil.which("pulumi")
    return (
        *found,
        Finding(
            "free disk", disk >= _DISK_GIB, "image and stand-ins", detail=f"{disk:.0f} GiB in {paths.cache()}"
        ),
        Finding("memory", memory >= _MEMORY_GIB, "stand-ins", detail=f"{memory:.0f} GiB"),
        Finding(
            "Pulumi CLI",
            pulumi is not None,
            "`--engine pulumi` (the embedded engine needs none)",
            detail=pulumi or "not on PATH",
            optional=True,
        ),
    )


def command(as_json: Json = False) -> int:
    """List what this machine has and lacks for gigasite, and the one command that installs the rest."""
    findings = examine()
    acceleration = _acceleration()
    lacking = [item for item in findings if not item.found and not item.optional]
    packages = list(dict.fromkeys(package for item in lacking for package in item.packages))
    install = apt.command(packages) if packages else None
    if as_json:
        print(
            json.dumps(
                {
                    "ok": not lacking,
                    "requirements": [asdict(item) for item in findings],
                    "install": install,
                    "acceleration": acceleration and {"kind": acceleration[0], "reason": acceleration[1]},
                },
                indent=2,
            )
        )
    else:
        _show(findings, acceleration, install)
    return int(bool(lacking))


def _show(findings: Sequence[Finding], acceleration: tuple[str, str] | None, install: str | None) -> None:
    from rich.table import Table  # noqa: PLC0415 (not for --help)

    table = Table("", "what", "needed by", "", box=None, pad_edge=False)
    for item in findings:
        state = (
            "[green]found[/]" if item.found else "[yellow]absent[/]" if item.optional else "[red]missing[/]"
        )
        table.add_row(
            state, item.name, item.needed_by, item.detail or ("" if item.found else " ".join(item.packages))
        )
    console().print(table)
    if acceleration:
        print(f"\nacceleration: {acceleration[0]} ({acceleration[1]})")
    if install:
        print(f"\ninstall what is missing:\n  {install}")
        if apt.may_install():
            print("(`gigasite up` and `gigasite test` do that themselves here)")


def _acceleration() -> tuple[str, str] | None:
    """How stand-ins would run here; None where QEMU or a kernel to boot is still missing."""
    if not shutil.which("qemu-system-x86_64"):
        return None
    from infra.lab import accel, image  # noqa: PLC0415 (not for --help)

    built = image.find_cached_image()
    if built is None:
        return None
    probed = accel.probe(built.kernel)
    return str(probed.kind), probed.reason
