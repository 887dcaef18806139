"""What Slurm is told: nodes, partition and block topology, from the plan's trays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.tables.machines import Machine, Role
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.spec.services import Slurm

LEVELS = {"rack": "rack", "scalable-unit": "su", "pod": "pod"}
"""The declaration's levels by the machine's attribute."""

MEMORY_SHARE = 0.8
"""Share of a stand-in's memory that its kernel surely leaves to jobs: a node that has less than declared is
drained."""


@dataclass(frozen=True, slots=True)
class SlurmNode:
    """A NodeName line; `cpus` and `memory_mib` are None where slurmd's own finding is taken."""

    name: str
    address: str
    cpus: int | None
    memory_mib: int | None
    gpus: int


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
    """A line of gres.conf: accelerators that slurmd finds itself, devices, or mere counts on stand-ins."""

    nodes: str
    source: str


@dataclass(frozen=True, slots=True)
class SlurmFacts:
    """One cluster.

    Attributes:
        cluster: ClusterName.
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
    partitions: tuple[SlurmPartition, ...]
    controller: str
    address: str
    nodes: tuple[SlurmNode, ...]
    blocks: tuple[Block, ...]
    block_sizes: tuple[int, ...]
    gres: tuple[Gres, ...]
    gpu_devices: bool


def slurm_facts(slurm: Slurm, machines: Sequence[Machine]) -> SlurmFacts | None:
    """The cluster of these machines, or None without a tray or a management node with an address."""
    trays = [machine for machine in machines if machine.role is Role.TRAY and machine.loopback]
    heads = [machine for machine in machines if machine.role is Role.MANAGEMENT and machine.loopback]
    if not trays or not heads:
        return None
    racks = _members(trays, "rack")
    gres = _gres(trays)
    return SlurmFacts(
        cluster=slurm.cluster,
        partitions=tuple(
            SlurmPartition(partition.name, "YES" if partition.default else "NO", partition.max_time)
            for partition in slurm.partitions
        ),
        controller=heads[0].name,
        address=str(heads[0].loopback),
        nodes=tuple(_node(tray) for tray in trays),
        blocks=tuple(
            Block(rack or "unracked", tuple(tray.name for tray in members)) for rack, members in racks.items()
        ),
        block_sizes=_block_sizes(trays, slurm.block_levels),
        gres=gres,
        gpu_devices=any("Count=" not in line.source for line in gres),
    )


def _node(tray: Machine) -> SlurmNode:
    cpus = tray.stand_in.vcpus if tray.stand_in else None
    memory = int(tray.stand_in.memory_mib * MEMORY_SHARE) if tray.stand_in else None
    return SlurmNode(tray.name, str(tray.loopback), cpus, memory, tray.accelerators)


DETECTED = {"nvml": "AutoDetect=nvml", "rocm": "AutoDetect=rsmi"}
"""Slurm's own finding by a platform's interface; of these, stand-ins emulate NVML alone."""


def _gres(trays: Sequence[Machine]) -> tuple[Gres, ...]:
    """One line for each way in which accelerators are found."""
    kinds: dict[str, list[str]] = {}
    for tray in trays:
        if tray.accelerators:
            kinds.setdefault(_source(tray), []).append(tray.name)
    return tuple(Gres(",".join(names), source) for source, names in kinds.items())


def _source(tray: Machine) -> str:
    each = catalog.platform(tray.platform).node.accelerator
    if each and (tray.stand_in is None or each.interface == "nvml"):
        return DETECTED[each.interface]
    if tray.stand_in:
        return f"Name=gpu Count={tray.accelerators}"
    return f"Name=gpu File=/dev/nvidia[0-{tray.accelerators - 1}]"


def _members(trays: Sequence[Machine], level: str) -> dict[str | None, list[Machine]]:
    found: dict[str | None, list[Machine]] = {}
    for tray in trays:
        found.setdefault(getattr(tray, level), []).append(tray)
    return found


def _block_sizes(trays: Sequence[Machine], levels: Sequence[str]) -> tuple[int, ...]:
    """Nodes of the smallest block of each level; Slurm wants each to be a power of two of the one before."""
    sizes: list[int] = []
    for level in levels:
        size = min(map(len, _members(trays, LEVELS[level]).values()))
        factor, rest = divmod(size, sizes[-1]) if sizes else (2, 0)
        if rest == 0 and factor > 1 and factor & (factor - 1) == 0:
            sizes.append(size)
    return tuple(sizes)
