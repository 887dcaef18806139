"""Switch models and their operating systems, as types of data files."""

from __future__ import annotations

from string import Formatter
from typing import Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from infra.spec import units
from infra.spec.base import Count, Name, Part, Share, Whole
from infra.spec.hardware import Sources


class UplinkPorts(Part):
    """Ports of a switch that face up alone, of a speed of their own."""

    count: Count
    speed: units.Speed


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
    uplinks: UplinkPorts | None = None
    """Ports beside those, whose numbers follow: with them, the others all face down."""
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
    bfd: units.Span | None = None
    """Time between BFD's packets: a neighbor that is silent for three of them is given up. FRR's own, 0.3 s,
    if not said."""
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
        if two and self.uplinks:
            message, hint = "ports of line cards have no uplinks beside them", "count them among `ports`"
            raise PydanticCustomError("cards", "{message}|{hint}", {"message": message, "hint": hint})
        return self

    def interface(self, port: int) -> tuple[str, int]:
        """Name of a port by its index from 0, and the port's number in it."""
        card, own = divmod(port, self.ports_per_card) if self.ports_per_card else (0, port)
        number = self.first_port + own * self.port_step
        words = (self.first_card + card, number) if self.ports_per_card else (number,)
        return self.port_name.format(*words), number


class Provisioning(Part):
    """Zero-touch provisioning: how a switch without a configuration finds its own by DHCP."""

    option: Literal[67, 239]
    """DHCP option that has the URL of `file`: 67 is the boot file's name (RFC 2132), 239 is private."""
    file: str
    """One of the system's `files`: a configuration that it takes as it is, or a script that it runs."""


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
    """File of the switch → template in its folder."""
    deployed: bool = False
    """An ordinary machine runs it, so that an Ansible role deploys its files."""
    provisioning: Provisioning | None = None
    vrf: bool = False
    """Its templates put the ports of tenants into VRFs."""
    relay: Literal["port", "switch-and-port"] = "switch-and-port"
    """What its DHCP relay writes as circuit-id (RFC 3046): `SWITCH:PORT`, or the port alone, with the
    switch's name as remote-id."""
    sources: Sources

    @model_validator(mode="after")
    def _provisioning_file(self) -> System:
        if self.provisioning and self.provisioning.file not in self.files:
            message = f"`{self.provisioning.file}` is none of the system's files"
            raise PydanticCustomError(
                "provisioning", "{message}|{hint}", {"message": message, "hint": "add it to `files`"}
            )
        return self
