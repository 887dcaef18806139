"""Changes of a declaration that no figure shows: its keys one by one, and what becomes of stand-ins."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from infra.plan.tables.machine_list import machines_of
from infra.plan.views.change import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.plan import Plan

MOST = 40
"""Keys that are told one by one; two sites that have little in common differ in hundreds."""
WIDTH = 60
"""Characters of a value."""


def keys(before: Plan, after: Plan) -> Iterator[Change]:
    """Keys of the declaration whose value differs, in its order; entries of lists by their name."""
    one, two = (dict(_flat(plan.site.model_dump(mode="json"), "")) for plan in (before, after))
    changed = [key for key in {**one, **two} if key != "name" and one.get(key) != two.get(key)]
    for key in changed[:MOST]:
        yield Change("declaration", key, _short(one.get(key)), _short(two.get(key)))
    if len(changed) > MOST:
        yield Change("declaration", f"and {len(changed) - MOST:,} keys more", None, None)


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        for index, entry in enumerate(value):
            name = entry.get("name") or entry.get("at") or index
            yield from _flat(entry, f"{path}.{name}")
    elif value not in (None, [], {}):
        yield path, value


def _short(value: Any) -> str | float | None:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def stand_ins(before: Plan, after: Plan) -> Iterator[Change]:
    """Say which virtual machines are made anew with their disks, and which lose their power."""
    if before.site.stand_ins is None or after.site.stand_ins is None:
        return
    one, two = (
        {machine.name: machine for machine in machines_of(plan, cables=False)} for plan in (before, after)
    )
    anew: Counter[str] = Counter()
    cut: Counter[str] = Counter()
    first: dict[str, str] = {}
    for name in one.keys() & two.keys():
        old, new = one[name].stand_in, two[name].stand_in
        if old is None or new is None or old == new:
            continue
        if (old.disk_gib, old.start) != (new.disk_gib, new.start):
            why = "disk" if old.disk_gib != new.disk_gib else "start"
            anew[why] += 1
            first[why] = min(name, first.get(why, name))
        elif (old.vcpus, old.memory_mib) != (new.vcpus, new.memory_mib):
            cut["size"] += 1
            first["size"] = min(name, first.get("size", name))
    for why, count in anew.items():
        yield Change("stand-ins", f"made anew ({why} changes)", "data on its disk", "lost", count, first[why])
    for why, count in cut.items():
        yield Change(
            "stand-ins", "memory or processors change", "on", "power cut, disk kept", count, first[why]
        )
