"""The plan of a run: kept in `out/SITE/plan` with hashes of what it was made from.

All steps of one run judge by the same plan. Steps in processes of their own (the Pulumi program, Ansible's
inventory, pytest) expand the declaration again, so a run compares before each step, and stops where the
declaration is no longer the one that was planned.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict

from infra import paths
from infra.files import write_whole
from infra.state_files import read_model

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SKIPPED: Final = frozenset({"__pycache__", "README.md"})


class Basis(BaseModel):
    """Hashes (SHA-256) of what a plan was made from, and when.

    Attributes:
        planned: when it was made.
        declaration: `inventories/SITE/site.yaml`.
        beside: the other files of `inventories/SITE`: catalog entries, variables, roles, playbooks, checks.
        catalog: platforms, switches and the like that come with gigasite.
        code: its Python, templates and playbooks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    planned: datetime
    declaration: str
    beside: str
    catalog: str
    code: str


def basis_of(site: str) -> Basis:
    """Hash what a plan of a site is made from, as it is now."""
    declared, beside = _declared(site)
    catalog = paths.ROOT / "infra" / "spec" / "catalog"
    code = (paths.ROOT / name for name in ("infra", "templates", "playbooks"))
    return Basis(
        planned=datetime.now(UTC),
        declaration=declared,
        beside=beside,
        catalog=_hash(_files(catalog)),
        code=_hash(file for part in code for file in _files(part) if not file.is_relative_to(catalog)),
    )


def declared_changes(basis: Basis, site: str) -> str:
    """Name the files of a site that changed since a plan was made; empty if none did."""
    return _names(*_apart(basis, site, *_declared(site)))


def all_changes(basis: Basis, site: str) -> str:
    """Name what changed since a plan was made, gigasite's own parts too; empty if nothing did."""
    now = basis_of(site)
    return _names(
        *_apart(basis, site, now.declaration, now.beside),
        ("the catalog (infra/spec/catalog)", basis.catalog != now.catalog),
        ("the code of gigasite", basis.code != now.code),
    )


def keep(site: str, basis: Basis, figures: dict[str, Any]) -> None:
    """Write a plan's figures, its declaration and what it was made from to `out/SITE/plan`."""
    folder = paths.out(site) / "plan"
    folder.mkdir(exist_ok=True)
    write_whole(folder / "site.yaml", (paths.inventory(site) / "site.yaml").read_bytes(), mode=0o644)
    write_whole(folder / "plan.json", json.dumps(figures, indent=1, ensure_ascii=False) + "\n", mode=0o644)
    write_whole(folder / "basis.json", basis.model_dump_json(indent=1) + "\n", mode=0o644)


def read_basis(site: str) -> Basis | None:
    """Read what the latest plan of a run was made from; None if no run was.

    Raises:
        UserError: the file is damaged.
    """
    file = paths.out(site) / "plan" / "basis.json"
    hint = f"remove it, or run `gigasite up {site}` again"
    return read_model(Basis, file, "list of hashes", hint)


def describe_changes(site: str) -> str:
    """Return a note for verbs that judge by what is there now; empty if that is what was planned."""
    basis = read_basis(site)
    if basis is None or not (changed := all_changes(basis, site)):
        return ""
    when = f"{basis.planned:%Y-%m-%d %H:%M} UTC"
    return f"{changed} changed since the plan of the latest run ({when}); this judges by what is there now"


def _declared(site: str) -> tuple[str, str]:
    """Hashes of a site's declaration and of the files beside it."""
    folder = paths.inventory(site)
    declaration = folder / "site.yaml"
    return _hash([declaration]), _hash(file for file in _files(folder) if file != declaration)


def _apart(basis: Basis, site: str, declaration: str, beside: str) -> tuple[tuple[str, bool], ...]:
    """Name the parts of a site's folder, and whether each differs from what was planned."""
    return (
        (f"inventories/{site}/site.yaml", basis.declaration != declaration),
        (f"files beside it in inventories/{site}", basis.beside != beside),
    )


def _names(*parts: tuple[str, bool]) -> str:
    return " and ".join(name for name, changed in parts if changed)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if _counts(path) and path.is_file())


def _counts(path: Path) -> bool:
    """Whether a file says something of the site: what editors and desktops leave beside files does not."""
    return not (
        path.name.startswith((".", "#")) or path.name.endswith("~") or _SKIPPED.intersection(path.parts)
    )


def _hash(files: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        with suppress(FileNotFoundError):  # removed since it was listed: others have its hash, this one none
            content = hashlib.sha256(file.read_bytes()).digest()
            total.update(f"{file.relative_to(paths.ROOT)}\0".encode() + content)
    return total.hexdigest()
