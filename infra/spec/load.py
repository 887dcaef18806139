"""From a YAML file to a checked part of the declaration, with every mistake at once."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from infra import paths
from infra.errors import Problems, UserError
from infra.spec import checks, document, wording
from infra.spec.mending import mended
from infra.spec.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from infra.spec.document import Document, Loc


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
    return load_document(document.read(path))


def load_text(text: str, name: str = "site.yaml") -> Site:
    """Load a declaration from text; `name` stands for the file in messages."""
    return load_document(document.parse(text, name))


def load_document(source: Document) -> Site:
    """Check a parsed declaration; see `load`."""
    problems = list(source.problems)
    if source.value is None and not problems:
        raise Problems([source.problem((), "is empty", "a declaration begins with `name: SITE`")])
    site: Site | None
    try:
        site = Site.model_validate(source.value if source.value is not None else {})
        distrusted: set[Loc] = set()
    except ValidationError as error:
        problems += wording.problems(error, source, Site)
        site, distrusted = mended(source.value, Site, error)
    if site is not None:
        problems += [
            source.problem(mistake.loc, mistake.message, mistake.hint)
            for mistake in checks.mistakes(site)
            if not any(_touch(loc, bad) for loc in (mistake.loc, *mistake.depends) for bad in distrusted)
        ]
    if problems:
        raise Problems(list(dict.fromkeys(problems)))
    assert site is not None
    return site


def _touch(one: Loc, other: Loc) -> bool:
    """Whether one location lies in the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
