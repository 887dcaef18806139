"""The simulation: it remembers, it takes time, it fails as told, and it says what it is."""

from __future__ import annotations

import pytest

from infra import paths
from infra.provider.resources.resource_type import Runtime
from tests.unit.provider.conftest import Failed, Plugin, plain, tray

pytestmark = pytest.mark.unit

RACK = "compute:Rack"


@pytest.fixture
def start(serve, tmp_path, monkeypatch):
    """A freshly started plugin whose simulation lies in a temporary folder."""
    monkeypatch.setattr(paths, "state", lambda _site="": tmp_path)

    def begin(**config) -> Plugin:
        plugin = serve(Runtime)
        plugin.configure(site="big", driver="simulated", **{"latency": 0, **config})
        return plugin

    return begin


def rack_of(count: int) -> dict:
    return {"name": "r", "trays": {f"t-{slot:02d}": tray(slot) for slot in range(1, count + 1)}}


def test_everything_made_says_that_it_is_simulated(start):
    plugin = start()
    inputs, _ = plugin.check(RACK, rack_of(2))
    _, state = plugin.create(RACK, inputs)
    assert state["simulated"] is True
    assert state["machines"]["t-01"]["serial"].startswith("SIM-")
    feed, _ = plugin.check("power:Feed", {"name": "f", "capacity_kw": 1})
    assert plugin.create("power:Feed", feed)[1]["simulated"] is True


def test_a_plugin_started_later_finds_what_was_made(start):
    first = start()
    inputs, _ = first.check(RACK, rack_of(2))
    id_, state = first.create(RACK, inputs)
    feed, _ = first.check("power:Feed", {"name": "f", "capacity_kw": 1})
    feed_id, feed_state = first.create("power:Feed", feed)

    later = start()
    assert later.read(RACK, id_, state) == (id_, inputs, state)
    assert later.read("power:Feed", feed_id, feed_state)[2] == feed_state
    later.delete(RACK, id_, state)
    later.delete("power:Feed", feed_id, feed_state)
    assert later.read(RACK, id_, state)[1]["trays"]["t-01"]["power"] == "off"
    assert later.read("power:Feed", feed_id, feed_state)[0] == ""


def test_a_feed_is_imported_by_its_id(start):
    plugin = start()
    feed, _ = plugin.check("power:Feed", {"name": "f", "capacity_kw": 5})
    id_, _ = plugin.create("power:Feed", feed)
    seen_id, inputs, _ = plugin.read("power:Feed", id_, {})
    assert (seen_id, inputs["capacity_kw"]) == (id_, 5)


def test_failures_come_at_the_declared_rate_and_a_rack_gets_there_in_the_end(start):
    plugin = start(failure_rate=0.3)
    inputs, _ = plugin.check(RACK, rack_of(40))
    with pytest.raises(Failed) as failed:
        plugin.create(RACK, inputs)
    partial = failed.value.partial
    assert 4 <= len(partial.reasons) <= 20
    assert all("simulated failure" in reason for reason in partial.reasons)
    assert plain(partial.properties)["machines"]["t-01"]["power_state"] in ("on", "unknown")
    runs = 0
    while partial is not None and runs < 20:
        runs += 1
        state = plain(partial.properties)
        try:
            state, partial = plugin.update(RACK, partial.id, state, inputs), None
        except Failed as again:
            partial = again.partial
    assert {item["power_state"] for item in state["machines"].values()} == {"on"}


def test_the_same_run_fails_in_the_same_places(start, tmp_path):
    reasons = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        plugin = start(failure_rate=0.3)
        inputs, _ = plugin.check(RACK, rack_of(20))
        with pytest.raises(Failed) as failed:
            plugin.create(RACK, inputs)
        reasons.append(list(failed.value.partial.reasons))
        for file in tmp_path.glob("simulated.db*"):
            file.unlink()
    assert reasons[0] == reasons[1]
