"""Drivers that do not fit the platform whose accelerators they are for, or its firmware set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.spec import catalog
from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.spec.document import Loc
    from infra.spec.hardware import Platform
    from infra.spec.layout import Driver, Rack
    from infra.spec.site import Site


def driver_mistakes(site: Site, racks: Sequence[Rack]) -> Iterator[Mistake]:
    """Mistakes of all declared drivers.

    Args:
        site: the declaration.
        racks: all that it declares.
    """
    used = {name for rack in racks for name in (rack.platform, *(one.platform for one in rack.trays)) if name}
    known = catalog.names("platforms")
    for index, driver in enumerate(site.drivers):
        loc: Loc = ("drivers", index)
        if driver.platform not in used:
            message = f"no rack has trays of {driver.platform}"
            yield Mistake((*loc, "platform"), message, f"the racks have {', '.join(sorted(used))}")
        elif driver.platform in known:  # else the rack's own mistake
            yield from _unfit(loc, driver, catalog.platform(driver.platform))


def _unfit(loc: Loc, driver: Driver, platform: Platform) -> Iterator[Mistake]:
    each = platform.node.accelerator
    if each is None or not platform.node.accelerators:
        yield Mistake(
            (*loc, "platform"), f"{platform.name} has no accelerators, so it has no driver", "leave it out"
        )
    elif each.branches and driver.version.split(".")[0] not in each.branches:
        firmware = ", ".join(f"{part} {version}" for part, version in platform.firmware.items())
        yield Mistake(
            (*loc, "version"),
            f"driver {driver.version} does not fit the firmware set of {platform.name} ({firmware})",
            f"it goes with branch {' or '.join(each.branches)}",
        )
    elif each.driver and _numbers(driver.version) < _numbers(each.driver):
        yield Mistake(
            (*loc, "version"),
            f"driver {driver.version} is older than {platform.name} takes jobs with",
            f"at least {each.driver}",
        )


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
