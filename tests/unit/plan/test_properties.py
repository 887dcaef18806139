"""What holds on every site: nothing used twice, both ends exist, sums agree, slices equal the whole."""

from __future__ import annotations

import importlib.util
import ipaddress
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from infra.plan import findings, machines_of, plan, summary
from infra.plan.admission.fit import fit
from infra.plan.tables.counts import counts
from infra.plan.tables.power import it_in_service
from infra.plan.tables.zones import link_ranges, loopback_ranges
from infra.plan.views.export import cabling_sheet
from infra.plan.views.materials import bill
from infra.spec import catalog, checks
from infra.spec.layout import Phase
from infra.spec.services import Schedulers
from infra.spec.sizes import in_service
from infra.spec.tiers import port_names

_spec = importlib.util.spec_from_file_location("sites", Path(__file__).with_name("sites.py"))
_sites = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_sites)

pytestmark = pytest.mark.unit

SETTINGS = settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


@SETTINGS
@given(_sites.sites())
def test_no_port_slot_name_or_address_is_used_twice(site):
    whole = plan(site)
    ends = pl.concat(
        [
            whole.links.select(pl.col("a").alias("device"), pl.col("a_port").alias("port")),
            whole.links.select(pl.col("z").alias("device"), pl.col("z_port").alias("port")),
        ]
    )
    assert ends.is_duplicated().sum() == 0
    trays = whole.nodes.filter(pl.col("role") == "tray").select("rack", "slot")
    assert trays.is_duplicated().sum() == 0
    units = pl.concat(
        [
            whole.nodes.select("rack", pl.col("unit").cast(pl.Int32)),
            whole.companions.select("rack", pl.col("unit").cast(pl.Int32)),
            whole.switches.select("rack", pl.col("unit").cast(pl.Int32))
            if whole.switches.height
            else whole.nodes.select("rack", pl.col("unit").cast(pl.Int32)).clear(),
        ]
    )
    assert units.is_duplicated().sum() == 0
    assert whole.addresses["address"].is_duplicated().sum() == 0
    names = [*whole.nodes["name"], *whole.companions["name"], *whole.switches["name"]]
    assert len(set(names)) == len(names)


@SETTINGS
@given(_sites.sites())
def test_both_ends_of_each_cable_exist(site):
    whole = plan(site)
    switches = set(whole.switches["name"])
    below = {*whole.nodes["name"], *whole.companions["name"]}
    racks = set(whole.racks["name"])
    for row in whole.links.iter_rows(named=True):
        assert row["z"] in switches
        upper = row["fabric"] == "out-of-band" or row["tier"] != "host_leaf"
        assert row["a"] in below or (upper and row["a"] in switches | racks)
        assert {row["a_rack"], row["z_rack"]} <= racks
        assert row["length"] > 0
    ports = dict(whole.switches.select("name", "ports").rows()) if whole.switches.height else {}
    used = whole.ports.group_by("switch").len()
    assert all(count <= ports[name] for name, count in used.rows())


@SETTINGS
@given(_sites.sites())
def test_each_loopback_is_in_the_ranges_of_its_role_alone(site):
    whole = plan(site)
    roles = dict.fromkeys(whole.switches["name"], "switch")
    roles |= dict(whole.nodes.select("name", "role").rows())
    ranges = [
        (role, *map(ipaddress.ip_address, text.split("-")))
        for role, texts in loopback_ranges(site).items()
        for text in texts
    ]
    for owner, text in whole.addresses.filter(pl.col("pool") == "loopback").select("owner", "address").rows():
        address = ipaddress.ip_interface(text).ip
        assert {role for role, first, last in ranges if first <= address <= last} == {roles[owner]}, owner


@SETTINGS
@given(_sites.sites())
def test_each_hosts_link_is_odd_and_in_the_ranges_of_its_role_alone(site):
    whole = plan(site)
    roles = dict(whole.nodes.select("name", "role").rows())
    ranges = [
        (role, *map(ipaddress.ip_address, text.split("-")))
        for role, texts in link_ranges(site).items()
        for text in texts
    ]
    for owner, text in whole.addresses.filter(pl.col("pool") == "link").select("owner", "address").rows():
        address = ipaddress.ip_interface(text).ip
        assert int(address) % 2 == 1
        assert {role for role, first, last in ranges if first <= address <= last} == {roles[owner]}, owner


