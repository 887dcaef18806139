"""Tenants and partitions: records of what is declared."""

from __future__ import annotations

import pytest

from tests.unit.provider.conftest import Failed, Plugin, World

pytestmark = pytest.mark.unit

KINDS = {"network:Tenant": ("vni", 5001, 16_777_216), "network:Partition": ("key", 0x11, 0x7FFF)}


def declared(kind: str, **changes) -> dict:
    number, value, _ = KINDS[kind]
    return {"name": "blue", "fabric": "north-south", "places": ["pod-01-su-01"], number: value, **changes}


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_number_updates_and_a_changed_name_replaces(plugin: Plugin, world: World, kind):
    number, value, _ = KINDS[kind]
    inputs, failures = plugin.check(kind, declared(kind))
    assert not failures
    id_, state = plugin.create(kind, inputs)
    assert (id_, state) == ("lab/north-south/blue", inputs)
    more = declared(kind, **{number: value + 1, "places": ["pod-01-su-01", "pod-02"]})
    difference = plugin.diff(kind, state, more)
    assert set(difference.detailedDiff) == {number, "places"}
    assert not list(difference.replaces)
    after = plugin.update(kind, id_, state, more)
    assert after == more
    assert list(plugin.diff(kind, state, declared(kind, name="red")).replaces) == ["name"]
    assert plugin.read(kind, id_, after) == (id_, more, more)
    plugin.delete(kind, id_, after)
    assert not world.calls
    assert not world.devices


@pytest.mark.parametrize("kind", KINDS)
def test_mistakes_are_told_by_their_property(plugin: Plugin, kind):
    number, _, wrong = KINDS[kind]
    _, failures = plugin.check(kind, declared(kind, **{number: wrong, "places": [7]}))
    assert set(failures) == {number, "places[0]"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_import_says_that_only_the_declaration_knows_it(plugin: Plugin, kind):
    with pytest.raises(Failed, match="only the declaration knows it"):
        plugin.read(kind, "lab/north-south/blue", {})
