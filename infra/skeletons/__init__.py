"""Skeletons of what people add: a role, a check, a platform, a switch model, a site, a resource type."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from infra import paths
from infra.errors import UserError
from infra.process import run
from infra.spec.document import display

FOLDER = Path(__file__).parent
MARK = "@NAME@"
"""Stands for the name in the skeletons' files and file names; `@CLASS@` for the name of a class."""

HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
WORD = re.compile(r"[a-z][a-z0-9_]*")


def make_role(name: str, site: str | None = None) -> list[Path]:
    """Make a role and its check; see `make_check` for the arguments and errors."""
    _check_name(name, WORD, "a-z, 0-9 and _")
    if (product := paths.ROOT / "playbooks" / "roles" / name).exists():
        raise UserError(f"{display(product)} is there already", hint="choose another name")
    if site is None:
        folders = {"role": product, "role/templates": paths.ROOT / "templates"}
    else:
        folders = {"role": _own(site) / "roles" / name}
    files = _planned(folders, name)
    check = _planned({"check": _checks(site)}, name)
    return _write({**files, **check}, name)


def make_check(name: str, site: str | None = None) -> list[Path]:
    """Make a check.

    Args:
        name: of what is checked.
        site: beside the declaration of this site; in the product's own folders without one.

    Returns:
        the files that were made.

    Raises:
        UserError: the name has a wrong form, there is no such site, or a file is there already.
    """
    _check_name(name, WORD, "a-z, 0-9 and _")
    return _write(_planned({"check": _checks(site)}, name), name)


def make_entry(kind: str, name: str, site: str | None = None) -> list[Path]:
    """Make a catalog entry; `kind` is `platform` or `switch`, see `make_check` for the rest."""
    _check_name(name, HOST_NAME, "a-z, 0-9 and -")
    place = {"platform": "platforms", "switch": "switches"}[kind]
    product = paths.ROOT / "infra" / "spec" / "catalog" / place
    if (product / f"{name}.yaml").exists():
        raise UserError(f"{display(product / name)}.yaml is there already", hint="choose another name")
    folder = product if site is None else _own(site) / "catalog" / place
    return _write(_planned({kind: folder}, name), name)


def make_site(name: str) -> list[Path]:
    """Make a declaration; see `make_check` for the errors."""
    _check_name(name, HOST_NAME, "a-z, 0-9 and -")
    return _write(_planned({"site": paths.inventory(name)}, name), name)


def make_resource(name: str) -> list[Path]:
    """Make a resource type: its module, its line in the registry, a component, and their test.

    The classes that programs use and the reference page are made anew from it.
    """
    _check_name(name, WORD, "a-z, 0-9 and _")
    provider, components = (paths.ROOT / "infra" / folder for folder in ("provider/resources", "components"))
    made = components / "resources" / f"{name}.py"
    if keyword.iskeyword(name) or made.exists() or (components / name).exists():
        raise UserError(f"a resource type cannot be called {name}", hint="choose another name")
    folders = {
        "resource/provider": provider,
        "resource/component": components,
        "resource/test": paths.ROOT / "tests" / "unit" / "components",
    }
    files = _write(_planned(folders, name), name)
    registry = provider / "__init__.py"
    text = registry.read_text(encoding="utf-8")
    end = text.index("\n)", text.index("RESOURCE_TYPES = ("))
    registry.write_text(f'{text[:end]}\n    "{name}.{_class_name(name)}",{text[end:]}', encoding="utf-8")
    run([sys.executable, "-m", "infra.provider.generate"], cwd=paths.ROOT)
    return [*files, registry, made, paths.ROOT / "docs" / "resources.md"]


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _check_name(name: str, form: re.Pattern[str], words: str) -> None:
    if not form.fullmatch(name):
        raise UserError(f"{name!r} is no name for it", hint=f"use {words}")


def _own(site: str) -> Path:
    folder = paths.inventory(site)
    if not (folder / "site.yaml").is_file():
        raise UserError(f"there is no site {site}", hint=f"make it with `gigasite new site {site}`")
    return folder


def _checks(site: str | None) -> Path:
    return paths.ROOT / "tests" / "verify" if site is None else _own(site) / "verify"


def _planned(folders: dict[str, Path], name: str) -> dict[Path, Path]:
    """Target → skeleton; the longest beginning of a skeleton's path says its folder."""
    found = {}
    for source in sorted(FOLDER.rglob("*.in")):
        path = source.relative_to(FOLDER)
        place = next((p for p in sorted(folders, reverse=True) if path.is_relative_to(p)), None)
        if place is not None:
            inner = str(path.relative_to(place)).removesuffix(".in").replace(MARK, name)
            found[folders[place] / inner] = source
    return found


def _is_shared(target: Path) -> bool:
    """Return whether a file is for all checks of its folder: the first one brings it."""
    return target.name == "conftest.py"


def _write(files: dict[Path, Path], name: str) -> list[Path]:
    files = {
        target: source for target, source in files.items() if not (_is_shared(target) and target.exists())
    }
    there = [display(target) for target in files if target.exists()]
    if there:
        raise UserError(
            f"{', '.join(there)} is there already", hint="choose another name", done="Nothing was written."
        )
    for target, source in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8").replace(MARK, name).replace("@CLASS@", _class_name(name))
        target.write_text(text, encoding="utf-8")
    return list(files)
