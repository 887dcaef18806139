"""Facts of one Slurm cluster: nodes, partitions and block topology, from the plan's trays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.tables.schedulers import doubling
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.tables.machines import Machine
    from infra.spec.services import Slurm

LEVELS = {"rack": "rack", "scalable-unit": "su", "pod": "pod"}
"""The declaration's levels by the machine's attribute."""

MEMORY_SHARE = 0.8
"""Share of a stand-in's memory that its kernel surely leaves to jobs: a node that has less than declared is
drained."""


@dataclass(frozen=True, slots=True)
class Tray:
    """Tray of a Slurm cluster; `vcpus` and `memory_mib` (of the machine) are None on real hardware."""

    name: str
    address: str
    pod: str
    su: str
    rack: str
    platform: str
    accelerators: int
    vcpus: int | None
    memory_mib: int | None
    pool: str | None = None


@dataclass(frozen=True, slots=True)
class SlurmNode:
    """A NodeName line; `cpus` and `memory_mib` are None where slurmd's own finding is taken.

    `pool` is what the node is set aside for: it is drained then, with that reason.
    """

    name: str
    address: str
    cpus: int | None
    memory_mib: int | None
    gpus: int
    pool: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """A block of `topology/block`: the trays of one rack, which share NVLink."""

    name: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlurmPartition:
    """A PartitionName line over all nodes; `default` is Slurm's YES or NO."""

    name: str
    default: str
    max_time: str


@dataclass(frozen=True, slots=True)
class Gres:
    """A line of gres.conf: accelerators that slurmd finds itself, or a count where no interface is known."""

    nodes: str
    source: str


@dataclass(frozen=True, slots=True)
class SlurmFacts:
    """One cluster.

    Attributes:
        cluster: ClusterName.
        pods: names of the pods whose trays it has.
        partitions: PartitionName lines.
        controller: machine that runs slurmctld.
        address: its loopback.
        nodes: one per tray.
        blocks: one per rack.
        block_sizes: of rack, scalable unit and pod, as far as each is a power of two of the one before.
        gres: where the accelerators of which nodes are found; empty for nodes without any.
        gpu_devices: whether jobs can be kept to their own accelerators.
    """

    cluster: str
    pods: tuple[str, ...]
    partitions: tuple[SlurmPartition, ...]
    controller: str
    address: str
    nodes: tuple[SlurmNode, ...]
    blocks: tuple[Block, ...]
    block_sizes: tuple[int, ...]
    gres: tuple[Gres, ...]
    gpu_devices: bool


def slurm_facts(
    slurm: Slurm, cluster: str, controller: tuple[str, str], trays: Sequence[Tray]
) -> SlurmFacts | None:
    """One cluster, or None without a tray.

    Args:
        slurm: the declaration.
        cluster: its name.
        controller: name and loopback of the machine that runs slurmctld.
        trays: all of its trays.
    """
    if not trays:
        return None
    racks = _members(trays, "rack")
    gres = _gres(trays)
    return SlurmFacts(
        cluster=cluster,
        pods=tuple(_members(trays, "pod")),
        partitions=tuple(
            SlurmPartition(partition.name, "YES" if partition.default else "NO", partition.max_time)
            for partition in slurm.partitions
        ),
        controller=controller[0],
        address=controller[1],
        nodes=tuple(_node(tray) for tray in trays),
        blocks=tuple(Block(rack, tuple(tray.name for tray in members)) for rack, members in racks.items()),
        block_sizes=_block_sizes(trays, slurm.block_levels),
        gres=gres,
        gpu_devices=any("Count=" not in line.source for line in gres),
    )


def tray_of(machine: Machine) -> Tray:
    """Derive the Slurm facts of a tray of the plan."""
    sizes = machine.stand_in
    return Tray(
        name=machine.name,
        address=str(machine.loopback),
        pod=str(machine.pod),
        su=str(machine.su),
        rack=str(machine.rack),
        platform=machine.platform,
        accelerators=machine.accelerators,
        vcpus=sizes.vcpus if sizes else None,
        memory_mib=sizes.memory_mib if sizes else None,
    )


def _node(tray: Tray) -> SlurmNode:
    memory = None if tray.memory_mib is None else int(tray.memory_mib * MEMORY_SHARE)
    return SlurmNode(tray.name, tray.address, tray.vcpus, memory, tray.accelerators, tray.pool)


def _gres(trays: Sequence[Tray]) -> tuple[Gres, ...]:
    """One line for each way in which accelerators are found."""
    kinds: dict[str, list[str]] = {}
    for tray in trays:
        if tray.accelerators:
            kinds.setdefault(_source(tray), []).append(tray.name)
    return tuple(Gres(",".join(names), source) for source, names in kinds.items())


def _source(tray: Tray) -> str:
    """Return the part of gres.conf: Slurm finds the devices of a known interface; others are counted."""
    each = catalog.platform(tray.platform).node.accelerator
    if each and (tray.vcpus is None or each.interface == "nvml"):  # stand-ins emulate NVML alone
        return f"AutoDetect={catalog.interface(each.interface).autodetect}"
    return f"Name=gpu Count={tray.accelerators}"


def _members(trays: Sequence[Tray], level: str) -> dict[str, list[Tray]]:
    found: dict[str, list[Tray]] = {}
    for tray in trays:
        found.setdefault(getattr(tray, level), []).append(tray)
    return found


def _block_sizes(trays: Sequence[Tray], levels: Sequence[str]) -> tuple[int, ...]:
    """Nodes of the smallest block of each level; Slurm wants each to be a power of two of the one before."""
    return doubling([min(map(len, _members(trays, LEVELS[level]).values())) for level in levels])
