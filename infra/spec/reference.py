"""docs/site.md: the reference of the declaration, written from the types."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from infra import paths
from infra.spec import units
from infra.spec.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic.fields import FieldInfo

FILE = paths.ROOT / "docs" / "site.md"
"""Where it lies."""

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
- **Exceptions** say what differs at one place (an empty slot, other racks in a row, a pool set aside);
  they change that place only.
- **Fabrics** are tiers of switches over blocks. The hosts' NICs go to the first tier of their block: NIC
  *i* to rail *i* modulo `rails`. The uplinks of all lower switches that reach one set of upper ones are
  dealt to its switches in turn, so each pair has an equal number of links. `groups` splits a tier into
  sets that only the lower switches of the same index (or rail) reach; `planes` splits each NIC into ports
  of separate networks; `breakout` splits each switch port.
- **Platforms, switches, cables, optics and coolers** are files under `infra/spec/catalog/`, each number
  with its source. Adding one is adding a file.
- **What cannot work is refused** by the plan's admission rules (`gigasite plan SITE --limits` shows them
  all with their margins), and a declaration can lower or raise a finding's severity under `findings`.

Units: {units}.

"""


def text() -> str:
    """The reference as Markdown."""
    known = "; ".join(
        f"{name}: {', '.join(f'`{unit}`' for unit in table)}" for name, table in units.UNITS.items()
    )
    parts = [HEAD.replace("{units}", known)]
    queue: list[tuple[str, type[BaseModel]]] = [("The site", Site)]
    seen: set[type[BaseModel]] = {Site}
    while queue:
        title, model = queue.pop(0)
        rows = [_row(name, field) for name, field in model.model_fields.items()]
        meaning = " ".join((model.__doc__ or "").split())
        table = "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows])
        parts.append(f"## {title}\n\n{meaning}\n\n{table}\n\n")
        for name, field in model.model_fields.items():
            for inner in _models(field.annotation):
                if inner not in seen:
                    seen.add(inner)
                    queue.append((f"{inner.__name__.strip('_')} (`{name}`)", inner))
    return "".join(parts).rstrip() + "\n"


def _row(name: str, field: FieldInfo) -> str:
    inner = _models(field.annotation)
    described = field.description or (inner[0].__doc__ or "" if inner else "")
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
    """What the schema of a quantity says of itself; nothing for other types."""
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
