"""docs/site.md: the reference of the declaration, written from the types."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from infra import paths
from infra.spec import units
from infra.spec.catalog import KINDS
from infra.spec.docstrings import read_docstrings
from infra.spec.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic.fields import FieldInfo

FILE = paths.ROOT / "docs" / "site.md"
"""Where it lies."""

CATALOG = paths.ROOT / "docs" / "catalog.md"
"""Where the reference of the catalog lies."""

CATALOG_HEAD = """# The catalog: platforms, switches, systems, cables, optics and coolers

<!-- Made from infra/spec by `gigasite schema --write`; do not edit. -->

What hardware is, as data: one YAML file for each model, `KIND/NAME.yaml`, each number with its source. The
shipped ones lie in `infra/spec/catalog/`. **A site has its own** beside its declaration, in
`inventories/SITE/catalog/{platforms,switches,coolers}/NAME.yaml`: the declaration names them like those
shipped, and no other site sees them. They need names that the shipped catalog does not have. Cables, optics
and operating systems (whose templates are shipped too) are added to the shipped catalog.

`gigasite diff REVISION` reads each revision's own catalogs: where an entry has changed, the older one is
shown as `NAME@REVISION`.

The first line of a file, `# yaml-language-server: $schema=../../../../docs/catalog/platforms.schema.json`,
lets editors complete and check it.

"""

HEAD = """# The declaration: inventories/SITE/site.yaml

<!-- Made from infra/spec by `gigasite schema --write`; do not edit. -->

One file declares a site. `gigasite plan SITE` expands it; everything else follows from that plan. The
first line of a declaration, `# yaml-language-server: $schema=../../docs/site.schema.json`, lets editors
complete and check it.

- **Unknown keys are mistakes**, and so is a quantity without its unit. All mistakes are told at once, as
  `file:line: $.path: message, hint`.
- **Levels**: site, building, hall, pod, scalable unit (a row), rack, tray. Pods are numbered over the
  whole site; every name, port and address is arithmetic on a pod's own index, so another pod renames and
  renumbers nothing.
- **Exceptions** say what differs at one place (an empty slot, other racks in a row, a pool set aside, or
  scalable units, racks, feeds and a coolant loop of a hall's own); they change that place only.
- **Fabrics** are tiers of switches over blocks. The hosts' NICs go to the first tier of their block: NIC
  *i* to rail *i* modulo `rails`. The uplinks of all lower switches that reach one set of upper ones are
  dealt to its switches in turn, so each pair has an equal number of links. `groups` splits a tier into
  sets that only the lower switches of the same index (or rail) reach; `planes` splits each NIC into ports
  of separate networks; `breakout` splits each switch port.
- **Platforms, switches, cables, optics and coolers** are files under `infra/spec/catalog/`, or the site's own
  under `inventories/SITE/catalog/`, each number with its source. Adding one is adding a file; see
  [the catalog](catalog.md).
- **What cannot work is refused** by the plan's admission rules (`gigasite plan SITE --limits` shows them
  all with their margins), and a declaration can lower or raise a finding's severity under `findings`.

Units: {units}.

"""


def text() -> str:
    """The reference as Markdown."""
    known = "; ".join(
        f"{name}: {', '.join(f'`{unit}`' for unit in table)}" for name, table in units.UNITS.items()
    )
    return HEAD.replace("{units}", known) + _sections([("The site", Site)])


def catalog_text() -> str:
    """The reference of the catalog as Markdown."""
    kinds: list[tuple[str, type[BaseModel]]] = [(f"`{kind}/`", model) for kind, model in KINDS.items()]
    return CATALOG_HEAD + _sections(kinds)


def _sections(queue: list[tuple[str, type[BaseModel]]]) -> str:
    """A table of each type's keys, and of the types in them."""
    parts = []
    seen = {model for _, model in queue}
    while queue:
        title, model = queue.pop(0)
        docstrings = read_docstrings(model)
        rows = [_row(name, field, docstrings.get(name, "")) for name, field in model.model_fields.items()]
        meaning = " ".join((model.__doc__ or "").split())
        table = "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows])
        parts.append(f"## {title}\n\n{meaning}\n\n{table}\n\n")
        for name, field in model.model_fields.items():
            for inner in _models(field.annotation):
                if inner not in seen:
                    seen.add(inner)
                    queue.append((f"{inner.__name__.strip('_')} (`{name}`)", inner))
    return "".join(parts).rstrip() + "\n"


def _row(name: str, field: FieldInfo, docstring: str) -> str:
    inner = _models(field.annotation)
    described = docstring or field.description or (inner[0].__doc__ or "" if inner else "")
    meaning = " ".join(described.split()).replace("|", "\\|")
    default = "required" if field.is_required() else _default(field)
    return f"| `{name}` | {_kind(field)} | {default} | {meaning} |"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}, "") or isinstance(value, BaseModel):
        return ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _kind(field: FieldInfo) -> str:
    return _quantity(tuple(field.metadata)) or _name(field.annotation)


def _quantity(metadata: tuple[Any, ...]) -> str:
    """Return what the schema of a quantity says of itself; nothing for other types."""
    schemas = (getattr(extra, "json_schema", None) for extra in metadata)
    return next((str(s["description"]) for s in schemas if isinstance(s, dict) and "description" in s), "")


def _name(annotation: Any) -> str:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _quantity(args[1:]) or _name(args[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(dict.fromkeys(_name(part) for part in args if part is not type(None)))
    if origin in {tuple, dict}:
        word = "list of" if origin is tuple else "mapping of"
        return f"{word} {' to '.join(_name(part) for part in args if part is not Ellipsis)}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"{annotation.__name__.strip('_')}"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(
        annotation, str(annotation)
    )


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


def write(path: Path = FILE) -> Path:
    """Write the reference and return its path."""
    path.write_text(text(), encoding="utf-8")
    return path


def write_catalog(path: Path = CATALOG) -> Path:
    """Write the catalog's reference and return its path."""
    path.write_text(catalog_text(), encoding="utf-8")
    return path