@SETTINGS
@given(_sites.sites())
def test_every_nic_is_cabled_where_ports_are_enough(site):
    whole = plan(site)
    short = {finding.id for finding in findings(whole)} & {"down-ports", "switch-ports"}
    cables = counts(whole).cables
    for fabric, tiers in whole.geometry.tiers.items():
        if short or fabric == "out-of-band":
            continue
        planes = tiers[0].planes
        expected = whole.nics.filter(pl.col("fabric") == fabric).height * planes
        made = whole.links.filter(
            (pl.col("fabric") == fabric)
            & (pl.col("tier") == "host_leaf")
            & pl.col("a").is_in(whole.nodes.filter(pl.col("role") == "tray")["name"].implode())
        )
        assert made.height == expected
        for step in ("host_leaf", "leaf_spine", "spine_core"):
            rows = whole.links.filter((pl.col("fabric") == fabric) & (pl.col("tier") == step))
            assert rows.height == cables[fabric, step]


@SETTINGS
@given(_sites.sites())
def test_sums_of_watts_agree_at_every_level(site):
    whole = plan(site)
    power = whole.power
    totals = {
        level: power.filter(pl.col("level") == level)
        .select(pl.col("compute_w", "other_w", "facility_w").sum())
        .row(0)
        for level in power["level"].unique()
    }
    assert set(totals) == {"site", "building", "hall", "pod", "scalable-unit", "rack"}
    for column in ("own_w", "cooling_w"):
        whole_of = dict(power.filter(pl.col("level") != "rack").select("name", column).rows())
        parts = dict(power.drop_nulls("parent").group_by("parent").agg(pl.col(column).sum()).rows())
        assert parts == pytest.approx(whole_of), "a place is what stands in it"
    planned = sum(
        catalog.platform(server.platform).node.power.total * server.all(site.layout.pods)
        for server in site.servers
    )
    switches = whole.switches["watts"].sum() if whole.switches.height else 0
    compute = power["compute_w"].filter(power["kind"] == "compute").sum()
    assert power.filter(pl.col("level") == "site")["own_w"].item() == pytest.approx(
        compute + switches + planned
    )
    heat = whole.cooling.filter(pl.col("level") == "site").row(0, named=True)
    assert heat["liquid_w"] + heat["air_w"] == pytest.approx(compute + switches + planned)
    assert set(power["name"].filter(power["level"] == "rack")) == set(whole.racks["name"])
    for row in totals.values():
        assert row == pytest.approx(totals["rack"])
    for parent, watts in power.group_by("parent").agg(pl.col("it_w").sum()).drop_nulls("parent").rows():
        assert watts == pytest.approx(power.filter(pl.col("name") == parent)["it_w"].item())
    figures = summary(whole)["power"]
    assert figures["facility_mw"] * 1e6 == pytest.approx(totals["site"][2])


TABLES = (
    "racks",
    "nodes",
    "companions",
    "nics",
    "switches",
    "links",
    "ports",
    "addresses",
    "power",
    "cooling",
)


@SETTINGS
@given(_sites.sites())
def test_a_slice_equals_the_rows_of_the_whole(site):
    whole = plan(site)
    for pod in whole.pods:
        part = whole.pod(pod)
        for table in TABLES:
            rows = getattr(whole, table).filter(pl.col("pod") == pod)
            own = getattr(part, table)
            keys = [
                c
                for c in ("name", "a", "switch", "owner", "node", "a_port", "port", "interface")
                if c in own.columns
            ]
            assert_frame_equal(own.sort(keys), rows.sort(keys), check_exact=False, rel_tol=1e-6)


@SETTINGS
@given(_sites.sites())
def test_another_pod_renames_and_renumbers_nothing(site):
    tiers = [*(site.fabrics.east_west or _none).tiers, *(site.fabrics.north_south or _none).tiers]
    if any(tier.per in {"hall", "building", "site"} for tier in tiers):
        return  # switches above pods whose number follows from the pods deal their ports anew
    before = plan(site)
    layout = site.layout.model_copy(update={"pods": site.layout.pods + 1})
    after = plan(site.model_copy(update={"layout": layout}))
    for table in ("nodes", "switches", "links", "addresses"):
        old, new = getattr(before, table), getattr(after, table)
        assert old.join(new, on=old.columns, how="anti", nulls_equal=True).height == 0


