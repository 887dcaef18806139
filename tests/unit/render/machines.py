"""A small site's machines, written by hand: two switches between two racks, so that BGP is needed."""

from __future__ import annotations

from dataclasses import replace

from infra.plan import plan
from infra.plan.tables.machines import Bmc, Machine, Nic, Role, StandIn
from infra.render import site_facts
from infra.render.network import common_of
from infra.render.scheduler import slurm_facts, tray_of

LEAF, SPINE, HEAD, STORE = "lab-leaf", "lab-spine", "lab-head", "lab-storage"
TRAYS = ("tray-1", "tray-2")


def nic(number: int, own: str, peer: tuple[str, str], other: str) -> Nic:
    last = int(own.rpartition(".")[2])
    return Nic(
        name=f"data{number}",
        mac=f"52:54:00:00:{last:02x}:{number:02x}",
        fabric="north-south",
        kind="north-south",
        rail=None,
        gbit=1,
        address=f"{own}/31",
        peer=peer,
        peer_address=other,
        udp=None,
    )


def bare(nic: Nic) -> Nic:
    """The same without addresses: cables between switches have none."""
    return replace(nic, address=None, peer_address=None)


def machine(name: str, role: Role, index: int, nics: tuple[Nic, ...], *, stand_in: bool = True) -> Machine:
    rack = "pod-01-su-01-rack-01" if role is Role.TRAY else None
    return Machine(
        name=name,
        role=role,
        site="lab",
        pod="pod-01" if role in {Role.TRAY, Role.SWITCH} else None,
        su="pod-01-su-01" if rack else None,
        rack=rack,
        unit=index,
        slot=index if rack else None,
        platform="frr-vm" if role is Role.SWITCH else "lab-vm",
        uuid=f"0000000{index}-0000-4000-8000-000000000000",
        bmc=Bmc("127.0.0.1", 20000 + index, name),
        management_address=f"10.0.0.{index}",
        loopback=f"10.255.0.{index}",
        nics=nics,
        accelerators=4 if rack else 0,
        stand_in=StandIn(1, 640, 4, 20100 + index) if stand_in else None,
    )


def machines(*, stand_in: bool = True) -> tuple[Machine, ...]:
    """Two trays, storage and head on the leaf's ports 0 to 3, the spine on its port 4."""
    hosts = [(TRAYS[0], Role.TRAY), (TRAYS[1], Role.TRAY), (STORE, Role.STORAGE), (HEAD, Role.MANAGEMENT)]
    built = [
        machine(
            name,
            role,
            index + 1,
            (nic(0, f"10.64.0.{2 * index + 1}", (LEAF, f"data{index}"), f"10.64.0.{2 * index}"),),
            stand_in=stand_in,
        )
        for index, (name, role) in enumerate(hosts)
    ]
    ports = tuple(
        nic(index, f"10.64.0.{2 * index}", (name, "data0"), f"10.64.0.{2 * index + 1}")
        for index, (name, _) in enumerate(hosts)
    )
    up = bare(nic(4, "10.64.0.8", (SPINE, "data0"), "10.64.0.9"))
    built.append(machine(LEAF, Role.SWITCH, 5, (*ports, up), stand_in=stand_in))
    down = bare(nic(0, "10.64.0.9", (LEAF, "data4"), "10.64.0.8"))
    built.append(machine(SPINE, Role.SWITCH, 6, (down,), stand_in=stand_in))
    return tuple(built)


def facts_of_site(declared, machines):
    """Facts of the hand-made site with its one cluster."""
    head = next(machine for machine in machines if machine.name == HEAD)
    trays = [tray_of(machine) for machine in machines if machine.role is Role.TRAY]
    slurm = declared.schedulers.slurm
    clusters = [slurm_facts(slurm, slurm.cluster, (HEAD, head.loopback), trays)]
    return site_facts(declared, machines, clusters, network=common_of(plan(declared)))
