"""Every key of a declaration does something: another value changes a figure, a file, a resource or a check.

Keys are found by reflection, so a new one that nothing reads fails here, and so does one that no site has:
give it a value in every_key.yaml then.
"""

from __future__ import annotations

import copy
import io
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from infra.errors import UserError
from infra.spec import load_text
from tests.unit.spec import mutations
from tests.unit.spec.effects import Effects, differing
from tests.unit.spec.keys import annotation_of, keys, other_values, places

pytestmark = pytest.mark.unit

DATA = Path(__file__).with_name("every_key.yaml")
MORE = YAML(typ="safe", pure=True).load(DATA.read_text(encoding="utf-8"))
SITES = (
    "lab",
    "small",
    "exceptions",
    "mixed-customer-site",
    "mixed-unit",
    "nvl72-ndr",
    "eight-planes-two-tiers",
    "dgx-b300-xdr-18-su",
    "kinds-of-pods",
)
NOTES = {
    "description",
    "exceptions.*.reason",
    "fabrics.*.source",
    "grid.phases.*.source",
}
"""Words for the next reader of the file: the only keys that nothing follows from."""
TRIES = 12
"""Other values of a key at one place."""


def laid_over(below, above):
    """A mapping with another one laid over it; lists are taken whole."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: laid_over(below.get(key), value) for key, value in above.items()}


@cache
def declared(name):
    return laid_over(copy.deepcopy(mutations.bases()[name]), MORE["sites"].get(name, {}))


def load(value, name, known=None):
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(value, stream)
    return load_text(stream.getvalue(), name, known)


@cache
def effects(name):
    return Effects(load(declared(name), name))


def chosen(key):
    """Values that every_key.yaml gives for a key, by the most of its last words."""
    for start in range(len(key)):
        if (found := MORE["values"].get(".".join(key[start:]))) is not None:
            return found
    return []


def changes(key):
    """Declarations with another value of a key: site, value, declaration."""
    annotation = annotation_of(key)
    for name in SITES:
        for index, (part, last) in enumerate(places(declared(name), key)):
            values = [*chosen(key), *other_values(part[last], annotation)]
            for value in values[:TRIES]:
                if value == part[last]:
                    continue
                changed = copy.deepcopy(declared(name))
                around, _ = list(places(changed, key))[index]
                if value is None:
                    del around[last]
                else:
                    around[last] = value
                yield name, value, changed


def judge(key):
    """Site, value and kind of the first change that does something; else how many did nothing."""
    refused = []
    idle = 0
    for name, value, changed in changes(key):
        try:
            site = load(changed, name)
        except UserError as error:
            refused.append(f"{name}, {value!r}: {error}")
            continue
        if kind := differing(effects(name), Effects(site)):
            return name, value, kind
        idle += 1
    pytest.fail(f"{'.'.join(key)}: {idle} other values change nothing; refused were {refused[:3]}")


@pytest.mark.parametrize("key", [key for key in keys() if ".".join(key) not in NOTES], ids=".".join)
def test_another_value_does_something(key):
    judge(key)


def test_the_same_declaration_does_the_same():
    for name in SITES:
        assert not differing(effects(name), Effects(load(declared(name), name)))


def test_notes_are_keys():
    assert {".".join(key) for key in keys()} >= NOTES
