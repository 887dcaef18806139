"""Requests to the part of `deploy` that runs on a machine: files, what is removed, units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra import paths
from infra.render.deployment import component_files, component_paths, component_units, facts_of_role
from infra.roles import role_specs
from infra.rollout.push.expected import PENDING
from infra.rollout.secrets import secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.render.deployment import Deployed

REMOTE = paths.ROOT / "playbooks" / "plugins" / "modules" / "deploy.py"


def request_of(
    role: str, components: Sequence[str], facts: Mapping[str, Any], *, check: bool = False
) -> dict[str, Any]:
    """Ask for some components of a role, as far as the machine of these facts has them.

    Args:
        role: its name.
        components: of it.
        facts: `machine`, `site`, and variables of roles; a default stands for one that is not there.
        check: change nothing.

    Raises:
        UserError: a rule or a template is wrong.
    """
    site = facts["site"]["name"]
    known = facts_of_role(role, facts)
    spec = role_specs(site)[role]
    has = facts["machine"]["applied"].get(role, ())
    chosen = [spec.components[name] for name in components if name in has]
    prune = [pattern for one in chosen for pattern in one.prune]
    return {
        "files": [_wire(file, site) for one in chosen for file in component_files(one, known)],
        "prune": prune,
        "keep": _all_paths(facts) if prune else [],
        "units": list(dict.fromkeys(unit for one in chosen for unit in component_units(one, facts))),
        "check": check,
        "pending": PENDING,
    }


def program(*requests: Mapping[str, Any]) -> str:
    """Python source for the machine: it prints a result for each request, up to the first that fails."""
    calls = " and ".join(f"converge({request!r})" for request in requests)
    return f"{REMOTE.read_text(encoding='utf-8')}\n\n{calls}\n"


def _all_paths(facts: Mapping[str, Any]) -> list[str]:
    """Paths of all files that the machine's roles deploy, whichever of them run now."""
    specs = role_specs(facts["site"]["name"])
    return [
        path
        for role, names in facts["machine"]["applied"].items()
        for name in names
        for path in component_paths(specs[role].components[name], facts)
    ]


def _wire(file: Deployed, site: str) -> dict[str, Any]:
    """A file as the machine's part takes it."""
    content = secret(site, file.secret) if file.secret else (file.text or "").encode()
    return {
        "path": file.path,
        "folder": file.folder,
        "mode": file.mode,
        "owner": file.owner,
        "group": file.group,
        "validate": file.validate,
        "apply": file.apply,
        "quiet": file.secret is not None,
        "content": content,
    }
