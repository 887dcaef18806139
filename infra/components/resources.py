"""The resources of the package `gigasite` as a program declares them; the provider documents them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pulumi


@dataclass(frozen=True, slots=True, kw_only=True)
class BmcArgs:
    """A management controller; `credential` is a name, never a secret."""

    address: pulumi.Input[str]
    port: pulumi.Input[int]
    credential: pulumi.Input[str]
    system: pulumi.Input[str] | None = None
    accelerators_at: pulumi.Input[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineArgs:
    """What is declared of one computer."""

    platform: pulumi.Input[str]
    bmc: BmcArgs
    uuid: pulumi.Input[str] | None = None
    power: pulumi.Input[str] | None = None
    accelerators: pulumi.Input[int] | None = None
    boot: pulumi.Input[str] | None = None
    hardware: pulumi.Input[str] | None = None
    on_delete: pulumi.Input[str] | None = None
    shutdown: pulumi.Input[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrayArgs(MachineArgs):
    """One tray of a rack."""

    slot: pulumi.Input[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RackArgs:
    """One rack; `trays` by host name."""

    name: pulumi.Input[str]
    trays: Mapping[str, TrayArgs]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerArgs(MachineArgs):
    """One server or switch."""

    name: pulumi.Input[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NicArgs:
    """A stand-in's data interface."""

    name: pulumi.Input[str]
    mac: pulumi.Input[str]
    local: pulumi.Input[int]
    remote: pulumi.Input[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorArgs:
    """A stand-in's management controller."""

    port: pulumi.Input[int]
    credential: pulumi.Input[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorsArgs:
    """A stand-in's emulated accelerators."""

    count: pulumi.Input[int]
    model: pulumi.Input[str]
    memory_mib: pulumi.Input[int]
    power_w: pulumi.Input[int]
    slowdown_c: pulumi.Input[int]
    clock_mhz: pulumi.Input[int]
    memory_clock_mhz: pulumi.Input[int]
    links: pulumi.Input[int]
    link_mbps: pulumi.Input[int]
    link_version: pulumi.Input[int]
    domain: pulumi.Input[str]
    sockets: pulumi.Input[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInArgs:
    """A virtual machine in place of a computer."""

    name: pulumi.Input[str]
    uuid: pulumi.Input[str]
    vcpus: pulumi.Input[int]
    memory_mib: pulumi.Input[int]
    disk_gib: pulumi.Input[int]
    ssh_port: pulumi.Input[int]
    bmc: EmulatorArgs
    nics: Sequence[NicArgs] = ()
    accelerators: AcceleratorsArgs | None = None
    start: pulumi.Input[str] | None = None
    image: pulumi.Input[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionArgs:
    """The grid connection."""

    name: pulumi.Input[str]
    operator: pulumi.Input[str]
    capacity_mw: pulumi.Input[float]
    voltage_kv: pulumi.Input[float]
    circuits: pulumi.Input[int]
    ramp_mw_per_min: pulumi.Input[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedArgs:
    """A power feed."""

    name: pulumi.Input[str]
    capacity_kw: pulumi.Input[float]
    load_kw: pulumi.Input[float] | None = None
    energised: pulumi.Input[bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CduArgs:
    """A coolant distribution unit."""

    name: pulumi.Input[str]
    capacity_kw: pulumi.Input[float]
    flow_l_min: pulumi.Input[float]
    load_kw: pulumi.Input[float] | None = None
    supply_c: pulumi.Input[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderArgs:
    """Configuration of the provider: which site's local state, and how machines are reached."""

    site: pulumi.Input[str]
    driver: pulumi.Input[str] | None = None
    latency: pulumi.Input[float] | None = None
    failure_rate: pulumi.Input[float] | None = None
    timeout: pulumi.Input[float] | None = None


def properties(args: Any) -> Any:
    """Args as the property bag that Pulumi sends; what is None is left out."""
    if dataclasses.is_dataclass(args):
        pairs = ((field.name, getattr(args, field.name)) for field in dataclasses.fields(args))
        return {name: properties(value) for name, value in pairs if value is not None}
    if isinstance(args, Mapping):
        return {key: properties(value) for key, value in args.items()}
    if isinstance(args, (list, tuple)):
        return [properties(value) for value in args]
    return args


class Provider(pulumi.ProviderResource):
    """The provider `gigasite`, configured for one site."""

    def __init__(self, name: str, args: ProviderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gigasite", name, properties(args), opts)


class _Resource(pulumi.CustomResource):
    """A custom resource of a fixed type; its outputs are what a subclass annotates as such."""

    type_name: ClassVar[str]

    def __init__(self, name: str, args: Any, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = dict.fromkeys(self.output_names())
        super().__init__(self.type_name, name, {**properties(args), **outputs}, opts)

    @classmethod
    def output_names(cls) -> tuple[str, ...]:
        """Names of the outputs."""
        kinds = [kind for kind in cls.__mro__ if issubclass(kind, _Resource)]
        hints = {name: hint for kind in kinds for name, hint in inspect.get_annotations(kind).items()}
        return tuple(name for name, hint in hints.items() if "pulumi.Output[" in hint)


class Rack(_Resource):
    """A rack whose trays converge at the same time; takes `RackArgs`."""

    type_name = "gigasite:compute:Rack"
    machines: pulumi.Output[dict[str, dict[str, str]]]
    simulated: pulumi.Output[bool]


class _Server(_Resource):
    machine: pulumi.Output[dict[str, str]]
    simulated: pulumi.Output[bool]


class StorageServer(_Server):
    """A storage server; takes `ServerArgs`."""

    type_name = "gigasite:storage:Server"


class ManagementServer(_Server):
    """A management node; takes `ServerArgs`."""

    type_name = "gigasite:management:Server"


class Switch(_Server):
    """A switch; takes `ServerArgs`."""

    type_name = "gigasite:network:Switch"


class StandIn(_Resource):
    """A virtual machine in place of a computer; takes `StandInArgs`."""

    type_name = "gigasite:standin:Machine"
    definition: pulumi.Output[str]
    bmc_url: pulumi.Output[str]
    ssh: pulumi.Output[dict[str, Any]]
    started: pulumi.Output[str]
    bmc_running: pulumi.Output[bool]
    simulated: pulumi.Output[bool]


class _Device(_Resource):
    serial: pulumi.Output[str]
    simulated: pulumi.Output[bool]


class Connection(_Device):
    """The grid connection; takes `ConnectionArgs`."""

    type_name = "gigasite:grid:Connection"


class Feed(_Device):
    """A power feed; takes `FeedArgs`."""

    type_name = "gigasite:power:Feed"


class Cdu(_Device):
    """A coolant distribution unit; takes `CduArgs`."""

    type_name = "gigasite:cooling:Cdu"
