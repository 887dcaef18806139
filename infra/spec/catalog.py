"""Platforms, switch models, cables, optics and coolers as data: one YAML file each, with sources.

Adding a model is adding a file under `infra/spec/catalog/KIND/`, or, for one site, under the site's own
`catalog/KIND/`; no code names one.

Entries of a site's own, and of earlier revisions, are known by their name as long as no other entry has it in
this process; else by name and origin (`hall-cdu@HEAD~1`), so that two declarations can be compared that mean
different things by one name.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from infra.spec import units
from infra.spec.base import Count, Name, Part, Share, Whole
from infra.spec.parts import load_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CATALOG = Path(__file__).resolve().parent / "catalog"

Sources = Annotated[dict[str, str], Field(examples=[{"node": "vendor data sheet"}])]
"""Where the numbers of a file come from: field path (or the path of the part around it) → source."""


class NicGroup(Part):
    """Equal network interfaces of a node; interface names are the group's name and a number from 0."""

    name: Name
    fabric: Annotated[str, Field(pattern=r"^(east-west|north-south|storage)$", examples=["east-west"])]
    """The kind of fabric that they are cabled to."""
    count: Count
    speed: units.Speed


class NodePower(Part):
    """Watts of one node by part, at the platform's rated (thermal design) power."""

    accelerators: units.Power
    cpus: units.Power = 0.0
    nics: units.Power = 0.0
    other: units.Power = 0.0
    """Drives, fans, voltage conversion: what is in none of the others."""

    @property
    def total(self) -> float:
        """Watts of the node."""
        return float(self.accelerators + self.cpus + self.nics + self.other)


class Accelerator(Part):
    """One accelerator of a node. What makers do not publish has a value here that only stand-ins show."""

    model: str = Field(examples=["NVIDIA GB300"])
    """The name that it tells; Slurm's type of it is made from this."""
    interface: Annotated[str, Field(pattern=r"^(nvml|rocm)$", examples=["nvml"])]
    """How software reads it: an entry of `catalog/interfaces`. Stand-ins emulate `nvml` alone."""
    driver: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$", examples=["580.126"])] | None = None
    """Least version of its driver that a node may take jobs with."""
    memory: units.Data
    power: units.Power
    """The limit that it is shipped with."""
    links: Whole = 0
    """NVLinks, or what a maker has in their place."""
    link_speed: units.Speed | None = None
    """Of one link in one direction."""
    link_version: Whole = 0
    link_domain: Annotated[str, Field(pattern=r"^(node|rack)$", examples=["rack"])] = "node"
    """Whose accelerators the links join."""
    slowdown: units.Temperature = 90.0
    """From which it slows itself down."""
    clock_mhz: Count = 1920
    memory_clock_mhz: Count = 3996


class Interface(Part):
    """How software reads accelerators, and what of that means that one may take no jobs."""

    name: Name
    title: str
    xids: dict[Annotated[int, Field(ge=1, le=999)], str] = Field(default_factory=dict)
    """Errors that the driver tells by number (NVIDIA's XIDs) and that only a reset or a repair ends."""
    sources: Sources


class Node(Part):
    """One server or compute tray."""

    accelerators: Whole
    cpus: Count
    height: Count
    """Rack units."""
    memory: units.Size
    local_storage: units.Data
    """NVMe for scratch and caches, in all drives together."""
    management_ports: Whole
    """Cables to the out-of-band network: BMC, host management, DPU."""
    power: NodePower
    nics: tuple[NicGroup, ...] = ()
    accelerator: Accelerator | None = None
    """Each of its accelerators."""


class Companion(Part):
    """What comes with the nodes in a rack: NVLink switch trays, power shelves."""

    name: Name
    count: Count
    height: Count
    management_ports: Whole
    power: units.Power = 0.0
    """Watts that each takes itself."""
    rating: units.Load | None = None
    """Watts that each can deliver, for power shelves."""
    spare: Whole = 0
    """How many of them may fail (N+spare), for power shelves."""

    @model_validator(mode="after")
    def _some_left(self) -> Companion:
        if self.spare >= self.count:
            raise PydanticCustomError(
                "spare", "{message}|{hint}",
                {"message": f"{self.spare} of {self.count} are spare, so none is left to carry the load",
                 "hint": f"at most {self.count - 1}"},
            )  # fmt: skip
        return self


class RackForm(Part):
    """A full rack of this platform."""

    nodes: Count
    first_unit: Count
    """Rack unit of slot 1's lower edge."""
    companions: tuple[Companion, ...] = ()
    power: units.Load
    """Rated watts of the whole rack."""
    height: Count
    """Rack units."""
    liquid_share: Share
    """Part of the heat that liquid takes away."""
    flow: units.SpecificFlow
    """Coolant for each kilowatt of heat that liquid takes away."""


