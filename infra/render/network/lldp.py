"""Neighbours as LLDP tells them: what `lldpcli -f json show neighbors details` prints on a device."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from infra.errors import Problem, Problems
from infra.render.network.cabling import End, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPEED = re.compile(r"^(\d+(?:\.\d+)?)(G?)base", re.IGNORECASE)
"""Start of an IEEE 802.3 MAU type: `10GbaseT`, `1000BaseTFD`, `100GbaseCR4`."""


def read_neighbors(text: str, device: str, name: str) -> list[Seen]:
    """Read what one device prints.

    Args:
        text: JSON of lldpcli, with details if speeds are to be compared.
        device: that printed it.
        name: of the file, for messages.

    Raises:
        Problems: it is something else.
    """
    try:
        interfaces = json.loads(text)["lldp"].get("interface", {})
        # lldpcli prints an object for one interface with neighbours, and a list for several.
        entries = interfaces if isinstance(interfaces, list) else [interfaces]
        found = [_seen(device, own, entry) for group in entries for own, entry in group.items()]
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        hint = "write what `lldpcli -f json show neighbors details` prints on the device"
        raise Problems([Problem(name, 1, "$", "is not what lldpcli prints as JSON", hint)]) from error
    return found


def _seen(device: str, own: str, entry: dict[str, Any]) -> Seen:
    chassis, port = entry["chassis"], entry["port"]
    # A chassis without a system name is told by its id.
    other = next(iter(chassis)) if "id" not in chassis else str(chassis["id"]["value"])
    current = port.get("auto-negotiation", {}).get("current", "")
    match = SPEED.match(current)
    gbit = float(match[1]) * (1 if match[2] else 0.001) if match else None
    return Seen(End(device, own), End(other, str(port["id"]["value"])), gbit)


def read_folder(folder: Path) -> list[Seen]:
    """Read DEVICE.json of each device in a folder.

    Raises:
        Problems: with all files that are something else, or there is none.
    """
    return list(_folder(folder))


def _folder(folder: Path) -> Iterator[Seen]:
    files, problems = sorted(folder.glob("*.json")), []
    for file in files:
        try:
            yield from read_neighbors(file.read_text(encoding="utf-8"), file.stem, str(file))
        except Problems as error:
            problems += error.problems
    if not files:
        hint = "one file for each device, named after it"
        problems.append(Problem(str(folder), 1, "$", "has no DEVICE.json", hint))
    if problems:
        raise Problems(problems)
