"""The rack: one resource, many trays; what a user sees of each of them."""

from __future__ import annotations

import asyncio
import copy

import pytest
from pulumi.runtime.proto import provider_pb2 as pb

from infra.provider.drivers import Power
from tests.unit.provider.conftest import UNKNOWN, Failed, Plugin, World, plain, tray

pytestmark = pytest.mark.unit

RACK = "compute:Rack"


def made(plugin: Plugin, rack: dict) -> tuple[str, dict, dict]:
    """A rack that was created: (id, checked inputs, state)."""
    inputs, failures = plugin.check(RACK, rack)
    assert not failures
    return (*((created := plugin.create(RACK, inputs))[0], inputs), created[1])


def test_a_create_powers_every_tray_and_tells_what_it_found(plugin: Plugin, world: World, rack: dict):
    id_, _, state = made(plugin, rack)
    assert id_ == "lab/pod-01-su-01-rack-01"
    assert world.power_of == {"tray-01": Power.ON, "tray-02": Power.ON}
    assert state["machines"]["tray-02"] == {
        "serial": "S-tray-02",
        "uuid": "00000000-0000-4000-8000-000000000002",
        "power_state": "on",
        "model": "T-800",
        "bmc_url": "https://127.0.0.1:20002",
        "driver": "redfish",
    }
    assert state["simulated"] is False


def test_trays_converge_at_the_same_time(plugin: Plugin, world: World, rack: dict):
    # Each tray waits until the other is being powered too: one after the other would never get there.
    world.gate = asyncio.Barrier(2)
    _, _, state = made(plugin, rack)
    assert {item["power_state"] for item in state["machines"].values()} == {"on"}


def test_a_second_create_makes_nothing_twice(plugin: Plugin, world: World, rack: dict):
    first = made(plugin, rack)
    calls = list(world.calls)
    assert made(plugin, rack) == first
    assert [call for call in world.calls if call not in calls] == []


def test_all_mistakes_come_at_once_with_their_paths(plugin: Plugin, rack: dict):
    rack["trays"]["tray-01"]["bmc"]["port"] = 70000
    rack["trays"]["tray-02"]["powr"] = "off"
    rack["trays"]["tray-02"]["slot"] = 1
    del rack["trays"]["tray-02"]["platform"]
    rack["trays"]["Tray_3"] = tray(3, power="standby", uuid="nonsense")
    rack["name"] = 7
    _, failures = plugin.check(RACK, rack)
    assert failures == {
        "name": "name must be a string, not 7",
        "trays.tray-01.bmc.port": "trays.tray-01.bmc.port must be at most 65535, not 70000",
        "trays.tray-01.slot": "trays.tray-01.slot slot 1 holds 2 trays",
        "trays.tray-02.slot": "trays.tray-02.slot slot 1 holds 2 trays",
        "trays.tray-02.powr": "trays.tray-02.powr is not a property of this resource; did you mean `power`?",
        "trays.tray-02.platform": "trays.tray-02.platform is required: name of its catalog entry",
        "trays.Tray_3": "trays.Tray_3 `Tray_3` is not a host name, for example "
        "`pod-01-su-01-rack-01-tray-01`",
        "trays.Tray_3.power": "trays.Tray_3.power must be one of on, off, not `standby`",
        "trays.Tray_3.uuid": "trays.Tray_3.uuid `nonsense` is not a lower-case UUID",
    }


def test_two_trays_behind_one_controller_are_refused(plugin: Plugin, rack: dict):
    rack["trays"]["tray-02"]["bmc"] = rack["trays"]["tray-01"]["bmc"]
    _, failures = plugin.check(RACK, rack)
    assert sorted(failures) == ["trays.tray-01.bmc", "trays.tray-02.bmc"]
    assert "127.0.0.1 port 20001 is declared for 2 trays" in failures["trays.tray-01.bmc"]


