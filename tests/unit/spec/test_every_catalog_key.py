"""Every key of a catalog entry does something, as in test_every_key.py: another value changes some of it."""

from __future__ import annotations

import copy
from functools import cache

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from infra.errors import UserError
from infra.spec import catalog
from tests.unit.spec.effects import Effects, differing
from tests.unit.spec.keys import annotation_of, keys, other_values, places
from tests.unit.spec.test_every_key import TRIES, chosen, declared, laid_over, load

pytestmark = pytest.mark.unit

HEALTH = {"memory": 0.95, "accelerator_memory": 0.9, "clock": 0.5, "time": "1 s", "disk_free": 0.05}
CLOCKS = {"slowdown": "90 °C", "clock_mhz": 1920, "memory_clock_mhz": 3996}
CARDS = {"system": None, "port_name": "Ethernet{}/{}", "ports_per_card": 16, "first_card": 1}
ENTRIES = {
    "platforms": {
        "gb300-nvl72": ("small", {"node": {"accelerator": {"fabric_manager": False}}}),
        "lab-tray": ("lab", {"health": HEALTH, "node": {"accelerator": CLOCKS}}),
    },
    "switches": {
        "q3400": ("small", {"liquid_share": 0.5, "flow": "1 L/min/kW"}),
        "eth-64x400g": ("mixed-customer-site", {"bfd": "1 s"}),
        "eth-32x100g": ("mixed-customer-site", CARDS),
        "oob-48x1g": ("mixed-customer-site", {}),
    },
    "coolers": {"cdu-1350": ("small", {})},
}  # fmt: skip
"""Kind → entry → a site that has it, and what is laid over the entry."""
NOTES = {"name", "title", "vendor", "firmware", "sources"}
"""What the reference page (docs/catalog.md) says of an entry."""
JUDGED = {"rack.companions.*.power": "kW of the rack"}
"""Keys whose values are only held against others, and the words that refuse too much."""


@cache
def entry(kind, name):
    path = catalog.CATALOG / kind / f"{name}.yaml"
    return laid_over(
        YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")), ENTRIES[kind][name][1]
    )


def effects(kind, name, value):
    """What follows from the entry's site with the entry so."""
    site, _ = ENTRIES[kind][name]
    known = catalog.add(kind, catalog.KINDS[kind].model_validate(value), "changed", plain=False)
    return Effects(load(declared(site), site, {(kind, name): known}), {known: name})


@cache
def before(kind, name):
    return effects(kind, name, entry(kind, name))


def changes(kind, key):
    """Entries with another value of a key: name, entry."""
    for name in ENTRIES[kind]:
        for index, (part, last) in enumerate(places(entry(kind, name), key)):
            values = [*chosen(key), *other_values(part[last], annotation_of(key, catalog.KINDS[kind]))]
            for value in values[:TRIES]:
                changed = copy.deepcopy(entry(kind, name))
                around, _ = list(places(changed, key))[index]
                around[last] = value
                yield name, changed


KEYS = [
    (kind, key) for kind in ENTRIES for key in keys(catalog.KINDS[kind]) if not NOTES & {key[0]}
]  # fmt: skip


@pytest.mark.parametrize(("kind", "key"), KEYS, ids=[f"{kind}: {'.'.join(key)}" for kind, key in KEYS])
def test_another_value_does_something(kind, key):
    idle, refused = 0, []
    for name, changed in changes(kind, key):
        try:
            after = effects(kind, name, changed)
        except (ValidationError, UserError) as error:
            refused.append(str(error))
            if (words := JUDGED.get(".".join(key))) and words in refused[-1]:
                return
            continue
        if differing(before(kind, name), after):
            return
        idle += 1
    pytest.fail(f"{kind}: {'.'.join(key)}: {idle} other values change nothing; refused were {refused[:3]}")
