"""Find the roles that no playbook names: `playbooks/others.yml` applies them after all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra import paths, yamltext
from infra.roles.folders import role_specs

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "other_roles"
"""The inventory's group of machines that have such a role, and the variable with the roles' names."""


def other_roles(site: str) -> tuple[str, ...]:
    """Return the roles that neither a playbook of the product nor one of the site's own names."""
    named = set(_named(site))
    return tuple(name for name in role_specs(site) if name not in named)


def _named(site: str) -> Iterator[str]:
    for folder in (paths.ROOT / "playbooks", paths.inventory(site) / "playbooks"):
        for path in sorted(folder.glob("*.yml")):
            try:
                plays = yamltext.load(path, lenient=True)  # `!vault` and the like
            except (yamltext.NotYamlError, UnicodeDecodeError, OSError):
                continue  # Ansible says what is wrong with it
            for play in plays if isinstance(plays, list) else ():
                yield from _roles_of(play)


def _roles_of(play: Any) -> Iterator[str]:
    for role in (play.get("roles") or ()) if isinstance(play, dict) else ():
        yield str(role.get("role") or role.get("name")) if isinstance(role, dict) else str(role)
