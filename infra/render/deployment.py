"""Files and units of a machine: read from the roles' data, so that Ansible and checks cannot differ."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from infra.errors import UserError
from infra.render.site_facts import site_for
from infra.render.templates import render
from infra.roles import plain_files, role_specs
from infra.roles.variables import role_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.render.facts import MachineFacts, SiteFacts
    from infra.roles import Component, FileRule


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
    """Return the fact of a dotted name such as `machine.links`; None if something before its end is None.

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
            raise UserError(
                f"there is no fact {dotted!r}", where="role.yaml", hint="see infra/render/facts.py"
            ) from error
    return found


def has_component(component: Component, facts: Mapping[str, Any]) -> bool:
    """Return whether the machine of these facts has a component: the fact in its `only` is there.

    Raises:
        UserError: there is no such fact.
    """
    return not component.only or bool(look_up(facts, component.only))


def component_files(component: Component, facts: Mapping[str, Any]) -> Iterator[Deployed]:
    """Render the files that a component deploys on the machine of these facts.

    Args:
        component: of a role.
        facts: `machine` and `site` as mappings, and the variables of its role.

    Raises:
        UserError: a rule or a template is wrong.
    """
    switch = facts["machine"].get("switch")
    for rule, known in _rules(component, facts):
        names = _namespaces(known)
        path = _path(rule, names)
        texts: dict[str, str | None] = {
            path: render(rule.src, {"switch": switch, **known}) if rule.src else None
        }
        if rule.copy_:
            texts = {f"{path}/{file.name}": file.read_text() for file in _copied(rule, known)}
        for target, text in texts.items():
            yield Deployed(
                path=target,
                text=text,
                secret=rule.secret,
                folder=rule.folder,
                mode=rule.mode,
                owner=rule.owner,
                group=rule.group,
                validate=rule.validate_,
                apply=_fill(rule.apply, names) if rule.apply else None,
            )


def component_paths(component: Component, facts: Mapping[str, Any]) -> Iterator[str]:
    """Return the paths of the files that a component deploys, without rendering them."""
    for rule, known in _rules(component, facts):
        path = _path(rule, _namespaces(known))
        yield from (f"{path}/{file.name}" for file in _copied(rule, known)) if rule.copy_ else (path,)


def component_units(component: Component, facts: Mapping[str, Any]) -> Iterator[str]:
    """Return the names of the units that a component enables and starts on the machine of these facts."""
    if not has_component(component, facts):
        return
    for unit in component.units:
        if unit.only and not look_up(facts, unit.only):
            continue
        for each in look_up(facts, unit.each) or () if unit.each else (None,):
            yield _fill(unit.name, _namespaces({**facts, "each": each}))


def render_files(
    machine: MachineFacts, site: SiteFacts, variables: Mapping[str, Any] | None = None
) -> tuple[Deployed, ...]:
    """Render all files that the roles deploy on a machine.

    Args:
        machine: the machine.
        site: its site.
        variables: of its roles (`SiteVariables.of`); the defaults without.

    Raises:
        UserError: a rule or a template is wrong.
    """
    facts = {**_facts(machine, site), **(variables or {})}
    return tuple(
        file
        for role, one in _components(machine)
        for file in component_files(one, facts_of_role(role, facts))
    )


def facts_of_role(role: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the templates of one role may name: `machine`, `site`, its own variables.

    Args:
        role: its name.
        facts: those of the machine, and variables of roles; a default stands for one that is not there.
    """
    defaults = role_variables(facts["site"]["name"])[role].defaults
    return {
        "machine": facts["machine"],
        "site": facts["site"],
        **{name: facts.get(name, value) for name, value in defaults.items()},
    }


def unit_names(machine: MachineFacts, site: SiteFacts) -> tuple[str, ...]:
    """Return the names of all units that the roles enable and start on a machine."""
    facts = _facts(machine, site)
    return tuple(
        dict.fromkeys(unit for _, one in _components(machine) for unit in component_units(one, facts))
    )


def _facts(machine: MachineFacts, site: SiteFacts) -> dict[str, Any]:
    return {"machine": asdict(machine), "site": asdict(site_for(machine, site))}


def _components(machine: MachineFacts) -> Iterator[tuple[str, Component]]:
    specs = role_specs(machine.site)
    for role, components in machine.applied.items():
        for name in components:
            yield role, specs[role].components[name]


def _rules(component: Component, facts: Mapping[str, Any]) -> Iterator[tuple[FileRule, dict[str, Any]]]:
    """Rules that hold for a machine, each with the facts that its path and template see."""
    if not has_component(component, facts):
        return
    for rule in component.rules:
        if rule.only and not look_up(facts, rule.only):
            continue
        if not rule.each:
            yield rule, dict(facts)
            continue
        for each in look_up(facts, rule.each) or ():
            yield rule, {**facts, "each": each}


def _copied(rule: FileRule, facts: Mapping[str, Any]) -> list[Path]:
    """Plain files of a rule that copies."""
    return plain_files(rule.copy_ or "", facts["site"]["name"])


def _path(rule: FileRule, names: Mapping[str, Any]) -> str:
    return _fill(rule.path or f"/{(rule.src or '').removesuffix('.j2')}", names)


def _fill(text: str, names: Mapping[str, Any]) -> str:
    """Fill in facts such as `{each.name}`."""
    if "{" not in text:
        return text
    try:
        return text.format_map(names)
    except (AttributeError, KeyError, ValueError, IndexError) as error:
        raise UserError(
            f"{text!r} names no fact: {error}", where="role.yaml", hint="see infra/render/facts.py"
        ) from error


def _namespaces(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _Facts(value) if isinstance(value, dict) else value for name, value in facts.items()}


class _Facts(SimpleNamespace):
    """A mapping as an object, so that a path can say `{site.shared.export}`; inner ones when asked for."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(**values)

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return _Facts(value) if isinstance(value, dict) and name != "__dict__" else value
