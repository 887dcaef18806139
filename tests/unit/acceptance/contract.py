"""Whether a step's JSON has what the suite's checks read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list}


def differences(found: Any, wanted: Any, path: str = "$") -> Iterator[str]:
    """Yield what is missing or wrong, with its path.

    Args:
        found: what a step printed, or a part of it.
        wanted: a type's name, a value, or a mapping of fields; a field that ends in `[]` is a list that is
            not empty, with the fields of its entries.
        path: of `found`, for the text.
    """
    if isinstance(wanted, dict):
        yield from _fields(found, wanted, path)
    elif isinstance(wanted, str) and wanted in TYPES:
        kind = TYPES[wanted]
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)) or found == "":
            yield f"{path} is {found!r}, not a {wanted}"
    elif found != wanted:
        yield f"{path} is {found!r}, not {wanted!r}"


def _fields(found: Any, wanted: Mapping[str, Any], path: str) -> Iterator[str]:
    if not isinstance(found, dict):
        yield f"{path} is {found!r}, not an object"
        return
    for key, inner in wanted.items():
        name = key.removesuffix("[]")
        if name not in found:
            yield f"{path}.{name} is missing"
        elif key == name:
            yield from differences(found[name], inner, f"{path}.{name}")
        elif not isinstance(found[name], list) or not found[name]:
            yield f"{path}.{name} is {found[name]!r}, not a list with entries"
        else:
            for index, entry in enumerate(found[name]):
                yield from differences(entry, inner, f"{path}.{name}[{index}]")