@SETTINGS
@given(_sites.sites(), st.data())
def test_what_is_in_service_amid_a_pod_is_a_part_of_the_whole(site, data):
    """Names, ports, cables and addresses of a phase are those of the whole; sums agree over what is there."""
    whole = plan(site)
    pod = data.draw(st.integers(0, site.layout.pods - 1))
    rows = whole.geometry.sizes.rows(pod)
    units = data.draw(st.integers(0, len(rows) - 1))
    phase = {"name": "some", "date": "2027-01-01", "pods": pod, "scalable_units": units}
    phase["racks"] = data.draw(st.integers(0, rows[units] - 1))
    site = site.model_copy(update={"phases": (Phase.model_validate(phase),)})
    assert not list(checks.mistakes(site))
    part = plan(site, "some")
    for table in ("nodes", "companions", "switches", "links", "addresses"):
        all_rows, own = getattr(whole, table), getattr(part, table)
        assert own.join(all_rows, on=own.columns, how="anti", nulls_equal=True).height == 0, table
    assert (
        part.rack_frame.height
        == whole.geometry.sizes.racks_in(range(pod)) + sum(rows[:units]) + phase["racks"]
    )
    numbers = counts(part)
    assert numbers.nodes.total() == part.node_frame.height
    if not part.scope:
        return
    assert sum(numbers.switches.values()) == part.switches.height
    assert summary(part)["power"]["it_mw"] * 1e6 == pytest.approx(part.power.item(0, "it_w"))
    assert it_in_service(whole, in_service(site.phases[0])) == pytest.approx(part.power.item(0, "it_w"))
    name = part.pods[-1]
    for table in ("racks", "nodes", "switches", "links"):
        assert (
            getattr(part.pod(name), table).height == getattr(part, table).filter(pl.col("pod") == name).height
        )


class _none:  # noqa: N801
    tiers = ()


@SETTINGS
@given(_sites.sites())
def test_addresses_lie_in_their_supernets(site):
    assert not list(checks.mistakes(site))
    whole = plan(site)
    nets = {
        "management": ipaddress.ip_network(site.addresses.management),
        "loopback": ipaddress.ip_network(site.addresses.loopbacks),
        "link": ipaddress.ip_network(site.addresses.links),
    }
    for pool, address in whole.addresses.select("pool", "address").rows():
        assert ipaddress.ip_interface(address).ip in nets[pool]


@settings(parent=SETTINGS, max_examples=15)
@given(_sites.sites())
def test_machines_agree_with_tables(site):
    whole = plan(site)
    machines = {machine.name: machine for machine in machines_of(whole)}
    data = (
        whole.switches.filter(pl.col("fabric") != "out-of-band") if whole.switches.height else whole.switches
    )
    assert set(machines) == {*whole.nodes["name"], *data["name"]}
    for row in whole.links.filter(pl.col("fabric") != "out-of-band").iter_rows(named=True):
        upper = {nic.name: nic for nic in machines[row["z"]].nics}
        assert upper[row["z_port"]].peer == (row["a"], row["a_port"])
    macs = [nic.mac for machine in machines.values() for nic in machine.nics]
    assert len(set(macs)) == len(macs)


@SETTINGS
@given(_sites.sites())
def test_figures_are_sums_over_the_tables(site):
    """Exceptions count in every figure: nodes, accelerators, watts, coolant, schedulers and what fits."""
    slurm = {"cluster": "x", "controller": "server0", "per": "pod", "partitions": [{"name": "m"}]}
    declared = Schedulers.model_validate({"slurm": slurm, "kubernetes": {"per": "hall"}})
    site = site.model_copy(update={"schedulers": declared})
    whole = plan(site)
    figures = summary(whole)
    trays = whole.nodes.filter(pl.col("role") == "tray")
    compute = whole.power.filter(pl.col("kind") == "compute")
    assert figures["nodes"] == trays.height
    assert figures["accelerators"] == trays["accelerators"].sum()
    assert figures["platforms"] == dict(trays.group_by("platform").len().rows())
    assert figures["racks"] == compute.height == (whole.racks["kind"] == "compute").sum()
    assert figures["power"]["compute_mw"] == pytest.approx(compute["compute_w"].sum() / 1e6)
    assert figures["power"]["rack_kw"] == pytest.approx(compute["compute_w"].mean() / 1e3)
    cooling = whole.cooling.filter(pl.col("kind") == "compute")
    assert figures["cooling"]["flow_l_min_per_rack"] == pytest.approx(cooling["flow_l_min"].mean(), rel=1e-6)
    by_pod = dict(trays.group_by("pod").len().rows())
    each = [by_pod.get(pod, 0) for pod in whole.pods]
    size = site.layout.pods_per_hall
    halls = [sum(each[start : start + size]) for start in range(0, len(each), size)]
    assert figures["schedulers"]["slurm"]["nodes_per_cluster"] == max(each)
    assert figures["schedulers"]["kubernetes"]["nodes_per_cluster"] == max(halls)
    assert (figures["schedulers"]["slurm"]["clusters"], figures["schedulers"]["kubernetes"]["clusters"]) == (
        len(each), len(halls),
    )  # fmt: skip
    [smallest] = trays.group_by("rack").len().select(pl.col("len").min()).to_series() if trays.height else [0]
    assert figures["schedulers"]["slurm"]["block_sizes"][:1] == ([smallest] if trays.height else [])
    # What is planned fits a connection of just its power, and not one of a little less.
    facility = figures["power"]["facility_mw"] * 1e6
    if compute["compute_w"].min() > 0:
        answer = fit(whole, cap_w=facility)
        assert (answer.pods, answer.accelerators) == (site.layout.pods, figures["accelerators"])
        assert answer.facility_w == pytest.approx(facility)
        assert fit(whole, cap_w=facility * 0.999).pods < site.layout.pods


