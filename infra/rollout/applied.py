"""Last rollout of each machine of a site: machines that are up to date are found without asking."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra import paths
from infra.files import hold_lock, write_whole
from infra.state_files import read_words

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def _file(fleet: str) -> Path:
    return paths.ROOT / ".gigasite" / fleet / "applied.json"


def read_given(fleet: str) -> dict[str, str]:
    """Machine → playbook and hash of what it was given last by a rollout that went well on it."""
    return read_words(_file(fleet), "remove it: every machine is then asked what it has")


def note(fleet: str, hosts: Iterable[str], what: str) -> None:
    """Note that machines were given something."""
    paths.state(fleet.partition("/")[0])
    paths.state(fleet)
    file = _file(fleet)
    with hold_lock(file.with_suffix(".lock")):
        known = {**read_given(fleet), **dict.fromkeys(hosts, what)}
        write_whole(file, json.dumps(known, sort_keys=True))


def what(playbook: str, content: str) -> str:
    """How a playbook and the hash of what it applies are noted."""
    return f"{playbook} {content}"