class RedfishSystems(Part):
    """What the management controller calls a node, where it shows more than one ComputerSystem."""

    system: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", examples=["System_0"])]
    """Id of the host's ComputerSystem: the one with its power."""
    accelerators: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", examples=["HGX_Baseboard_0"])]
    """Id of the ComputerSystem whose processors are the accelerators."""


class Platform(Part):
    """A kind of server or rack-scale system."""

    name: Name
    title: str
    vendor: str
    node: Node
    rack: RackForm
    redfish: RedfishSystems | None = None
    """Ids of its controller's systems; without it, a controller that shows one."""
    firmware: dict[str, str] = Field(default_factory=dict)
    """Component → version of the firmware set that this data was written for."""
    sources: Sources


class Switch(Part):
    """A switch model."""

    name: Name
    title: str
    vendor: str
    ports: Count
    speed: units.Speed
    """Of one port."""
    speeds: tuple[units.Speed, ...] = ()
    """Lower speeds that a port can be set to."""
    height: Count
    power: units.Power
    port_name: str = Field(examples=["swp{}"])
    """Interface name in its operating system; `{}` is the port's number. With two of them, as in
    `Ethernet{}/{}` and `et-{}/0/{}`, the first is the line card's; other braces are written twice."""
    first_port: Whole = 1
    port_step: Count = 1
    """By how much the number in the name grows from one port to the next."""
    ports_per_card: Count | None = None
    """Ports of a line card: where the name has two numbers."""
    first_card: Whole = 1
    """Number of the first line card."""
    lanes: Count = 1
    """Electrical lanes of a port."""
    system: Name | None = None
    """Operating system: an entry of `catalog/systems` with its templates in `templates/switches/SYSTEM`."""
    ecmp: Count | None = None
    """Next hops that one route may have; only of models that route by themselves."""
    liquid_share: Share = 0.0
    flow: units.SpecificFlow = 0.0
    """Coolant for each kilowatt of heat that liquid takes away."""
    sources: Sources

    @field_validator("port_name")
    @classmethod
    def _pattern(cls, text: str) -> str:
        try:
            fields = [field for _, field, form, turn in Formatter().parse(text) if field is not None]
            wrong = any(fields) or text.count("{}") != len(fields)
        except ValueError:
            fields, wrong = [], True
        if wrong or not 1 <= len(fields) <= 2:
            raise PydanticCustomError(
                "port_name", "{message}|{hint}",
                {"message": f"{text!r} is no pattern of port names",
                 "hint": "write `{}` for the number, or twice for card and port: `Ethernet{}/{}`"},
            )  # fmt: skip
        return text

    @model_validator(mode="after")
    def _cards(self) -> Switch:
        two = self.port_name.count("{}") == 2
        if two != (self.ports_per_card is not None):
            message = (
                f"`{self.port_name}` gives several ports one name"
                if two
                else "its port names have no line card"
            )
            hint = "say `ports_per_card`" if two else "write `{}` twice, or leave `ports_per_card` out"
            raise PydanticCustomError("cards", "{message}|{hint}", {"message": message, "hint": hint})
        return self

    def interface(self, port: int) -> tuple[str, int]:
        """Name of a port by its index from 0, and the port's number in it."""
        card, own = divmod(port, self.ports_per_card or self.ports)
        number = self.first_port + own * self.port_step
        words = (self.first_card + card, number) if self.ports_per_card else (number,)
        return self.port_name.format(*words), number


class System(Part):
    """An operating system of switches; what it prints is in `templates/switches/NAME`."""

    name: Name
    title: str
    port: str = Field(examples=["swp[1-9][0-9]*"])
    """Regular expression of its port names."""
    split: str = Field(examples=["{name}s{part}"])
    """Name of a part of a split port: `{name}` of the whole, `{part}` from 0, `{number}` the whole's number
    plus the lanes before the part."""
    routing: tuple[Literal["bgp", "static", "subnet-manager", "none"], ...] = Field(min_length=1)
    """What it can do in a fabric; the first is what a fabric gets that does not say."""
    mtu: Whole
    """Bytes of a data port; 0 where the fabric's manager says it."""
    files: dict[str, str] = Field(min_length=1, examples=[{"frr.conf": "frr.conf.j2"}])
    """File on the switch → template in its folder."""
    sources: Sources


