"""Types of the catalog's data files: platforms with nodes and racks, cables, optics, coolers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from infra.spec import units
from infra.spec.base import Count, Factor, Name, Part, Share, Whole

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
    branches: tuple[Annotated[str, Field(pattern=r"^[0-9]+$", examples=["580"])], ...] = ()
    """Release branches of the driver that its platform's firmware set goes with; without any, all of them."""
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
    fabric_manager: bool = False
    """Whether the links meet in NVSwitches on the node's baseboard, which its own fabric manager sets up."""
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
    autodetect: Annotated[str, Field(pattern=r"^[a-z]+$")]
    """Slurm's plugin that finds accelerators of this interface (`AutoDetect` in gres.conf)."""
    devices: Annotated[str, Field(pattern=r"^/dev/")]
    """Shell pattern of the device files, one for each accelerator."""
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
    """Equipment that comes with the nodes in a rack: NVLink switch trays, power shelves."""

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
    """Names of a node at its management controller, where that shows more than one ComputerSystem."""

    system: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", examples=["System_0"])]
    """Id of the host's ComputerSystem: the one with its power."""
    accelerators: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", examples=["HGX_Baseboard_0"])]
    """Id of the ComputerSystem whose processors are the accelerators."""


class HealthFloors(Part):
    """Least that a node must have to take jobs; the same of each platform unless its data says otherwise."""

    memory: Factor = 0.95
    """Least part of its memory that the kernel has."""
    accelerator_memory: Factor = 0.9
    """Least part of an accelerator's memory that it tells: ECC takes some."""
    clock: Factor = 0.5
    """Least part of its highest clock that an accelerator runs at without a reason to be slower."""
    disk_free: Share = 0.05
    """Least part of its system disk that is free."""
    time: units.Span = 1.0
    """How far its clock may be off."""


class Platform(Part):
    """A kind of server or rack-scale system."""

    name: Name
    title: str
    vendor: str
    node: Node
    rack: RackForm
    redfish: RedfishSystems | None = None
    """Ids of its controller's systems; without it, a controller that shows one."""
    health: HealthFloors = HealthFloors()
    firmware: dict[str, str] = Field(default_factory=dict)
    """Component → version of the firmware set that this data was written for."""
    sources: Sources

    @model_validator(mode="after")
    def _parts_within_rack(self) -> Platform:
        companions = sum(each.count * each.power for each in self.rack.companions)
        parts = self.rack.nodes * self.node.power.total + companions
        if parts > self.rack.power * (1 + 1e-9):
            raise PydanticCustomError(
                "rack", "{message}|{hint}",
                {"message": f"its nodes and what comes with them take {parts / 1e3:g} kW, more than the"
                            f" {self.rack.power / 1e3:g} kW of the rack",
                 "hint": "`rack.power` is the rated power of all that is in it"},
            )  # fmt: skip
        return self


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
