"""Decide which roles, and which of their components, a machine has."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.plan.tables.machines import Role
from infra.roles.folders import role_specs
from infra.spec import catalog
from infra.spec.base import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.roles.data import Machines
    from infra.spec.site import Site

Declared = tuple[tuple[str, tuple[str, ...]], ...]
"""Parts of a declaration that roles ask for and it has, each with the words that it holds."""


class Subject(NamedTuple):
    """Properties of a machine that select its roles.

    Attributes:
        role: what the machine is for.
        platform: its catalog entry, or its switch model's.
        group: name of the declared servers that it is one of; None for trays and switches.
    """

    role: Role
    platform: str
    group: str | None


def declared_parts(site: Site) -> Declared:
    """Parts of a declaration that its roles ask for and it has."""
    asked = {
        path
        for spec in role_specs(site.name).values()
        for machines in (spec.machines, *(component.machines for component in spec.components.values()))
        for path in (machines.declared, machines.named_by)
        if path
    }
    found = {path: tuple(_values(site, path)) for path in sorted(asked)}
    return tuple((path, _text(values)) for path, values in found.items() if values)


@lru_cache(maxsize=1024)
def select_roles(site: str, subject: Subject, declared: Declared) -> Mapping[str, tuple[str, ...]]:
    """Select the roles of a machine, each with its components.

    Args:
        site: name of the site.
        subject: the machine.
        declared: see `declared_parts`.
    """
    parts = dict(declared)
    return {
        name: tuple(
            word for word, component in spec.components.items() if _is_for(component.machines, subject, parts)
        )
        for name, spec in role_specs(site).items()
        if _is_for(spec.machines, subject, parts)
    }


def _is_for(machines: Machines, subject: Subject, declared: Mapping[str, tuple[str, ...]]) -> bool:
    if machines.roles and subject.role not in machines.roles:
        return False
    if machines.declared and machines.declared not in declared:
        return False
    if machines.named_by and subject.group not in declared.get(machines.named_by, ()):
        return False
    return not machines.platform or any(_values(_entry(subject), machines.platform))


def _entry(subject: Subject) -> Any:
    kind = catalog.switch if subject.role is Role.SWITCH else catalog.platform
    return kind(subject.platform)


def _values(part: Any, path: str) -> list[Any]:
    """Everything but nothing that lies at a path of a part of data; lists are searched."""
    keys, _, wanted = path.partition("=")
    found = [part]
    for key in keys.split("."):
        found = [getattr(one, key, None) for each in found for one in _members(each)]
    return [
        one for each in found for one in _members(each) if one and (not wanted or str(one) == wanted)
    ]  # fmt: skip


def _members(part: Any) -> Iterator[Any]:
    yield from part if isinstance(part, tuple) else (part,)


def _text(values: tuple[Any, ...]) -> tuple[str, ...]:
    """Words among values, and those of parts: `services.rollout` names two groups of servers."""
    parts = (vars(one).values() if isinstance(one, Part) else (one,) for one in values)
    return tuple(word for words in parts for word in words if isinstance(word, str))