class Cable(Part):
    """A kind of cable, with optics or without: the first by rank that reaches is chosen."""

    name: Name
    title: str
    speed: units.Speed
    reach: units.Pitch
    rank: Count
    """Order of preference among those that reach: 1 is the cheapest."""
    optic: Name | None = None
    """The optic at each end; None when the ends are part of the cable."""
    power: units.Power = 0.0
    """Watts at each end."""
    sources: Sources


class Optic(Part):
    """A pluggable optical module."""

    name: Name
    title: str
    speed: units.Speed
    power: units.Power
    sources: Sources


class Cooler(Part):
    """A coolant distribution unit (CDU)."""

    name: Name
    title: str
    vendor: str
    capacity: units.Load
    """Heat that it can move."""
    flow: units.Flow
    power: units.Power
    sources: Sources


KINDS: dict[str, type[Part]] = {
    "platforms": Platform,
    "switches": Switch,
    "systems": System,
    "cables": Cable,
    "optics": Optic,
    "coolers": Cooler,
    "interfaces": Interface,
}

OWN: dict[str, type[Part]] = {kind: KINDS[kind] for kind in ("platforms", "switches", "coolers")}
"""Kinds that a site can have entries of its own of."""

_added: dict[tuple[str, str], Part] = {}
"""Entries that are not shipped, by kind and the name that they are known by in this process."""
_scope: ContextVar[frozenset[tuple[str, str]]] = ContextVar("scope", default=frozenset())
"""Those that the declaration which is being read may name."""


@cache
def shipped(kind: str) -> tuple[str, ...]:
    """Names of all entries of a kind (a folder of the catalog), sorted."""
    return tuple(sorted(path.stem for path in (CATALOG / kind).glob("*.yaml")))


def names(kind: str) -> tuple[str, ...]:
    """Names of a kind that the declaration which is being read may use, sorted."""
    own = {name for one, name in _scope.get() if one == kind}
    return tuple(sorted({*shipped(kind), *own})) if own else shipped(kind)


def has(kind: str, name: str) -> bool:
    """Whether there is an entry, shipped or of any declaration that was read."""
    return name in shipped(kind) or (kind, name) in _added


def add(kind: str, entry: Part, origin: str, *, plain: bool = True) -> str:
    """Add an entry that is not shipped and return the name that it is known by in this process.

    Args:
        kind: of the entry.
        entry: itself.
        origin: where it comes from, behind its name where that is taken.
        plain: whether it may have its name alone.
    """
    name = str(getattr(entry, "name", ""))
    others = (f"{name}@{origin}", *(f"{name}@{origin}-{number}" for number in range(2, 1000)))
    for known in (name, *others) if plain and name not in shipped(kind) else others:
        named = entry.model_copy(update={"name": known})
        if _added.setdefault((kind, known), named) == named:
            return known
    return name


@contextmanager
def reading(own: Iterable[tuple[str, str]]) -> Iterator[None]:
    """Let the declaration that is read meanwhile name these entries (kind, name) besides those shipped."""
    token = _scope.set(frozenset(own))
    try:
        yield
    finally:
        _scope.reset(token)


@cache
def _shipped(kind: str, name: str) -> Part:
    return load_part(CATALOG / kind / f"{name}.yaml", KINDS[kind])


def _entry(kind: str, name: str) -> Part:
    added = _added.get((kind, name))
    return _shipped(kind, name) if added is None else added


def platform(name: str) -> Platform:
    """A platform by name; the declaration's check has made sure that it is there."""
    entry = _entry("platforms", name)
    assert isinstance(entry, Platform)
    return entry


def switch(name: str) -> Switch:
    """A switch model by name."""
    entry = _entry("switches", name)
    assert isinstance(entry, Switch)
    return entry


def system(name: str) -> System:
    """An operating system of switches by name."""
    entry = _entry("systems", name)
    assert isinstance(entry, System)
    return entry


def cooler(name: str) -> Cooler:
    """A CDU by name."""
    entry = _entry("coolers", name)
    assert isinstance(entry, Cooler)
    return entry


def interface(name: str) -> Interface:
    """An accelerator's interface by name."""
    entry = _entry("interfaces", name)
    assert isinstance(entry, Interface)
    return entry


def cables() -> Mapping[str, Cable]:
    """All cables by name."""
    found = {name: _entry("cables", name) for name in shipped("cables")}
    return {name: entry for name, entry in found.items() if isinstance(entry, Cable)}


def optics() -> Mapping[str, Optic]:
    """All optics by name."""
    found = {name: _entry("optics", name) for name in shipped("optics")}
    return {name: entry for name, entry in found.items() if isinstance(entry, Optic)}
