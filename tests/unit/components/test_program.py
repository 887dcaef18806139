"""The program: what each stack declares, checked by the provider itself, without an engine."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import subprocess
import sys
from collections import Counter

import pulumi
import pytest
from pulumi.provider.experimental import provider as api
from pulumi.runtime import mocks, settings

from infra import paths
from infra.components import hardware
from infra.components.arguments import properties
from infra.components.hardware import tray_args
from infra.components.program import declare, pod_args, site_args
from infra.errors import UserError
from infra.plan import machines_of, plan
from infra.provider.plugin import Gigasite
from infra.provider.properties import wrap_map
from infra.provider.resources import registry
from infra.spec import catalog, load, load_site

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _loop():
    # The SDK asks for the thread's loop, and asyncio.run in an earlier test leaves none.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


class Recorder(mocks.Mocks):
    """Takes every resource, lets the provider check and preview it, and answers with that."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, str], dict] = {}
        self.shared = {"lab-head": {"loopback": "10.255.0.1"}}

    def new_resource(self, args: mocks.MockResourceArgs):
        self.made[args.typ, args.name] = args.inputs
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {**args.inputs, "outputs": {"shared": self.shared}}
        if args.typ.startswith("pulumi:"):
            return args.name, args.inputs
        kind = registry().get(args.typ)
        if kind is None:
            return "", args.inputs
        urn = f"urn:pulumi:s::gigasite::{args.typ}::{args.name}"
        inputs = {key: value for key, value in args.inputs.items() if key not in kind.outputs}
        request = api.CheckRequest(urn, {}, wrap_map(inputs), b"")
        reply = asyncio.run(Gigasite().check(request))
        assert not reply.failures, [failure.reason for failure in reply.failures]
        record = {"serial": "S", "uuid": "U", "power_state": "on", "model": "M", "bmc_url": "https://b"}
        outputs = {
            "machines": dict.fromkeys(args.inputs.get("trays", {}), record),
            "machine": record,
            "definition": "d1",
            "ssh": {"address": "127.0.0.1", "port": args.inputs.get("ssh_port")},
            "started": "fast",
            "serial": "S",
        }
        return args.name, {**args.inputs, **{name: outputs.get(name, True) for name in kind.outputs}}

    def call(self, args: mocks.MockCallArgs):
        raise AssertionError(f"the program calls {args.token}")

    def of(self, type_name: str) -> dict[str, dict]:
        return {name: inputs for (typ, name), inputs in self.made.items() if typ == type_name}


def run(stack: str, *, preview: bool = False) -> tuple[Recorder, dict]:
    """The program of a stack: what it registered, and its outputs."""
    recorder, exported = Recorder(), {}
    mocks.set_mocks(recorder, project="gigasite", stack=stack, preview=preview)

    @pulumi.runtime.test
    def program():
        declare(stack)
        root = settings.get_root_resource()
        exported.update(root.outputs)
        return pulumi.Output.from_input(dict(root.outputs)).apply(exported.update)

    program()
    return recorder, exported


def test_the_labs_own_stack_makes_its_head_and_storage():
    recorder, outputs = run("lab")
    assert sorted(recorder.of("gigasite:standin:Machine")) == ["lab-head", "lab-storage"]
    assert list(recorder.of("gigasite:management:Server")) == ["lab-head"]
    assert list(recorder.of("gigasite:storage:Server")) == ["lab-storage"]
    assert recorder.of("gigasite:storage:Server")["lab-storage"]["hardware"] == "d1"
    assert outputs["pods"] == ["pod-01"]
    assert outputs["shared"]["lab-storage"]["role"] == "storage"
    assert outputs["machines"]["lab-head"] == {
        "role": "management",
        "serial": "S",
        "uuid": "U",
        "model": "M",
        "power_state": "on",
        "bmc": "https://b",
        "ssh": {"address": "127.0.0.1", "port": 21500},
        "started": "fast",
    }


def test_the_labs_pod_makes_one_rack_of_two_trays_and_a_leaf():
    recorder, outputs = run("lab.pod-01")
    rack = recorder.of("gigasite:compute:Rack")["pod-01-su-01-rack-01"]
    assert sorted(rack["trays"]) == ["pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"]
    (leaf,) = recorder.of("gigasite:network:Switch").items()
    golden = paths.ROOT / "tests/unit/network/golden/lab/pod-01-leaf-01/frr.conf"
    assert (leaf[0], leaf[1]["configuration"]) == ("pod-01-leaf-01", {"frr.conf": golden.read_text()})
    assert len(recorder.of("gigasite:standin:Machine")) == 3
    assert len(outputs["machines"]) == 3
    assert outputs["shared"] == recorder.shared


