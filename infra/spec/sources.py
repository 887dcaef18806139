"""Which declaration a person means: a site's name, a file, or a site at a git revision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from infra import paths, process
from infra.errors import UserError
from infra.spec import catalog, document, parts
from infra.spec.load import load, load_site, load_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.spec.site import Site


def load_named(text: str) -> Site:
    """Load `SITE`, `path/to/site.yaml` or `REVISION:SITE`.

    Raises:
        UserError: there is no such site, file or revision.
        Problems: the declaration has mistakes.
    """
    path = Path(text)
    if path.suffix in {".yaml", ".yml"} or path.is_dir():
        return load(path / "site.yaml" if path.is_dir() else path)
    revision, colon, site = text.partition(":")
    if colon:
        return at(revision, site)
    return load_site(text)


def is_site(text: str) -> bool:
    """Whether a word names a site, a file or a site at a revision, and not a revision alone."""
    path = Path(text)
    return (
        ":" in text
        or path.suffix in {".yaml", ".yml"}
        or (paths.inventory(text) / "site.yaml").is_file()
        or (path / "site.yaml").is_file()
    )


def at(revision: str, site: str) -> Site:
    """Load a site as it was at a git revision, with that revision's catalog.

    Cables, optics and operating systems are today's: the declaration does not name them.

    Raises:
        UserError: git has no such revision, or the site was not declared in it.
    """
    file = f"inventories/{site}/site.yaml"
    shown = process.run(["git", "-C", paths.ROOT, "show", f"{revision}:{file}"], check=False)
    if shown.returncode:
        known = process.run(
            ["git", "-C", paths.ROOT, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"],
            check=False,
        )
        if known.returncode:
            hint = "give a site, a file, or a git revision such as HEAD~1"
            raise UserError(f"there is no site and no git revision `{revision}`", hint=hint)
        raise UserError(f"revision {revision} has no {file}", hint="name a later revision")
    return load_text(shown.stdout, f"{revision}:{file}", _catalog_at(revision, site))


def _catalog_at(revision: str, site: str) -> dict[tuple[str, str], str]:
    """Entries of a revision's catalogs that are not shipped as they were.

    Returns:
        Kind and name there → name in this process.
    """
    shipped, own = "infra/spec/catalog", f"inventories/{site}/catalog"
    kinds = [f"{folder}/{kind}" for folder in (shipped, own) for kind in catalog.OWN]
    listed = process.run(["git", "-C", paths.ROOT, "ls-tree", "-r", revision, "--", *kinds]).stdout
    known: dict[tuple[str, str], str] = {}
    today = {name: _blobs(f"{name}/{kind}" for kind in catalog.OWN) for name in (shipped, own)}
    for line in listed.splitlines():
        _, _, rest = line.partition(" blob ")
        blob, _, name = rest.partition("\t")
        if not name.endswith(".yaml") or blob in today[shipped]:
            continue
        text = process.run(["git", "-C", paths.ROOT, "show", f"{revision}:{name}"]).stdout
        kind = Path(name).parent.name
        entry = parts.check_part(document.parse(text, f"{revision}:{name}"), catalog.OWN[kind])
        known[kind, Path(name).stem] = catalog.add(kind, entry, revision, plain=blob in today[own])
    return known


def _blobs(folders: Iterable[str]) -> set[str]:
    """Git's names of the contents of today's files."""
    files = [path for folder in folders for path in sorted((paths.ROOT / folder).glob("*.yaml"))]
    words: list[str | Path] = ["git", "-C", paths.ROOT, "hash-object", "--stdin-paths"]
    return set(process.run(words, stdin="".join(f"{path}\n" for path in files)).stdout.split())