def test_a_diff_names_tray_and_property(plugin: Plugin, rack: dict):
    _, inputs, state = made(plugin, rack)
    assert plugin.diff(RACK, state, inputs).changes == pb.DiffResponse.DIFF_NONE
    news = copy.deepcopy(inputs)
    news["trays"]["tray-02"]["power"] = "off"
    news["trays"]["tray-03"] = plugin.check(RACK, {"name": "x", "trays": {"t": tray(3)}})[0]["trays"]["t"]
    del news["trays"]["tray-01"]
    reply = plugin.diff(RACK, state, news)
    assert reply.changes == pb.DiffResponse.DIFF_SOME
    assert {path: item.kind for path, item in reply.detailedDiff.items()} == {
        "trays.tray-01": pb.PropertyDiff.DELETE,
        "trays.tray-02.power": pb.PropertyDiff.UPDATE,
        "trays.tray-03": pb.PropertyDiff.ADD,
    }
    assert not reply.replaces


def test_another_name_is_another_rack(plugin: Plugin, rack: dict):
    _, inputs, state = made(plugin, rack)
    reply = plugin.diff(RACK, state, {**inputs, "name": "pod-01-su-01-rack-02"})
    assert list(reply.replaces) == ["name"]
    assert reply.detailedDiff["name"].kind == pb.PropertyDiff.UPDATE_REPLACE


def test_an_update_touches_only_the_tray_that_changed(plugin: Plugin, world: World, rack: dict):
    id_, inputs, state = made(plugin, rack)
    world.calls.clear()
    world.faults["tray-01"] = "would fail if it were asked"
    inputs["trays"]["tray-02"]["power"] = "off"
    state = plugin.update(RACK, id_, state, inputs)
    assert world.calls == [("power", "tray-02", "off", "graceful")]
    assert [state["machines"][name]["power_state"] for name in ("tray-01", "tray-02")] == ["on", "off"]


def test_a_tray_that_leaves_is_powered_off(plugin: Plugin, world: World, rack: dict):
    id_, inputs, state = made(plugin, rack)
    del inputs["trays"]["tray-01"]
    state = plugin.update(RACK, id_, state, inputs)
    assert world.power_of["tray-01"] is Power.OFF
    assert list(state["machines"]) == ["tray-02"]


def test_a_preview_touches_nothing_and_knows_what_can_be_known(plugin: Plugin, world: World, rack: dict):
    rack["trays"]["tray-01"]["hardware"] = UNKNOWN
    inputs, failures = plugin.check(RACK, rack)
    assert not failures
    id_, state = plugin.create(RACK, inputs, preview=True)
    assert id_ == ""
    assert world.calls == []
    assert state["machines"]["tray-01"]["serial"] == UNKNOWN
    assert state["machines"]["tray-01"]["power_state"] == "on"
    assert state["machines"]["tray-01"]["bmc_url"] == "https://127.0.0.1:20001"


def test_a_preview_of_an_update_keeps_the_records_of_trays_that_stay(
    plugin: Plugin, world: World, rack: dict
):
    id_, inputs, state = made(plugin, rack)
    world.calls.clear()
    news = copy.deepcopy(inputs)
    news["trays"]["tray-02"]["power"] = "off"
    seen = plugin.update(RACK, id_, state, news, preview=True)
    assert world.calls == []
    assert seen["machines"]["tray-01"] == state["machines"]["tray-01"]
    assert seen["machines"]["tray-02"]["power_state"] == "off"


def test_unknown_trays_pass_a_preview(plugin: Plugin):
    inputs, failures = plugin.check(RACK, {"name": "r", "trays": UNKNOWN})
    assert not failures
    _, state = plugin.create(RACK, inputs, preview=True)
    assert state["machines"] == UNKNOWN


