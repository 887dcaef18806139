"""The declared truth: one site.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from infra.spec.base import Factor, Name, Part
from infra.spec.energy import Reporting
from infra.spec.fabric import Fabrics
from infra.spec.grid import Announcement, Cooling, EnergyUse, Feeds, Grid, HeatCommitment
from infra.spec.layout import Driver, Exception_, Layout, Phase
from infra.spec.names import Names
from infra.spec.services import (
    Addresses,
    Schedulers,
    Server,
    Services,
    StandIns,
    Storage,
    User,
    Zones,
)

Material = Literal["system", "server", "switch", "rack", "pdu", "busway", "cdu", "cable", "harness", "optic"]
"""Kinds of the bill of materials."""

Severity = Literal["info", "warning", "error"]


class Site(Part):
    """A whole site, from the grid connection to the user accounts."""

    name: Name
    title: str = ""
    description: str = ""
    grid: Grid | None = None
    energy: EnergyUse | None = None
    feeds: Feeds | None = None
    cooling: Cooling | None = None
    heat: tuple[HeatCommitment, ...] = ()
    reporting: Reporting | None = None
    layout: Layout
    exceptions: tuple[Exception_, ...] = ()
    drivers: tuple[Driver, ...] = ()
    """Drivers of accelerators, where one version is wanted and not any that the platform goes with."""
    phases: tuple[Phase, ...] = ()
    fabrics: Fabrics
    servers: tuple[Server, ...] = ()
    storage: Storage = Storage()
    services: Services
    schedulers: Schedulers = Schedulers()
    names: Names | None = None
    """What racks, machines and ports are called on labels and lists, where it is not their place's name."""
    spares: dict[Material, Factor] = Field(default_factory=dict, examples=[{"optic": 0.02, "cable": 0.01}])
    """Kind of the bill of materials → pieces in store for each in use."""
    users: tuple[User, ...] = ()
    security: Zones = Zones()
    addresses: Addresses
    announcement: Announcement | None = None
    findings: dict[str, Severity] = Field(default_factory=dict)
    """Finding id → severity, where it is not the usual one."""
    stand_ins: StandIns | None = None
