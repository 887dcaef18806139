"""From a YAML file to a checked part of the declaration, with every mistake at once."""

from __future__ import annotations

import difflib
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from infra import paths
from infra.errors import Problem, Problems, UserError
from infra.spec import catalog, checks, document, parts, validation_messages
from infra.spec.error_recovery import recover
from infra.spec.fabric import Fabrics
from infra.spec.site import Site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.spec.document import Document, Loc
    from infra.spec.fabric import Fabric
    from infra.spec.grid import Cooling
    from infra.spec.layout import Rack

    Known = Mapping[tuple[str, str], str]

Named = TypeVar("Named", bound=BaseModel)


def load_site(name: str) -> Site:
    """Load `inventories/NAME/site.yaml`.

    Raises:
        UserError: there is no such site.
        Problems: the declaration has mistakes.
    """
    path = paths.inventory(name) / "site.yaml"
    if not path.is_file():
        known = sorted(folder.parent.name for folder in (paths.ROOT / "inventories").glob("*/site.yaml"))
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known) or 'none'}"
        raise UserError(f"there is no site `{name}`", where=f"inventories/{name}/site.yaml", hint=hint)
    site = load(path)
    if site.name != path.parent.name:
        source = document.read(path)
        message = f"is `{site.name}`, but the folder is `{path.parent.name}`"
        hint = "give both one name: stacks, machines and inventories take theirs from it"
        raise Problems([source.problem(("name",), message, hint)])
    return site


def load(path: Path) -> Site:
    """Load and check a declaration.

    Raises:
        Problems: with all mistakes, each with file, line, path, message and hint.
    """
    folder = path.parent / "catalog"
    own, problems = parts.load_folder(folder, catalog.OWN) if folder.is_dir() else ({}, [])
    for kind, name in own:
        if name in catalog.list_shipped(kind):
            place = document.display(folder / kind / f"{name}.yaml")
            message = f"`{name}` is in the shipped catalog already"
            problems.append(Problem(place, 1, "$.name", message, "give yours another name"))
    known = {key: catalog.add(key[0], entry, path.parent.name) for key, entry in own.items()}
    return load_document(document.read(path), known, problems)


def load_text(text: str, name: str = "site.yaml", known: Known | None = None) -> Site:
    """Load a declaration from text.

    Args:
        text: the YAML text.
        name: stands for the file in messages.
        known: see `load_document`.
    """
    return load_document(document.parse(text, name), known)


def load_document(source: Document, known: Known | None = None, found: Sequence[Problem] = ()) -> Site:
    """Check a parsed declaration; see `load`.

    Args:
        source: the document.
        known: entries of a catalog of its own: kind and name there → name in this process.
        found: mistakes in those.
    """
    known = known or {}
    with catalog.reading((kind, name) for (kind, _), name in known.items()):
        return _checked(source, known, found)


def _checked(source: Document, known: Known, found: Sequence[Problem]) -> Site:
    problems = [*found, *source.problems]
    broken = {f"`{PurePath(problem.file).stem}`" for problem in found}
    if source.value is None and not problems:
        raise Problems([source.problem((), "is empty", "a declaration begins with `name: SITE`")])
    site: Site | None
    try:
        site = Site.model_validate(source.value if source.value is not None else {})
        distrusted: set[Loc] = set()
    except ValidationError as error:
        problems += validation_messages.problems(error, source, Site)
        site, distrusted = recover(source.value, Site, error)
    if site is not None:
        site = naming_entries(site, {key: name for key, name in known.items() if key[1] != name})
        problems += [
            source.problem(mistake.loc, mistake.message, mistake.hint)
            for mistake in checks.mistakes(site)
            if not any(_touch(loc, bad) for loc in (mistake.loc, *mistake.depends) for bad in distrusted)
            # An entry that does not load is not unknown.
            and not (mistake.message.startswith("unknown ") and mistake.message.split()[-1] in broken)
        ]
    if problems:
        raise Problems(list(dict.fromkeys(problems)))
    assert site is not None
    return site


def naming_entries(site: Site, names: Mapping[tuple[str, str], str]) -> Site:
    """The declaration with other names for entries of the catalog, by kind and name."""
    if not names:
        return site

    def platform(part: Named, key: str = "platform") -> Named:
        return part.model_copy(update={key: names.get(("platforms", getattr(part, key)), getattr(part, key))})

    def rack(part: Rack) -> Rack:
        return platform(part).model_copy(update={"trays": tuple(platform(trays) for trays in part.trays)})

    def switch(part: Named) -> Named:
        model = part.switch  # type: ignore[attr-defined]
        return part.model_copy(update={"switch": names.get(("switches", model), model)})

    def fabric(part: Fabric) -> Fabric:
        tiers, leaves = map(switch, part.tiers), map(switch, part.leaves)
        return part.model_copy(update={"tiers": tuple(tiers), "leaves": tuple(leaves)})

    def loop(part: Cooling | None) -> Cooling | None:
        if part is None or part.cooler is None:
            return part
        return part.model_copy(update={"cooler": names.get(("coolers", part.cooler), part.cooler)})

    racks = tuple(
        entry.model_copy(update={"rack": entry.rack and rack(entry.rack), "cooling": loop(entry.cooling)})
        for entry in site.exceptions
    )
    fabrics = {name.replace("-", "_"): fabric(part) for name, part in site.fabrics.named().items()}
    return site.model_copy(
        update={
            "layout": site.layout.model_copy(update={"rack": rack(site.layout.rack)}),
            "exceptions": racks,
            "servers": tuple(platform(server) for server in site.servers),
            "fabrics": Fabrics.model_validate(fabrics),
            "cooling": loop(site.cooling),
        }
    )


def _touch(one: Loc, other: Loc) -> bool:
    """Whether one location lies in the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