def test_one_bad_tray_keeps_the_rest_and_the_next_run_goes_on(plugin: Plugin, world: World, rack: dict):
    world.faults["tray-02"] = "the controller refused the credential `lab`"
    inputs, _ = plugin.check(RACK, rack)
    with pytest.raises(Failed) as failed:
        plugin.create(RACK, inputs)
    partial = failed.value.partial
    assert partial is not None
    assert list(partial.reasons) == [
        "tray-02 (BMC https://127.0.0.1:20002): the controller refused the credential `lab`, mend it"
    ]
    assert partial.id == "lab/pod-01-su-01-rack-01"
    state = plain(partial.properties)
    assert state["machines"]["tray-01"]["power_state"] == "on"
    assert state["machines"]["tray-02"]["power_state"] == "unknown"
    assert plain(partial.inputs) == inputs

    world.calls.clear()
    del world.faults["tray-02"]
    state = plugin.update(RACK, partial.id, state, inputs)
    assert world.calls == [("power", "tray-02", "on", "graceful")]
    assert state["machines"]["tray-02"]["serial"] == "S-tray-02"


def test_a_rack_of_which_nothing_answers_is_not_made(plugin: Plugin, world: World, rack: dict):
    world.faults = dict.fromkeys(("tray-01", "tray-02"), "no answer")
    inputs, _ = plugin.check(RACK, rack)
    with pytest.raises(Failed) as failed:
        plugin.create(RACK, inputs)
    assert failed.value.partial is None
    assert failed.value.message.count("no answer") == 2
    assert "Traceback" not in failed.value.message
    assert ".py" not in failed.value.message


def test_a_refresh_shows_power_drift_as_the_trays_power(plugin: Plugin, world: World, rack: dict):
    id_, inputs, state = made(plugin, rack)
    world.power_of["tray-01"] = Power.OFF
    _, seen_inputs, seen = plugin.read(RACK, id_, state)
    assert seen_inputs["trays"]["tray-01"]["power"] == "off"
    reply = plugin.diff(RACK, seen, inputs)
    assert list(reply.detailedDiff) == ["trays.tray-01.power"]
    plugin.update(RACK, id_, seen, inputs)
    assert world.power_of["tray-01"] is Power.ON


def test_a_refresh_without_drift_changes_nothing(plugin: Plugin, rack: dict):
    id_, inputs, state = made(plugin, rack)
    assert plugin.read(RACK, id_, state) == (id_, inputs, state)


def test_a_controller_that_does_not_answer_a_refresh_is_a_fault_and_not_a_lost_rack(
    plugin: Plugin, world: World, rack: dict
):
    id_, _, state = made(plugin, rack)
    world.faults["tray-01"] = "no answer"
    with pytest.raises(Failed) as failed:
        plugin.read(RACK, id_, state)
    assert failed.value.partial is not None
    assert failed.value.partial.id == id_
    assert plain(failed.value.partial.properties)["machines"]["tray-02"]["power_state"] == "on"


def test_missing_accelerators_are_a_fault_of_that_tray(plugin: Plugin, world: World, rack: dict):
    for name in rack["trays"]:
        rack["trays"][name]["accelerators"] = 4
    world.accelerators = {"tray-01": 4, "tray-02": 3}
    inputs, _ = plugin.check(RACK, rack)
    with pytest.raises(Failed, match="4 accelerators are declared, it reports 3"):
        plugin.create(RACK, inputs)


def test_a_delete_powers_off_what_is_declared_so_and_can_be_repeated(
    plugin: Plugin, world: World, rack: dict
):
    rack["trays"]["tray-01"]["on_delete"] = "leave"
    rack["trays"]["tray-02"]["shutdown"] = "force"
    id_, _, state = made(plugin, rack)
    plugin.delete(RACK, id_, state)
    plugin.delete(RACK, id_, state)
    assert world.power_of == {"tray-01": Power.ON, "tray-02": Power.OFF}
    assert world.calls.count(("power", "tray-02", "off", "force")) == 1


def test_a_boot_device_is_set_before_the_power_comes(plugin: Plugin, world: World, rack: dict):
    rack["trays"]["tray-01"]["boot"] = "network"
    made(plugin, rack)
    own = [call for call in world.calls if call[1] == "tray-01"]
    assert [call[0] for call in own] == ["inspect", "boot", "power"]


def test_a_machine_is_not_imported_by_id_alone(plugin: Plugin):
    with pytest.raises(Failed, match="declare it in site"):
        plugin.read(RACK, "lab/r", {})
