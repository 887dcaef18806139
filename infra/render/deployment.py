"""Which files a machine gets: read from the roles, so that Ansible and checks cannot differ.

A role lists its files in `playbooks/roles/ROLE/vars/main.yml`, in variables named `__ROLE_COMPONENT_files`.
Each entry is a mapping with the keys of `FileRule`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from infra.errors import UserError
from infra.paths import ROOT
from infra.plan.tables.machines import Role
from infra.render.facts import site_for
from infra.render.templates import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.render.facts import MachineFacts, SiteFacts

ROLES = ROOT / "playbooks" / "roles"

APPLIED: Mapping[str, frozenset[Role]] = {
    "base": frozenset(Role),
    "fabric": frozenset({Role.SWITCH}),
    "time_server": frozenset({Role.MANAGEMENT}),
    "time_client": frozenset({Role.STORAGE, Role.SWITCH, Role.TRAY}),
    "storage_server": frozenset({Role.STORAGE}),
    "storage_client": frozenset({Role.MANAGEMENT, Role.TRAY}),
    "slurm": frozenset({Role.MANAGEMENT, Role.TRAY}),
}
"""Which machines a role is for; `playbooks/*.yml` say the same and a test compares them."""


@dataclass(frozen=True, slots=True)
class FileRule:
    """A file that a role deploys.

    Attributes:
        src: template below `templates/`; None for a secret or a folder.
        path: target path; by default the template's own. `{each.name}` and the like stand for facts.
        each: dotted name of a list of facts: one file for each element, which templates see as `each`.
        only: dotted name of a fact that must be there and not empty, else the file is not deployed.
        secret: name of a secret of the site (see `infra.rollout.secrets`) that is the content.
        folder: it is a folder.
        mode: octal, as text.
        owner: user name.
        group: group name.
        validate: command that must succeed on the new file, given as `%s`, before it is put in place.
        apply: shell command that makes a changed file count; each is run once, after all files are in place.
    """

    src: str | None = None
    path: str | None = None
    each: str | None = None
    only: str | None = None
    secret: str | None = None
    folder: bool = False
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    validate: str | None = None
    apply: str | None = None


@dataclass(frozen=True, slots=True)
class Deployed:
    """A file as it must be on a machine; `text` is None for a folder or a secret."""

    path: str
    text: str | None
    secret: str | None
    folder: bool
    mode: str
    owner: str
    group: str
    validate: str | None
    apply: str | None


def look_up(facts: Mapping[str, Any], dotted: str) -> Any:
    """The fact of a dotted name such as `machine.links`; None if something before its end is None.

    Raises:
        UserError: there is no such fact.
    """
    found: Any = facts
    for word in dotted.split("."):
        if found is None:
            return None
        try:
            found = found[word]
        except (KeyError, TypeError) as error:
            raise UserError(f"there is no fact {dotted!r}", hint="see infra/render/facts.py") from error
    return found


def component_files(rules: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> Iterator[Deployed]:
    """The files that these rules (mappings with the keys of `FileRule`) give on the machine of these facts.

    Args:
        rules: as a role lists them.
        facts: `machine` and `site` as mappings.

    Raises:
        UserError: a rule or a template is wrong.
    """
    for entry in rules:
        try:
            rule = FileRule(**entry)
        except TypeError as error:
            raise UserError(f"wrong file rule {dict(entry)}: {error}", where="playbooks/roles") from error
        if rule.only and not look_up(facts, rule.only):
            continue
        for each in look_up(facts, rule.each) or () if rule.each else (None,):
            yield _file(rule, {**facts, "each": each} if rule.each else dict(facts))


def deployed_files(machine: MachineFacts, site: SiteFacts) -> tuple[Deployed, ...]:
    """All files that the roles deploy on a machine, in the order of the roles."""
    facts = {"machine": asdict(machine), "site": asdict(site_for(machine, site))}
    return tuple(
        file
        for role, machines in APPLIED.items()
        if Role(machine.role) in machines
        for rules in role_rules(role)
        for file in component_files(rules, facts)
    )


@cache
def role_rules(role: str) -> tuple[tuple[Mapping[str, Any], ...], ...]:
    """The rules of a role, one tuple per component."""
    variables = YAML(typ="safe").load(ROLES / role / "vars" / "main.yml") or {}
    return tuple(tuple(value) for name, value in variables.items() if name.endswith("_files"))


def _file(rule: FileRule, facts: dict[str, Any]) -> Deployed:
    path = rule.path or (f"/{rule.src.removesuffix('.j2')}" if rule.src else None)
    if path is None:
        raise UserError("a file rule needs `src` or `path`", where="playbooks/roles")
    names = {name: _namespace(value) for name, value in facts.items()}
    return Deployed(
        path=path.format_map(names),
        text=render(rule.src, facts) if rule.src else None,
        secret=rule.secret,
        folder=rule.folder,
        mode=rule.mode,
        owner=rule.owner,
        group=rule.group,
        validate=rule.validate,
        apply=rule.apply.format_map(names) if rule.apply else None,
    )


def _namespace(value: Any) -> Any:
    """Mappings as objects, so that a path can say `{site.shared.export}`."""
    if isinstance(value, dict):
        return SimpleNamespace(**{key: _namespace(inner) for key, inner in value.items()})
    return value
