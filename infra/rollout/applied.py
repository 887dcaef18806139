"""Last rollout of each machine of a site: machines that are up to date are found without asking."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.files import hold_lock, write_whole
from infra.rollout import cordon
from infra.rollout.inventory.observed import Observed
from infra.rollout.inventory.patterns import select
from infra.rollout.inventory.roster_cache import roster_at
from infra.rollout.playbooks import find_playbook
from infra.state_files import read_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
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


def content_of(site: str, playbook: str) -> str:
    """Hash of what a playbook gives a site's machines: playbooks, templates, rendering, declaration."""
    digest = hashlib.sha256(playbook.encode())
    own = paths.inventory(site)
    sources = [paths.ROOT / place for place in ("playbooks", "templates", "infra/render", "infra/roles")]
    for place in (*sources, own):
        for path in sorted(place.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.name != "rollout.yaml":
                digest.update(f"{path.relative_to(paths.ROOT)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def needing(
    site: str,
    pattern: str,
    playbook: str,
    *,
    simulated: bool = False,
    choose: Callable[[Sequence[str]], Sequence[str]] | None = None,
) -> list[str]:
    """Return which of the machines that a pattern picks need a playbook.

    Args:
        site: name of the site.
        pattern: Ansible's.
        playbook: below `playbooks/` or the site's own.
        simulated: of the simulated machines.
        choose: which of the picked machines need it; without it, those that were not given the same by their
            last rollout, which is known without asking them.

    Raises:
        UserError: the pattern, the playbook or the site is wrong, or nothing matches.
    """
    find_playbook(site, playbook)
    roster = roster_at(paths.inventory(site) / "site.yaml")
    fleet = f"{site}/simulated" if simulated else site
    rows = select(roster, pattern, Observed(roster, fleet if simulated else ""))
    if not rows:
        raise UserError(f"no machine matches {pattern!r}", where=f"site {site}", hint="take a part of it out")
    names = [roster.names[row] for row in rows]
    wanted = what(playbook, content_of(site, playbook))
    return list(choose(names)) if choose else _ungiven(fleet, names, wanted)


def _ungiven(fleet: str, names: Sequence[str], wanted: str) -> list[str]:
    """Machines that were not given this by their last rollout, or are out of service."""
    known, out = read_given(fleet), cordon.read_cordoned(fleet)
    return [name for name in names if known.get(name) != wanted or name in out]
