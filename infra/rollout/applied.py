"""What each machine of a site was given last by a rollout: that nothing is to do is known without asking."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING

from infra import paths
from infra.state_files import read_words

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def _file(fleet: str) -> Path:
    return paths.ROOT / ".gigasite" / fleet / "applied.json"


def given(fleet: str) -> dict[str, str]:
    """Machine → playbook and hash of what it was given last by a rollout that went well on it."""
    return read_words(_file(fleet), "remove it: every machine is then asked what it has")


def note(fleet: str, hosts: Iterable[str], what: str) -> None:
    """Note that machines were given something."""
    paths.state(fleet.partition("/")[0])
    paths.state(fleet)
    file = _file(fleet)
    with file.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = {**given(fleet), **dict.fromkeys(hosts, what)}
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(known, sort_keys=True))
        draft.replace(file)


def what(playbook: str, content: str) -> str:
    """How a playbook and the hash of what it applies are noted."""
    return f"{playbook} {content}"
