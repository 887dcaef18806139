"""The provider as a whole: configuration, schema, errors, single machines, facility devices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pulumi.runtime.proto import provider_pb2 as pb

import infra.provider
from infra.provider.drivers import Power
from infra.provider.resources import registry
from infra.provider.resources.resource_type import Runtime
from tests.unit.provider.conftest import Failed, Plugin, World, struct, tray

pytestmark = pytest.mark.unit


def server_inputs() -> dict:
    given = tray(1)
    del given["slot"]
    return {"name": "lab-storage", **given}


@pytest.mark.parametrize("kind", ["storage:Server", "management:Server", "network:Switch"])
def test_a_single_machine_lives_like_a_tray(plugin: Plugin, world: World, kind: str):
    inputs, failures = plugin.check(kind, server_inputs())
    assert not failures
    id_, state = plugin.create(kind, inputs)
    assert id_ == "lab/lab-storage"
    assert state["machine"]["serial"] == "S-lab-storage"
    world.power_of["lab-storage"] = Power.OFF
    _, _, drifted = plugin.read(kind, id_, state)
    assert list(plugin.diff(kind, drifted, inputs).detailedDiff) == ["power"]
    plugin.update(kind, id_, drifted, inputs)
    assert world.power_of["lab-storage"] is Power.ON
    plugin.delete(kind, id_, state)
    assert world.power_of["lab-storage"] is Power.OFF


def test_new_hardware_under_a_machine_converges_it_anew(plugin: Plugin, world: World):
    inputs, _ = plugin.check("storage:Server", {**server_inputs(), "hardware": "a"})
    id_, state = plugin.create("storage:Server", inputs)
    world.power_of["lab-storage"] = Power.OFF  # a stand-in that was defined anew is off
    news = {**inputs, "hardware": "b"}
    assert list(plugin.diff("storage:Server", state, news).detailedDiff) == ["hardware"]
    plugin.update("storage:Server", id_, state, news)
    assert world.power_of["lab-storage"] is Power.ON


def test_a_feed_is_applied_read_and_removed(plugin: Plugin, world: World):
    inputs, failures = plugin.check("power:Feed", {"name": "su-01-a", "capacity_kw": 1200})
    assert not failures
    id_, state = plugin.create("power:Feed", inputs)
    assert state["serial"] == "S-su-01-a"
    world.devices["gigasite:power:Feed", "su-01-a"]["energised"] = False
    _, seen, drifted = plugin.read("power:Feed", id_, state)
    assert seen["energised"] is False
    assert list(plugin.diff("power:Feed", drifted, inputs).detailedDiff) == ["energised"]
    plugin.delete("power:Feed", id_, state)
    assert plugin.read("power:Feed", id_, state)[0] == ""
    plugin.delete("power:Feed", id_, state)


def test_a_type_that_is_not_ours_is_named(plugin: Plugin):
    with pytest.raises(Failed, match="`gigasite:power:Fed` is not a resource type of gigasite"):
        plugin.check("power:Fed", {})


def test_configuration_mistakes_come_at_once(plugin: Plugin):
    news = {"sit": "lab", "driver": "redfsh", "latency": "slow", "failure_rate": 2}
    reply = plugin.call("CheckConfig", pb.CheckRequest(urn="u", news=struct(news)))
    assert {item.property for item in reply.failures} == {"sit", "site", "driver", "latency", "failure_rate"}


def test_another_driver_makes_everything_anew_and_another_latency_nothing(plugin: Plugin):
    def diff(**news):
        olds = struct({"site": "lab"})
        return plugin.call(
            "DiffConfig", pb.DiffRequest(urn="u", olds=olds, news=struct({"site": "lab", **news}))
        )

    assert not diff().replaces
    assert list(diff(driver="simulated").replaces) == ["driver"]
    changed = diff(latency=3)
    assert changed.changes == pb.DiffResponse.DIFF_SOME
    assert not changed.replaces


def test_an_unconfigured_provider_says_so(serve, world: World, rack: dict):
    plugin = serve(lambda settings: Runtime(settings, machines=world, facility=world))
    inputs, _ = plugin.check("compute:Rack", rack)
    with pytest.raises(Failed, match="not configured"):
        plugin.create("compute:Rack", inputs)


def test_facility_devices_need_the_simulation(serve):
    plugin = serve(Runtime)
    plugin.configure(site="lab")
    with pytest.raises(Failed, match="no driver for facility devices yet"):
        plugin.create("cooling:Cdu", {"name": "cdu-01", "capacity_kw": 1, "flow_l_min": 1, "load_kw": 0})


def test_a_bug_is_called_a_bug_without_its_traceback(plugin: Plugin, world: World, rack: dict, monkeypatch):
    async def broken(*_args, **_kwargs):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(world, "power", broken)
    inputs, _ = plugin.check("compute:Rack", rack)
    with pytest.raises(Failed) as failed:
        plugin.create("compute:Rack", inputs)
    assert failed.value.message == "this is a bug in the provider gigasite: ZeroDivisionError: oops"


def test_the_schema_has_every_type_and_resolves(plugin: Plugin):
    schema = json.loads(plugin.call("GetSchema", pb.GetSchemaRequest()).schema)
    assert set(schema["resources"]) == set(registry())
    rack = schema["resources"]["gigasite:compute:Rack"]
    assert rack["requiredInputs"] == ["name", "trays"]
    assert rack["inputProperties"]["name"]["willReplaceOnChanges"] is True
    text = json.dumps(schema)
    for part in text.split('"#/types/')[1:]:
        assert part.partition('"')[0] in schema["types"]


def test_no_module_of_the_plugin_shadows_the_standard_library():
    # Pulumi runs the folder as a program, so it is the first place that imports look in.
    folder = Path(infra.provider.__file__).parent
    names = {entry.stem for entry in folder.iterdir() if entry.name != "__main__.py"}
    assert not names & sys.stdlib_module_names


def test_the_drivers_are_not_loaded_before_they_are_needed():
    code = (
        "import sys, infra.provider.plugin, infra.provider.drivers.redfish, infra.provider.drivers.libvirt\n"
        "sys.exit(str({'sushy', 'libvirt', 'ruamel'} & sys.modules.keys()) if "
        "{'sushy', 'libvirt', 'ruamel'} & sys.modules.keys() else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
