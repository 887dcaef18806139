"""Which declaration a person means: a site's name, a file, or a site at a git revision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from infra import paths, process
from infra.errors import UserError
from infra.spec.load import load, load_site, load_text

if TYPE_CHECKING:
    from infra.spec.site import Site


def named(text: str) -> Site:
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
    """Load a site as it was at a git revision; the catalog is today's.

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
    return load_text(shown.stdout, f"{revision}:{file}")