def test_the_labs_trays_have_the_accelerators_of_their_platform_and_its_other_machines_none():
    made = run("lab.pod-01")[0].of("gigasite:standin:Machine") | run("lab")[0].of("gigasite:standin:Machine")
    found = {name: inputs["accelerators"] for name, inputs in made.items() if "accelerators" in inputs}
    assert sorted(found) == ["pod-01-su-01-rack-01-tray-01", "pod-01-su-01-rack-01-tray-02"]
    node = catalog.platform("lab-tray").node
    for each in found.values():
        assert (each["count"], each["model"]) == (4, node.accelerator.model)
        assert each["link_mbps"] == 50_000
        assert each["domain"] == "lab pod-01-su-01-rack-01"


@pytest.mark.parametrize(
    ("platform", "count"), [("gb300-nvl72", 4), ("dgx-b200", 8), ("mi355x", None), ("server-1u", None)]
)
def test_stand_ins_emulate_nvml_and_nothing_of_rocm(platform, count):
    site = plan(load_site("lab"))
    tray = next(one for one in machines_of(site) if one.slot)
    accelerators = catalog.platform(platform).node.accelerators
    found = hardware._accelerators(dataclasses.replace(tray, platform=platform, accelerators=accelerators))
    assert (found.count if found else None) == count


def test_cables_of_stand_ins_meet_each_other():
    made = {
        **run("lab")[0].of("gigasite:standin:Machine"),
        **run("lab.pod-01")[0].of("gigasite:standin:Machine"),
    }
    ends = [(nic["local"], nic["remote"]) for inputs in made.values() for nic in inputs.get("nics", [])]
    assert len(ends) == 8
    assert {(remote, local) for local, remote in ends} == set(ends)
    ports = [inputs["ssh_port"] for inputs in made.values()] + [item["bmc"]["port"] for item in made.values()]
    assert max(Counter(ports).values()) == 1


@pytest.mark.parametrize("stack", ["lab", "lab.pod-01"])
def test_a_stand_in_is_removed_before_it_is_made_anew(stack, monkeypatch):
    """Also when a person asks for it (`--replace`), where the engine takes no diff of the provider."""
    asked, register = {}, mocks.MockMonitor.RegisterResource

    def noted(monitor, request):
        asked[request.type, request.name] = request.deleteBeforeReplace
        return register(monitor, request)

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", noted)
    run(stack)
    first = {name: removed for (token, name), removed in asked.items() if token == "gigasite:standin:Machine"}
    assert first
    assert all(first.values())


def test_the_controller_that_a_stand_in_starts_is_the_one_that_its_machine_is_reached_by():
    recorder, _ = run("lab.pod-01")
    under = recorder.of("gigasite:standin:Machine")
    for name, tray in recorder.of("gigasite:compute:Rack")["pod-01-su-01-rack-01"]["trays"].items():
        assert tray["bmc"]["port"] == under[name]["bmc"]["port"]
        assert tray["bmc"]["credential"] == under[name]["bmc"]["credential"]
        assert tray["uuid"] == under[name]["uuid"]


def test_a_pod_that_is_not_declared_is_named():
    with pytest.raises(UserError, match="no pod `pod-77`"):
        run("lab.pod-77")


def test_the_driver_comes_from_the_stacks_configuration():
    pulumi.runtime.set_all_config({"gigasite:driver": "simulated", "gigasite:latency": "0.5"})
    try:
        recorder, _ = run("lab")
    finally:
        pulumi.runtime.set_all_config({})
    made = recorder.of("pulumi:providers:gigasite")["lab"]
    assert made == {"site": "lab", "driver": "simulated", "latency": 0.5}
    assert not recorder.of("gigasite:standin:Machine")


