"""Files and units of a machine: read from the roles' data, so that Ansible and checks cannot differ."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from infra.errors import UserError
from infra.render.facts import site_for
from infra.render.templates import render
from infra.roles import role_specs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
        facts: `machine` and `site` as mappings.

    Raises:
        UserError: a rule or a template is wrong.
    """
    for rule, known in _rules(component, facts):
        names = _namespaces(known)
        yield Deployed(
            path=_path(rule, names),
            text=render(rule.src, known) if rule.src else None,
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
        yield _path(rule, _namespaces(known))


def component_units(component: Component, facts: Mapping[str, Any]) -> Iterator[str]:
    """Return the names of the units that a component enables and starts on the machine of these facts."""
    if not has_component(component, facts):
        return
    for unit in component.units:
        if unit.only and not look_up(facts, unit.only):
            continue
        for each in look_up(facts, unit.each) or () if unit.each else (None,):
            yield _fill(unit.name, _namespaces({**facts, "each": each}))


def deployed_files(machine: MachineFacts, site: SiteFacts) -> tuple[Deployed, ...]:
    """Render all files that the roles deploy on a machine."""
    facts = _facts(machine, site)
    return tuple(file for one in _components(machine) for file in component_files(one, facts))


def deployed_units(machine: MachineFacts, site: SiteFacts) -> tuple[str, ...]:
    """Return the names of all units that the roles enable and start on a machine."""
    facts = _facts(machine, site)
    return tuple(dict.fromkeys(unit for one in _components(machine) for unit in component_units(one, facts)))


def _facts(machine: MachineFacts, site: SiteFacts) -> dict[str, Any]:
    return {"machine": asdict(machine), "site": asdict(site_for(machine, site))}


def _components(machine: MachineFacts) -> Iterator[Component]:
    specs = role_specs(machine.site)
    for role, components in machine.applied.items():
        for name in components:
            yield specs[role].components[name]


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
