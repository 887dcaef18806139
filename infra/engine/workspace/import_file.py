"""The CLI's import file: a JSON list of resources to take over, which name their parents and providers.

`nameTable` gives names to URNs of the state; an entry's own `name` is what others in the file call it by, and
its `logicalName`, where it has one, the resource's.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from infra.engine.backend import files
from infra.engine.errors import EngineError
from infra.engine.options import ImportSpec
from infra.engine.resource import urn as urns
from infra.engine.workspace import yamlfile

if TYPE_CHECKING:
    from pathlib import Path

    from infra.engine.resource.stack_ref import StackRef
    from infra.engine.workspace.yamlfile import Document

_KINDS: dict[str, type] = dict.fromkeys(
    ("type", "name", "id", "parent", "provider", "version", "logicalName"), str
)
_KINDS |= {"component": bool, "properties": list}
_WORDS: Final[dict[type, str]] = {str: "text", bool: "true or false", list: "a list"}


def read_imports(path: Path, ref: StackRef, *, protect: bool = True) -> list[ImportSpec]:
    """Read an import file.

    Args:
        path: the file.
        ref: the stack that the resources are for.
        protect: protect them.

    Raises:
        YamlError: mistakes in it, all of them, with their lines.
        EngineError: it is not there or cannot be read.
    """
    content = files.read(path)
    if content is None:
        raise EngineError(f"cannot read {path}: No such file or directory")
    # JSON is YAML, whose parser knows the lines; but for tabs, which inside JSON's texts are written \t.
    document = yamlfile.parse(path, content.replace(b"\t", b" "))
    root = document.value if isinstance(document.value, dict) else {}
    table, entries = root.get("nameTable") or {}, root.get("resources")
    if not isinstance(entries, list) or not isinstance(table, dict):
        document.problem((), "must have a list `resources`, and may have a map `nameTable` of names to URNs")
        table, entries = {}, []
    for name, urn in table.items():
        if not urns.is_urn(urn):
            document.problem(("nameTable", name), "must be a URN")
    for index, entry in enumerate(entries):
        _check(document, index, entry)
    document.check()
    found = _resolve_names(document, table, entries, ref)
    document.check()
    return [
        ImportSpec(
            entry["type"], _name(entry), entry.get("id", ""), parent=parent, provider=provider,
            version=entry.get("version", ""), protect=protect,
            properties=tuple(entry.get("properties") or ()), component=entry.get("component", False),
        )
        for entry, (parent, provider) in zip(entries, found, strict=True)
    ]  # fmt: skip


def _name(entry: dict[str, Any]) -> str:
    return str(entry.get("logicalName") or entry["name"])


def _check(document: Document, index: int, entry: Any) -> None:
    """Note what is wrong with an entry by itself."""
    place = ("resources", index)
    if not isinstance(entry, dict):
        document.problem(place, "must be a map of type, name and id")
        return
    for key, value in entry.items():
        if key not in _KINDS:
            document.problem(
                (*place, key), "is not known here; the Pulumi CLI may know it (`--engine pulumi`)"
            )
        elif not isinstance(value, _KINDS[key]):
            document.problem((*place, key), f"must be {_WORDS[_KINDS[key]]}")
    entry["name"] = entry.get("name") or entry.get("logicalName", "")
    for key in ("type", "name"):
        if not entry.get(key):
            document.problem((*place, key), "is missing")
    if urns.is_provider_type(str(entry.get("type", ""))):
        document.problem((*place, "type"), "is a provider, which is made by a program and not imported")
    elif bool(entry.get("id")) == bool(entry.get("component")):
        document.problem((*place, "id"), "is of no use for a component" if entry.get("id") else "is missing")


def _resolve_names(
    document: Document, table: dict[str, str], entries: list[dict[str, Any]], ref: StackRef
) -> list[tuple[str, str]]:
    """Each entry's parent and provider as URNs; notes names that mean nothing, or several things."""
    times = Counter(entry["name"] for entry in entries)
    known = {"": "", **table}
    found: dict[int, tuple[str, str]] = {}
    while len(found) < len(entries):
        before = len(found)
        for index, entry in enumerate(entries):
            parent, provider = entry.get("parent", ""), entry.get("provider", "")
            if index in found or (parent not in known and parent in times):
                continue
            if parent not in known:
                document.problem(("resources", index, "parent"), "is neither in `nameTable` nor an entry")
            elif parent not in table and times[parent] > 1:
                document.problem(("resources", index, "parent"), "is the name of several entries")
            if provider and provider not in table:
                document.problem(("resources", index, "provider"), "is not in `nameTable`")
            found[index] = known.get(parent, ""), table.get(provider, "")
            urn = urns.make(ref.stack, ref.project, found[index][0], entry["type"], _name(entry))
            known.setdefault(entry["name"], urn)
        if len(found) == before:
            document.problem(("resources",), "has entries that are each other's parents in a circle")
            break
    return [found.get(index, ("", "")) for index in range(len(entries))]
