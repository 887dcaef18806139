"""Whether a run has something to do: what Ansible would call a success without having done anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.rollout.inventory.observed import Observed
from infra.rollout.inventory.patterns import select
from infra.rollout.inventory.roster_cache import roster_at
from infra.rollout.outputs import machine_outputs
from infra.rollout.tags import check_tags

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def require(site: str, limit: str | None, tags: Sequence[str], playbook: Path) -> None:
    """Refuse a run that would find nothing to do.

    Args:
        site: its name.
        limit: Ansible's pattern, or None for all machines.
        tags: only these parts.
        playbook: what is run.

    Raises:
        UserError: the state cannot be read, the pattern picks no machine, or no task has a tag.
    """
    machine_outputs(site)
    check_tags(tags, [playbook], paths.inventory(site))
    if limit:
        roster = roster_at(paths.inventory(site) / "site.yaml")
        if not select(roster, limit, Observed(roster)):
            raise UserError(
                f"the pattern {limit!r} picks no machine", where=f"site {site}", done="Nothing was changed."
            )


def none_done(site: str, limit: str | None, tags: Sequence[str], output: str) -> UserError:
    """The error of a run that ended well and did nothing."""
    asked = [f"--limit {limit}"] * bool(limit) + [f"--tags {','.join(tags)}"] * bool(tags)
    return UserError(
        f"nothing was done: no play is for any machine of {' and '.join(asked) or 'this site'}",
        where=f"site {site}",
        hint=f"Ansible's output is in {output}",
    )
