"""Inputs of stand-ins."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from infra.provider.inputs import REPLACES, HostName, InputModel, Like, Mac, Uuid

Port = Annotated[int, Field(ge=1024, le=65535)]
"""A port that needs no privilege."""


class Start(StrEnum):
    """How a stand-in comes up the first time."""

    FAST = "fast"
    BOOT = "boot"


class NicInputs(InputModel):
    """A data interface whose cable is a pair of UDP ports on 127.0.0.1."""

    name: str = Field(description="name of the interface in the operating system")
    mac: Mac = Field(description="MAC address")
    local: Port = Field(description="UDP port of this end")
    remote: Port = Field(description="UDP port of the other end")


class EmulatorInputs(InputModel):
    """The emulated management controller."""

    port: Port = Field(description="TCP port on 127.0.0.1")
    credential: str = Field(description="name of the credential that it accepts")


class AcceleratorsInputs(InputModel):
    """Equal accelerators, emulated by a library with NVML's public names."""

    count: int = Field(ge=1, le=16, description="how many")
    model: Annotated[str, Like("printable text")] = Field(
        pattern=r"^[ -~]{1,90}$", description="name that each tells"
    )
    memory_mib: int = Field(ge=1, le=1 << 24, description="memory of each in MiB")
    power_w: int = Field(ge=1, le=100_000, description="power limit of each in watts")
    slowdown_c: int = Field(ge=10, le=200, description="temperature in °C from which each slows itself down")
    clock_mhz: int = Field(ge=100, le=100_000, description="highest clock in MHz")
    memory_clock_mhz: int = Field(ge=100, le=100_000, description="memory clock in MHz")
    links: int = Field(default=0, ge=0, le=32, description="NVLinks of each")
    link_mbps: int = Field(default=0, ge=0, description="speed of a link in one direction in MB/s")
    link_version: int = Field(default=0, ge=0, le=99, description="NVLink generation")
    domain: str = Field(default="", description="NVLink domain shared with other machines; empty: none")
    sockets: int = Field(default=1, ge=1, le=16, description="processors that share them evenly")


class StandInInputs(InputModel):
    """Declared inputs of one stand-in."""

    name: Annotated[HostName, REPLACES] = Field(description="host name")
    uuid: Annotated[Uuid, REPLACES] = Field(description="SMBIOS UUID, also the domain's")
    vcpus: int = Field(ge=1, le=64, description="virtual processors")
    memory_mib: int = Field(ge=128, le=1 << 20, description="memory in MiB")
    disk_gib: Annotated[int, REPLACES] = Field(
        ge=1, le=4096, description="size of the disk in GiB; it is an overlay on the image"
    )
    ssh_port: Port = Field(description="port on 127.0.0.1 that leads to its ssh")
    bmc: EmulatorInputs = Field(description="its emulated management controller")
    nics: tuple[NicInputs, ...] = Field(default=(), description="data interfaces in order")
    accelerators: AcceleratorsInputs | None = Field(default=None, description="its emulated accelerators")
    start: Annotated[Start, REPLACES] = Field(
        default=Start.FAST,
        description="how it comes up the first time: from a template's saved memory, or by a real boot",
    )
    image: Annotated[str, REPLACES] = Field(
        default="", description="the image on its disk; found out when not given"
    )
