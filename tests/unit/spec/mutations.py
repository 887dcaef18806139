"""Mutations of declarations: by key, value, unit, sign, size and structure, by a seed."""

from __future__ import annotations

import copy
import random
import re
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from infra import paths
from infra.spec import units

CASES = Path(__file__).resolve().parents[2] / "cases"
STRANGE = [
    None, True, False, 0, 1, 2, 3, 7, 40, -1, 10**6, 10**9, 0.5, -0.5, 1e308, float("inf"), float("nan"), "",
    "x", "pod-01", "hall-01", "building-02", "pod-99-su-01", "rack", "site", "share", "1-40", "10.0.0.0/30",
    "fd00::/64", "0.0.0.0/0",
    "50,5 MW", "1,000 kW", "-5 kW", "0 V", "1e400 W", "9999-12-31", "0001-01-01", "2026-02-30", "\u0000",
    "é" * 50, [], {}, [[]], [None], {"a": {}},
]  # fmt: skip
"""Values that no one means."""


@cache
def bases() -> dict[str, object]:
    """Every shipped site by its file's name, as plain values."""
    files = sorted((paths.ROOT / "inventories").glob("*/site.yaml")) + sorted(CASES.glob("*/site.yaml"))
    reader = YAML(typ="safe", pure=True)
    return {file.parent.name: reader.load(file.read_text(encoding="utf-8")) for file in files}


def places(value, path=()):
    """Every place in a declaration."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from places(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from places(part, (*path, index))


def _other_unit(value, chance):
    text = str(value)
    for table in units.UNITS.values():
        match = re.match(r"^(\S+) (\S+)$", text)
        if match and match[2] in table:
            return f"{match[1]} {chance.choice(sorted(table))}"
    return f"{text} {chance.choice(['kW', 'MW', 'm', '°C'])}"


def _sized(value, chance):
    factor = chance.choice([0, 0.001, 0.1, 0.5, 0.9, 0.99, 1.01, 1.1, 2, 2, 10, 1000, -1])
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return int(value * factor) if chance.random() < 0.5 else max(value + chance.choice([-1, 1]), 0)
    if isinstance(value, float):
        return value * factor
    match = re.match(r"^([0-9.]+)(.*)$", str(value))
    return f"{float(match[1]) * factor:g}{match[2]}" if match and match[1].count(".") < 2 else value


def _at(value, path):
    for step in path:
        value = value[step]
    return value


def mutate(value, chance):
    """One mutation, in place."""
    every = list(places(value))
    plain = [path for path in every if not isinstance(_at(value, path), (dict, list))]
    path = chance.choice(plain if plain and chance.random() < 0.8 else every)
    at, last = _at(value, path[:-1]), path[-1]
    kind = chance.choice(
        ["value", "unit", "size", "size", "size", "remove", "rename", "copy", "wrap", "repeat"]
    )
    plain = isinstance(at[last], (str, int, float))
    if kind == "unit" and plain:
        at[last] = _other_unit(at[last], chance)
    elif kind == "size" and plain:
        at[last] = _sized(at[last], chance)
    elif kind == "remove":
        del at[last]
    elif kind == "rename" and isinstance(at, dict):
        at[f"{last}x"] = at.pop(last)
    elif kind == "repeat" and isinstance(at, list):
        at.append(copy.deepcopy(at[last]))
    else:
        at[last] = _other_value(value, every, at[last], kind, chance)


def _other_value(value, every, own, kind, chance):
    if kind == "copy":
        return copy.deepcopy(_at(value, chance.choice(every)))
    return [own] if kind == "wrap" else copy.deepcopy(chance.choice(STRANGE))


def declaration(seed, base=None):
    """A mutated declaration.

    Args:
        seed: of the mutations.
        base: name of the shipped site; by default the seed's turn.

    Returns:
        Name of the shipped site that it comes from, and plain values.
    """
    names = sorted(bases())
    name = base or names[seed % len(names)]
    chance = random.Random(seed)
    value = copy.deepcopy(bases()[name])
    for _ in range(chance.choice([1, 1, 2, 3])):
        mutate(value, chance)
    return name, value
