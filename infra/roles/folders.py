"""Find and load role folders: those of `playbooks/roles` and a site's own, beside its declaration."""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from infra import paths
from infra.errors import Problems
from infra.roles.data import Machines, RoleSpec
from infra.spec import document, schema_walk, validation_messages
from infra.spec.hardware import Platform
from infra.spec.mistake import Mistake
from infra.spec.site import Site
from infra.spec.switch import Switch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pydantic import BaseModel

    from infra.errors import Problem
    from infra.spec.document import Loc

Part = TypeVar("Part")
FOLDER = paths.ROOT / "playbooks" / "roles"
FILES = paths.ROOT / "playbooks" / "files"
FILE = "role.yaml"
RESERVED = ("all", "ungrouped", "cordoned", *("health_ok", "health_failed", "health_unknown"), "other_roles")
"""Groups of the inventory that are no role's."""


@cache
def role_specs(site: str | None = None) -> Mapping[str, RoleSpec]:
    """Load all roles, by name: those of the product, then the site's own.

    Args:
        site: name of the site whose own roles are found too.

    Raises:
        Problems: every mistake of every file.
    """
    return load_each(load_role, site)


def load_each(load: Callable[[Path], Part], site: str | None) -> dict[str, Part]:
    """Load something of each role's folder, by role.

    Args:
        load: loads it from a folder.
        site: name of the site whose own roles are found too.

    Raises:
        Problems: every mistake of every folder.
    """
    found: dict[str, Part] = {}
    problems: list[Problem] = []
    for folder in role_folders(site):
        try:
            found[folder.name] = load(folder)
        except Problems as error:
            problems += error.problems
    if problems:
        raise Problems(problems)
    return found


def role_folders(site: str | None = None) -> list[Path]:
    """Folders with a `role.yaml`, in order of their names; a site's own come last."""
    places = [FOLDER, paths.inventory(site) / "roles"] if site else [FOLDER]
    return [file.parent for place in places for file in sorted(place.glob(f"*/{FILE}"))]


def load_role(folder: Path) -> RoleSpec:
    """Load the data file of one role's folder.

    Raises:
        Problems: every mistake, with file and line.
    """
    source = document.read(folder / FILE)
    problems = list(source.problems)
    try:
        spec = RoleSpec.model_validate(source.value if source.value is not None else {})
    except ValidationError as error:
        raise Problems(problems + validation_messages.problems(error, source, RoleSpec)) from error
    problems += [
        source.problem(one.loc, one.message, one.hint)
        for one in (*_name_mistakes(folder), *_mistakes(spec, folder))
    ]
    if problems:
        raise Problems(problems)
    return spec


def _name_mistakes(folder: Path) -> Iterator[Mistake]:
    name = folder.name
    if not name.isidentifier() or name != name.lower():
        yield Mistake((), f"the folder's name {name!r} is no group of an inventory", "use a-z, 0-9 and _")
    if name in RESERVED:
        yield Mistake((), f"the inventory has another group {name!r}", "give the role another name")
    if FOLDER not in folder.parents and (FOLDER / name / FILE).exists():
        yield Mistake((), f"gigasite has a role {name!r} of its own", "give yours another name")


def _mistakes(spec: RoleSpec, folder: Path) -> Iterator[Mistake]:
    yield from _machines_mistakes(spec.machines, ("machines",))
    for name, component in spec.components.items():
        here: Loc = ("components", name)
        yield from _machines_mistakes(component.machines, (*here, "machines"))
        sources = [(*here, "files", number, "src") for number in range(len(component.files))]
        sources += [(*here, "drop_ins", number) for number in range(len(component.drop_ins))]
        for loc, rule in zip(sources, component.rules, strict=True):
            if rule.src:
                yield from _template_mistakes(rule.src, loc, folder)
            if rule.copy_ and not any(any(place.glob(rule.copy_)) for place in _plain_places(folder)):
                hint = f"put it into {document.display(_plain_places(folder)[-1])}"
                yield Mistake((*loc[:-1], "copy"), f"there is no file {rule.copy_}", hint)


def plain_files(pattern: str, site: str | None = None) -> list[Path]:
    """Return the files that a rule's `copy` names: the product's, then those of a site's own roles."""
    places = [FILES]
    if site:
        places += sorted((paths.inventory(site) / "roles").glob("*/files"))
    return [file for place in places for file in sorted(place.glob(pattern)) if file.is_file()]


def _plain_places(folder: Path) -> list[Path]:
    return [FILES] if folder.parent == FOLDER else [FILES, folder / "files"]


def _template_mistakes(src: str, loc: Loc, folder: Path) -> Iterator[Mistake]:
    """A template lies in one place: the product's, or a folder of the site's own roles."""
    places = [paths.ROOT / "templates"]
    if folder.parent != FOLDER:
        others = sorted(place for place in folder.parent.glob("*/templates") if place.parent != folder)
        places += [*others, folder / "templates"]
    there = [place for place in places if (place / src).is_file()]
    if not there:
        yield Mistake(loc, f"there is no template {src}", f"make {document.display(places[-1] / src)}")
    if len(there) > 1:
        hint = "give it another name, and the file its `path`"
        yield Mistake(loc, f"{document.display(there[0] / src)} has the same name", hint)


def _machines_mistakes(machines: Machines, loc: Loc) -> Iterator[Mistake]:
    for key, models in (("platform", (Platform, Switch)), ("declared", (Site,)), ("named_by", (Site,))):
        path = getattr(machines, key)
        if path and (wrong := _unknown_key(path.partition("=")[0].split("."), models)):
            word, known = wrong
            near = difflib.get_close_matches(word, known, 1, 0.6)
            hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(sorted(known))}"
            yield Mistake((*loc, key), f"unknown key `{word}` in `{path}`", hint)


def _unknown_key(words: list[str], models: tuple[type[BaseModel], ...]) -> tuple[str, list[str]] | None:
    """The first key that no model has at its place, and those that it could be; None if all are known."""
    wrong: tuple[str, list[str]] | None = None
    for model in models:
        loc: Loc = ()
        for word in words:
            if not (known := schema_walk.keys(model, loc)):
                loc = (*loc, 0)
                known = schema_walk.keys(model, loc)
            if word not in known:
                wrong = wrong or (word, known)
                break
            loc = (*loc, word)
        else:
            return None
    return wrong
