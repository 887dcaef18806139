"""Names, ports, MACs, addresses and cables are functions of a machine's own place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from infra.plan import Role, findings, machines_of, plan
from infra.spec import load_site
from infra.spec.layout import Exception_
from infra.spec.site import Site

pytestmark = pytest.mark.unit


@st.composite
def labs(draw):
    """Sites of stand-ins: racks of some slots, groups of servers (some gone), leaves by pod or row.

    All changes of `changes` stay within the room that groups, blocks of switches and address blocks have:
    what outgrows a power of two moves what comes after it, as an address block does.
    """
    slots = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4, unique=True))
    pods = draw(st.integers(1, 3))
    servers = [
        {
            "name": name,
            "role": draw(st.sampled_from(["storage", "management"])),
            "platform": "lab-vm",
            "count": draw(st.integers(1 if name == "head" else 0, 3)),
            **({"attach": f"pod-{draw(st.integers(1, pods)):02d}"} if draw(st.booleans()) else {}),
        }
        for name in ["head", *draw(st.lists(st.sampled_from(["disk", "login"]), max_size=1))]
    ]
    if draw(st.booleans()):
        store = {"name": "store", "role": "storage", "platform": "lab-vm", "per": "pod"}
        servers.append(store | {"count": draw(st.integers(0, 3))})
    per = draw(st.sampled_from(["pod", "scalable-unit"]))
    tiers = [{"name": "leaf", "switch": "frr-vm", "per": per, "count": draw(st.integers(1, 3)), "up": 1}]
    tiers.append({"name": "spine", "switch": "frr-vm", "per": draw(st.sampled_from(["pod", "site"]))})
    return Site.model_validate(
        {
            "name": "drawn",
            "services": {"domain": "drawn.internal", "ntp": "head"},
            "addresses": {
                "management": "10.0.0.0/8",
                "management_pod": 18,
                "loopbacks": "10.255.0.0/16",
                "loopback_pod": 22,
                "links": "100.64.0.0/10",
                "link_pod": 20,
            },
            "layout": {
                "pods": pods,
                "scalable_units_per_pod": draw(st.integers(1, 2)),
                "racks_per_scalable_unit": draw(st.integers(1, 2)),
                "rack": {"trays": [{"platform": "lab-vm", "slots": sorted(slots)}]},
            },
            "fabrics": {"north_south": {"tiers": tiers}},
            "servers": servers,
            "stand_ins": {"port_base": 20000},
        }
    )


def slots_of(site):
    return set(site.layout.rack.trays[0].slots)


def with_slots(site, slots):
    rack = site.layout.rack
    trays = rack.trays[0].model_copy(update={"slots": tuple(sorted(slots))})
    layout = site.layout.model_copy(update={"rack": rack.model_copy(update={"trays": (trays,)})})
    return site.model_copy(update={"layout": layout})


def with_count(site, index, count):
    servers = list(site.servers)
    servers[index] = servers[index].model_copy(update={"count": count})
    return site.model_copy(update={"servers": tuple(servers)})


@st.composite
def changes(draw, site):
    """The site with a machine (or the same slot of every rack) more or less."""
    slots = slots_of(site)
    kind = draw(st.sampled_from(["slot", "exception", "server", "group", "leaf", "pod"]))
    if kind == "slot":
        return with_slots(site, (slots ^ {draw(st.integers(1, 4))}) or slots)
    if kind == "exception":
        slot = draw(st.sampled_from(sorted(slots)))
        entry = {"at": "pod-01-su-01-rack-01", "missing": [slot], "reason": "drawn"}
        return site.model_copy(update={"exceptions": (Exception_.model_validate(entry),)})
    if kind == "server":
        index = draw(st.integers(0, len(site.servers) - 1))
        return with_count(site, index, draw(st.integers(0, 4)))
    if kind == "group":
        group = site.servers[0].model_copy(update={"name": "more", "count": 2})
        return site.model_copy(update={"servers": (*site.servers, group)})
    if kind == "pod":
        return site.model_copy(
            update={"layout": site.layout.model_copy(update={"pods": site.layout.pods + 1})}
        )
    leaf, spine = site.fabrics.north_south.tiers
    fabric = site.fabrics.north_south.model_copy(
        update={"tiers": (leaf.model_copy(update={"count": leaf.count % 4 + 1}), spine)}
    )
    return site.model_copy(update={"fabrics": site.fabrics.model_copy(update={"north_south": fabric})})


def facing(machines, gone):
    """Interfaces (machine, name) that face a machine which came or went."""
    return {
        (m.name, nic.name) for m in machines.values() for nic in m.nics if nic.peer and nic.peer[0] in gone
    }


def as_others_see(machine, changed, *, switch_moved):
    """A machine without the interfaces that changed with their far end (see `facing`)."""
    nics = tuple(
        nic
        for nic in machine.nics
        if (machine.name, nic.name) not in changed
        and not (switch_moved and nic.peer and nic.address is None)  # uplinks are dealt over all of a tier
    )
    if switch_moved:
        # Another switch takes a unit and an address in its pod's blocks, which have room for a power of two
        # of switches; what a stand-in is made of stays all the same.
        switch = {"rack": None, "unit": 0} if machine.role is Role.SWITCH else {}
        return replace(machine, nics=nics, loopback=None, **switch)
    return replace(machine, nics=nics)


def refused(planned):
    return any(finding.id in {"down-ports", "switch-ports"} for finding in findings(planned))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_machine_moves_for_another(data):
    """Every field of every other machine stays, but the switch port that faces the one that came or went."""
    site = data.draw(labs())
    other = data.draw(changes(site))
    # A plan that is refused is never made. A server without a port of its own, which then takes a missing
    # tray's, is the one that this is about: a block whose rooms are larger than its switches is refused.
    assume(not any(refused(plan(one)) for one in (site, other)))
    before = {machine.name: machine for machine in machines_of(plan(site))}
    after = {machine.name: machine for machine in machines_of(plan(other))}
    gone = set(before) ^ set(after)
    changed = facing(before, gone) | facing(after, gone)
    pods = {machine.pod for machine in before.values()} & {machine.pod for machine in after.values()}
    moved = any(
        m.role is Role.SWITCH and m.pod in {None, *pods} for n, m in (before | after).items() if n in gone
    )
    for name in set(before) & set(after):
        old = as_others_see(before[name], changed, switch_moved=moved)
        assert as_others_see(after[name], changed, switch_moved=moved) == old


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(site=labs())
def test_no_two_machines_share_anything(site):
    machines = machines_of(plan(site))
    for one in (
        [machine.name for machine in machines],
        [port for machine in machines for port in (machine.bmc.port, machine.stand_in.ssh_port)],
        [nic.udp[0] for machine in machines for nic in machine.nics if nic.udp],
        [nic.mac for machine in machines for nic in machine.nics],
        [machine.loopback for machine in machines],
        [nic.address for machine in machines for nic in machine.nics if nic.address],
    ):
        assert len(set(one)) == len(one)
    ends = {nic.udp for machine in machines for nic in machine.nics if nic.udp}
    assert all((remote, local) in ends for local, remote in ends), (
        "each end sends to where the other receives"
    )
    assert all(nic.udp for machine in machines for nic in machine.nics if nic.peer), "every cable is laid"


def test_a_group_that_outgrows_its_room_moves_only_those_after_it():
    site = with_count(load_site("lab"), 0, 5)
    before = {machine.name: machine for machine in machines_of(plan(load_site("lab")))}
    after = {machine.name: machine for machine in machines_of(plan(site))}
    moved = {
        name
        for name in before
        if name in after and replace(after[name], nics=()) != replace(before[name], nics=())
    }
    assert moved == {"lab-storage"}


def test_a_second_server_does_not_rename_the_first():
    names = [
        machine.name for machine in machines_of(plan(with_count(load_site("lab"), 0, 3)), site_level=True)
    ]
    assert names == ["lab-head", "lab-head-02", "lab-head-03", "lab-storage"]