@SETTINGS
@given(_sites.sites())
def test_all_with_a_management_address_has_a_cable_or_is_told(site):
    whole = plan(site)
    fabrics = whole.geometry.management_fabrics
    if not fabrics or {f.id for f in findings(whole)} & {"down-ports", "switch-ports", "exception-ports"}:
        return
    cabled = whole.links.filter(pl.col("fabric").cast(pl.String).is_in(fabrics))
    owners = set(whole.addresses.filter(pl.col("pool") == "management")["owner"])
    own = whole.switches.filter(pl.col("fabric").is_in(fabrics))["name"]
    lost = owners - set(own) - set(cabled["a"])
    told = [finding for finding in findings(whole) if finding.id == "out-of-band-reach"]
    assert bool(lost) == bool(told), sorted(lost)
    rows = cabled.filter(pl.col("tier") == "host_leaf").height
    assert rows == sum(counts(whole).cables[fabric, "host_leaf"] for fabric in fabrics)


@SETTINGS
@given(_sites.sites())
def test_the_bill_of_materials_agrees_with_the_tables(site):
    """What is bought is what stands and what is cabled: legs, cables, cages, optics, racks and switches."""
    whole = plan(site)
    if "link-speed" in {finding.id for finding in findings(whole)}:
        return  # no cable joins ports of two speeds, and nothing is written of such a plan
    table, sheet = bill(whole), cabling_sheet(whole)
    sums = dict(table.group_by("kind").agg(pl.col("count").sum()).rows())
    assert sums.get("switch", 0) == whole.switches.height
    assert sums["system"] == counts(whole).nodes.total() + whole.companions.height
    assert sums["rack"] + sums.get("cdu", 0) == whole.racks.height
    assert sums.get("server", 0) == whole.servers_in_scope.height
    harness = sheet["Cable"].str.contains(" 1:")
    assert sheet.filter(~harness).height == sums.get("cable", 0)
    assert sheet["Cable ID"].is_unique().all()
    by_cable = table.filter(pl.col("kind") == "cable").group_by("item", "metres").agg(pl.col("count").sum())
    rows = sheet.filter(~harness).group_by("Cable", "Length m").len()
    assert {(item, metres): count for item, metres, count in by_cable.rows()} == {
        (item, metres): count for item, metres, count in rows.rows()
    }
    links = whole.links.with_columns(sheet["Cable"].alias("type"))
    for (item,), part in links.filter(harness).group_by("type"):
        legs = int(str(item).rpartition(":")[2])
        bought = table.filter((pl.col("kind") == "harness") & (pl.col("item") == item))["count"].sum()
        assert bought <= part.height <= bought * legs, "no harness without a leg, no leg without a harness"
    optical = {cable.name for cable in catalog.cables().values() if cable.optic}
    lit = links.filter(pl.col("type").str.replace(r" 1:.*", "").is_in(optical))
    assert sums.get("optic", 0) == cages(whole, lit)


def cages(whole, links):
    """Cages at the ends of links: parts of one port are in one, and so are the planes of one NIC."""
    found = set()
    every = {tier.name: tier for tier in whole.geometry.every_tier}
    of = dict(whole.switches.select("name", "tier").rows()) if whole.switches.height else {}
    for row in links.iter_rows(named=True):
        for end in ("a", "z"):
            device, port = row[end], row[f"{end}_port"]
            tier = every.get(of.get(device))
            if tier is None:
                found.add((device, re.sub(r"p[0-9]+$", "", port)))
            else:
                index = port_names(tier.model, tier.breakout).index(port)
                split = tier.breakout if index < tier.ports else 1
                found.add((device, index // split, split))
    return len(found)
