"""Machines that rollouts took out of service and did not give back: a file of names and reasons per site."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra import paths
from infra.files import hold_lock, write_whole
from infra.state_files import read_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def _file(site: str) -> Path:
    return paths.ROOT / ".gigasite" / site / "cordoned.json"


def read_cordoned(site: str) -> dict[str, str]:
    """Reason by name of each machine that is out of service.

    Raises:
        UserError: the file is damaged.
    """
    # Read as none, it would give machines back that were taken out for a reason.
    return read_words(_file(site), "write who is out again, or remove it if nobody is")


def read_cordoned_names(site: str) -> tuple[str, ...]:
    """Names of the machines that are out of service."""
    return tuple(read_cordoned(site))


def update(site: str, taken: Mapping[str, str], given_back: Iterable[str] = ()) -> None:
    """Note machines that were taken out of service, and those that are in service again."""
    paths.state(site.partition("/")[0])
    file = paths.state(site) / "cordoned.json"
    with hold_lock(file.parent / "cordoned.lock"):
        known = {**read_cordoned(site), **taken}
        for name in given_back:
            known.pop(name, None)
        write_whole(file, json.dumps(known, indent=1, sort_keys=True))
