"""An InfiniBand subnet: the plan's cables as ibsim reads them, and what OpenSM found as OpenSM writes it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from infra.errors import Problem, Problems, UserError
from infra.render.network.cabling import End, Seen
from infra.spec import tiers

if TYPE_CHECKING:
    from infra.plan import Plan

INSIDE = ("rack", "scalable-unit", "pod")


@dataclass(frozen=True, slots=True)
class Subnet:
    """Adapters, switches and the cables among them.

    Attributes:
        adapters: names `NODE:INTERFACE`; each has one port.
        switches: name → number of ports.
        roots: switches of the top tier.
        cables: both ends of each; the port of a switch is its number from 1.
    """

    adapters: tuple[str, ...]
    switches: dict[str, int]
    roots: tuple[str, ...]
    cables: tuple[tuple[End, End], ...]


def subnet_of(plan: Plan) -> Subnet:
    """The InfiniBand subnet of a pod: its adapters and switches, and the cables that stay in it.

    Raises:
        UserError: the site has no fabric that a subnet manager routes, or the pod none of its switches.
    """
    names = [
        n for n, fabric in plan.site.fabrics.named().items() if tiers.routing(fabric) == "subnet-manager"
    ]
    if not names:
        raise UserError(
            f"{plan.site.name} has no fabric that a subnet manager routes",
            hint="OpenSM proves fabrics of InfiniBand switches; `gigasite fabric show` judges any",
        )
    rows = plan.switches.filter(pl.col("fabric").is_in(names))
    if rows.is_empty():
        raise UserError(
            f"{', '.join(plan.pods) or plan.site.name} has no switch that a subnet manager routes",
            hint="fabrics can be in some pods only: see `pods` under `fabrics`",
        )
    ports = dict(rows.select("name", "ports").iter_rows())
    numbers: dict[str, dict[str, int]] = {}
    for tier in plan.geometry.every_tier:
        if tier.fabric in names:
            table = {
                name: index + 1 for index, name in enumerate(tiers.port_names(tier.model, tier.breakout))
            }
            numbers |= dict.fromkeys(rows.filter(pl.col("tier") == tier.name)["name"], table)
    top = int(str(rows["level"].max()))
    cables, adapters = [], []
    links = plan.links.filter(pl.col("fabric").is_in(names) & pl.col("z").is_in(list(ports)))
    for step, a, a_port, z, z_port in links.select("tier", "a", "a_port", "z", "z_port").iter_rows():
        far = End(z, str(numbers[z][z_port]))
        if str(step).startswith("host_"):
            adapters.append(f"{a}:{a_port}")
            cables.append((End(adapters[-1], "1"), far))
        else:
            cables.append((End(a, str(numbers[a][a_port])), far))
    roots = rows.filter(pl.col("level") == top)["name"]
    return Subnet(tuple(adapters), ports, tuple(roots), tuple(cables))


def guid_of(name: str) -> str:
    """A node's planned GUID, from its name alone; locally administered, until its own is known."""
    return f"0x0267{hashlib.blake2b(name.encode(), digest_size=5).hexdigest()}00"


def port_guid_of(name: str) -> str:
    """GUID of an adapter's port: its node's and the port's number, as ibsim and most adapters have it."""
    return f"0x{int(guid_of(name), 16) + 1:016x}"


def topology(subnet: Subnet) -> str:
    """The subnet as ibsim reads it (ibsim's net-examples): adapters first, since one of them runs OpenSM."""
    ends: dict[str, list[tuple[int, End]]] = {name: [] for name in (*subnet.adapters, *subnet.switches)}
    for a, z in subnet.cables:
        ends[a.device].append((int(a.port), z))
        ends[z.device].append((int(z.port), a))
    parts = []
    for name, own in ends.items():
        switch = name in subnet.switches
        word, count = ("Switch", subnet.switches[name]) if switch else ("Hca", 1)
        lines = [f"{'switch' if switch else 'ca'}guid={guid_of(name)}", f'{word}\t{count} "{name}"']
        lines += [f'[{port}]\t"{other.device}"[{other.port}]' for port, other in sorted(own)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


_NODE = re.compile(r'^(Hca|Switch)\t(\d+) "([^"]+)"$')
_PORT = re.compile(r'^\[(\d+)\]\t"([^"]+)"\[(\d+)\]$')


def read_topology(text: str, name: str) -> Subnet:
    """A topology file as `topology` writes it, perhaps changed by hand: the first end of a cable counts.

    Raises:
        Problems: with all lines that are not understood; `name` stands for the file.
    """
    problems, adapters, switches, cables = [], [], {}, []
    seen: set[End] = set()
    own = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(("#", "switchguid=", "caguid=")):
            continue
        if match := _NODE.match(line):
            own = match[3]
            if match[1] == "Switch":
                switches[own] = int(match[2])
            else:
                adapters.append(own)
        elif (match := _PORT.match(line)) and own is not None:
            here, there = End(own, match[1]), End(match[2], match[3])
            if here not in seen and there not in seen:
                cables.append((here, there))
                seen |= {here, there}
        else:
            hint = 'lines are `Switch<TAB>PORTS "NAME"`, `Hca<TAB>1 "NAME"` or `[PORT]<TAB>"NAME"[PORT]`'
            problems.append(Problem(name, number, "$", f"{line!r} is no line of a topology", hint))
    known = {*adapters, *switches}
    problems += [
        Problem(name, 1, "$", f"a cable of {a} goes to {z.device}, which is not in the file", "add it")
        for a, z in cables
        if z.device not in known
    ]
    if problems:
        raise Problems(problems)
    return Subnet(tuple(adapters), switches, (), tuple(cables))


_LINK_END = re.compile(r"\{ (CA|SW)[^{]*\{([^}]*)\} LID:([0-9A-F]+) PN:([0-9A-F]+) \}")


@dataclass(frozen=True, slots=True)
class Discovered:
    """Nodes and links that OpenSM found.

    Attributes:
        adapters, switches: names of those it gave an address.
        lids: name → local identifier.
        seen: each cable, from each of its ends.
    """

    adapters: frozenset[str]
    switches: frozenset[str]
    lids: dict[str, int]
    seen: tuple[Seen, ...]


def read_discovered(text: str) -> Discovered:
    """OpenSM's `opensm-subnet.lst`: a line for each end of each link."""
    adapters: set[str] = set()
    switches: set[str] = set()
    seen: list[Seen] = []
    lids: dict[str, int] = {}
    for line in text.splitlines():
        ends = _LINK_END.findall(line)
        if len(ends) == 2:
            for kind, name, lid, _ in ends:
                (adapters if kind == "CA" else switches).add(name)
                lids[name] = int(lid, 16)
            (_, a, _, a_port), (_, z, _, z_port) = ends
            seen.append(Seen(End(a, str(int(a_port, 16))), End(z, str(int(z_port, 16)))))
    return Discovered(frozenset(adapters), frozenset(switches), lids, tuple(seen))