def test_the_program_imports_the_package_and_not_its_folder():
    # Pulumi puts infra/ at the head of sys.path, where `plan` and `spec` could be imported a second time.
    code = (
        "import runpy, sys; sys.path.insert(0, 'infra'); import pulumi\n"
        "pulumi.get_stack = lambda: 'nosuchsite'\n"
        "try: runpy.run_path('infra', run_name='__main__')\n"
        "except pulumi.RunError as error: print('RUNERROR', error)\n"
        "print('TWICE', [m for m in ('plan', 'spec', 'components', 'paths', 'errors') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert "TWICE []" in done.stdout, done.stderr
    assert "RUNERROR" in done.stdout
    assert "nosuchsite" in done.stdout


@pytest.fixture(scope="module")
def reference():
    return plan(load_site("reference"))


def test_a_pod_of_the_reference_site_is_a_few_hundred_resources_at_rack_grain(reference):
    args = pod_args(reference, "pod-17")
    assert len(args.units) == 16
    racks = {name: trays for unit in args.units.values() for name, trays in unit.racks.items()}
    assert len(racks) == 128
    assert {len(trays) for trays in racks.values()} == {18}
    assert {fabric: len(part.switches) for fabric, part in args.fabrics.items()} == {
        "east-west": 128 + 72,
        "north-south": 64 + 44 + 2,
    }
    devices = sum(len(unit.feeds) + len(unit.cdus) for unit in args.units.values())
    # Stack, provider, reference to the site, the pod, its two fabrics and sixteen units come on top.
    servers = [server for tier in args.storage.values() for server in tier.servers]
    assert len(servers) == 16
    assert {server.pod for server in servers} == {"pod-17"}
    assert 500 <= len(racks) + 310 + len(servers) + devices + 23 <= 700
    unit = args.units["pod-17-su-03"]
    # 8 racks of 119.4 kW, 16 + 8 + 4 switches (1.6, 32 and 6 kW) and 2 CDUs of 12 kW on busways of 1.25 MW.
    assert [feed.name for feed in unit.feeds] == ["pod-17-su-03-busway-01", "pod-17-su-03-busway-02"]
    assert unit.feeds[0].capacity_kw == 1250
    assert unit.feeds[0].load_kw == pytest.approx((8 * 119.43 + 39.6 + 24) / 2, rel=1e-3)
    # 87 % of the row's heat goes into liquid, half of it through each unit; 156 L/min a rack at most.
    assert unit.cdus[1].load_kw == pytest.approx(8 * 119.4 * 0.87 / 2, rel=1e-3)
    assert unit.cdus[1].flow_l_min <= 8 * 180 / 2
    assert unit.cdus[1].supply_c == 40


def test_the_reference_sites_own_stack_has_grid_core_and_storage(reference):
    args = site_args(reference, protect=True)
    assert args.connection is not None
    assert (args.connection.capacity_mw, args.connection.voltage_kv) == (1000, 400)
    assert args.connection.ramp_mw_per_min == 20
    assert {fabric: len(part.switches) for fabric, part in args.fabrics.items()} == {"east-west": 576}
    assert len(args.management) == 9  # one head for each Slurm cluster
    assert not args.storage, "the storage servers are the pods'"
    args = pod_args(reference, "pod-54", protect=True)
    assert {name: len(tier.servers) for name, tier in args.storage.items()} == {"hot": 16}
    assert all(tier.protect for tier in args.storage.values())


def test_props_of_a_real_tray_have_no_stand_in_under_them(reference):
    tray = machines_of(reference, "pod-02")[-1]
    found = properties(tray_args(tray, None))
    assert "hardware" not in found
    assert "on_delete" not in found
    assert found["accelerators"] == 4


def test_machines_without_their_cables_are_the_same_machines():
    lab = plan(load_site("lab"))
    bare = machines_of(lab, cables=False)
    assert bare == tuple(dataclasses.replace(machine, nics=()) for machine in machines_of(lab))


def test_rows_of_every_kind_of_pod_have_their_own_feeds_and_coolers():
    whole = plan(load(paths.ROOT / "tests" / "cases" / "kinds-of-pods" / "site.yaml"))
    found = {}
    for pod in ("pod-01", "pod-03", "pod-06"):
        units = pod_args(whole, pod).units
        found[pod] = [
            (len(unit.racks), {feed.capacity_kw for feed in unit.feeds}, len(unit.cdus))
            for unit in units.values()
        ]
    assert found == {
        "pod-01": [(8, {700.0}, 2)] * 4,
        "pod-03": [(18, {600.0}, 0)] * 2,
        "pod-06": [(8, {700.0}, 3), (5, {700.0}, 3)],
    }
