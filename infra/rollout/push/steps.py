"""Playbooks that only deploy: what they do, by the playbook and its roles; all others need Ansible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra import paths, yamltext
from infra.roles import FOLDER
from infra.roles.variables import DEFAULTS, SPECS
from infra.rollout.inventory.variables import KINDS
from infra.rollout.playbooks import find_playbook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAY = {"name", "hosts", "tags", "roles"}
TASK = {"name", "deploy", "tags"}
TASK_FILES = {"tasks/main.yml", DEFAULTS, SPECS}
"""Files of a role that are read here. With others (handlers, vars) it might do more than these say."""
FOLDERS = ("defaults", "handlers", "meta", "tasks", "vars")


@dataclass(frozen=True, slots=True)
class Step:
    """One `deploy` task of a play: a pattern of hosts, the role, its components."""

    hosts: str
    role: str
    components: tuple[str, ...]


class _Needed(Exception):  # noqa: N818 (no mistake: it says who is needed)
    """Ansible is needed."""


def plain_steps(site: str, playbook: str) -> tuple[Step, ...] | None:
    """Return a playbook's steps, in order, if all of it is `deploy` tasks of roles; None if it needs Ansible.

    Anything else in a play, a role or a task (a condition, a loop, a handler, another module) needs Ansible.

    Raises:
        UserError: there is no such playbook.
    """
    try:
        return tuple(_of_playbook(site, find_playbook(site, playbook)))
    except (_Needed, yamltext.NotYamlError, UnicodeDecodeError, OSError):
        return None  # Ansible says what is wrong with a file that cannot be read


def _of_playbook(site: str, file: Path) -> Iterator[Step]:
    if any((file.parent / kind).is_dir() for kind in KINDS):
        raise _Needed  # variables beside a playbook are Ansible's alone
    for play in _list(_read(file)):
        imported = play.get("ansible.builtin.import_playbook")
        if imported is not None:
            if set(play) - {"name", "ansible.builtin.import_playbook"}:
                raise _Needed
            yield from _of_playbook(site, file.parent / str(imported))
            continue
        if set(play) - PLAY or not isinstance(play.get("hosts"), str):
            raise _Needed
        for entry in _list(play.get("roles")):
            if set(entry) != {"role"}:
                raise _Needed
            yield from _of_role(site, str(play["hosts"]), str(entry["role"]))


def _of_role(site: str, hosts: str, role: str) -> Iterator[Step]:
    own = paths.inventory(site) / "roles" / role
    folder = own if own.is_dir() else FOLDER / role
    files = {str(path.relative_to(folder)) for name in FOLDERS for path in (folder / name).rglob("*.*")}
    if files - TASK_FILES:
        raise _Needed
    for task in _list(_read(folder / "tasks" / "main.yml")):
        deploy = task.get("deploy")
        if set(task) - TASK or not isinstance(deploy, dict) or set(deploy) != {"components"}:
            raise _Needed
        yield Step(hosts, role, tuple(map(str, deploy["components"])))


def _read(file: Path) -> Any:
    return yamltext.load(file)


def _list(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise _Needed
    return value
