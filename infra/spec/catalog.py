"""Platforms, switch models, cables, optics and coolers as data: one YAML file each, with sources.

Adding a model is adding a file under `infra/spec/catalog/KIND/`, or, for one site, under the site's own
`catalog/KIND/`; no code names one.

Entries of a site's own, and of earlier revisions, are known by their name as long as no other entry has it in
this process; else by name and origin (`hall-cdu@HEAD~1`), so that two declarations can be compared that mean
different things by one name.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from infra.spec.hardware import Cable, Cooler, Interface, Optic, Platform
from infra.spec.parts import load_part
from infra.spec.switch import Switch, System

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.spec.base import Part

CATALOG = Path(__file__).resolve().parent / "catalog"

KINDS: dict[str, type[Part]] = {
    "platforms": Platform,
    "switches": Switch,
    "systems": System,
    "cables": Cable,
    "optics": Optic,
    "coolers": Cooler,
    "interfaces": Interface,
}

OWN: dict[str, type[Part]] = {kind: KINDS[kind] for kind in ("platforms", "switches", "coolers")}
"""Kinds that a site can have entries of its own of."""

_added: dict[tuple[str, str], Part] = {}
"""Entries that are not shipped, by kind and the name that they are known by in this process."""
_scope: ContextVar[frozenset[tuple[str, str]]] = ContextVar("scope", default=frozenset())
"""Those that the declaration which is being read may name."""


@cache
def list_shipped(kind: str) -> tuple[str, ...]:
    """Return the names of all entries of a kind (a folder of the catalog), sorted."""
    return tuple(sorted(path.stem for path in (CATALOG / kind).glob("*.yaml")))


def names(kind: str) -> tuple[str, ...]:
    """Names of a kind that the declaration which is being read may use, sorted."""
    own = {name for one, name in _scope.get() if one == kind}
    return tuple(sorted({*list_shipped(kind), *own})) if own else list_shipped(kind)


def has(kind: str, name: str) -> bool:
    """Whether there is an entry, shipped or of any declaration that was read."""
    return name in list_shipped(kind) or (kind, name) in _added


def add(kind: str, entry: Part, origin: str, *, plain: bool = True) -> str:
    """Add an entry that is not shipped and return the name that it is known by in this process.

    Args:
        kind: of the entry.
        entry: itself.
        origin: where it comes from, behind its name where that is taken.
        plain: whether it may have its name alone.
    """
    name = str(getattr(entry, "name", ""))
    others = (f"{name}@{origin}", *(f"{name}@{origin}-{number}" for number in range(2, 1000)))
    for known in (name, *others) if plain and name not in list_shipped(kind) else others:
        named = entry.model_copy(update={"name": known})
        if _added.setdefault((kind, known), named) == named:
            return known
    return name


@contextmanager
def reading(own: Iterable[tuple[str, str]]) -> Iterator[None]:
    """Let the declaration that is read meanwhile name these entries (kind, name) besides those shipped."""
    token = _scope.set(frozenset(own))
    try:
        yield
    finally:
        _scope.reset(token)


@cache
def _shipped(kind: str, name: str) -> Part:
    return load_part(CATALOG / kind / f"{name}.yaml", KINDS[kind])


def _entry(kind: str, name: str) -> Part:
    added = _added.get((kind, name))
    return _shipped(kind, name) if added is None else added


def platform(name: str) -> Platform:
    """A platform by name; the declaration's check has made sure that it is there."""
    entry = _entry("platforms", name)
    assert isinstance(entry, Platform)
    return entry


def switch(name: str) -> Switch:
    """A switch model by name."""
    entry = _entry("switches", name)
    assert isinstance(entry, Switch)
    return entry


def is_ordinary(switch_model: str) -> bool:
    """Return whether switches of a model are ordinary machines, with the roles of such."""
    runs = switch(switch_model).system
    return runs is not None and system(runs).deployed


def system(name: str) -> System:
    """An operating system of switches by name."""
    entry = _entry("systems", name)
    assert isinstance(entry, System)
    return entry


def cooler(name: str) -> Cooler:
    """A CDU by name."""
    entry = _entry("coolers", name)
    assert isinstance(entry, Cooler)
    return entry


def interface(name: str) -> Interface:
    """An accelerator's interface by name."""
    entry = _entry("interfaces", name)
    assert isinstance(entry, Interface)
    return entry


def cables() -> Mapping[str, Cable]:
    """All cables by name."""
    found = {name: _entry("cables", name) for name in list_shipped("cables")}
    return {name: entry for name, entry in found.items() if isinstance(entry, Cable)}


def optics() -> Mapping[str, Optic]:
    """All optics by name."""
    found = {name: _entry("optics", name) for name in list_shipped("optics")}
    return {name: entry for name, entry in found.items() if isinstance(entry, Optic)}
