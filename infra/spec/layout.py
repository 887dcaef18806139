"""Where things stand: pods in halls and buildings, scalable units in pods, racks in scalable units."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema, field_validator, model_validator
from pydantic_core import PydanticCustomError

from infra.spec import units
from infra.spec.base import Count, Name, Part, Whole
from infra.spec.grid import Cooling, Feeds

MOST_SLOTS = 200
"""More nodes than any rack holds (four half-width nodes in each of 48 units)."""

Slot = Annotated[int, Field(ge=1, le=MOST_SLOTS, strict=True, examples=[1])]
"""A position in a rack, from 1."""


class Trays(Part):
    """Nodes of one platform in some slots of a rack."""

    platform: Name
    slots: Annotated[
        tuple[Slot, ...],
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "array", "items": {"type": "integer", "minimum": 1}},
                    {"type": "integer", "minimum": 1},
                    {"type": "string", "pattern": r"^[0-9]+ *- *[0-9]+$"},
                ],
                "examples": [[1, 2], "1-18"],
            }
        ),
    ]
    """Slot numbers from 1: a list, one number, or a range such as `1-18`."""

    @field_validator("slots", mode="before")
    @classmethod
    def _slots(cls, value: object) -> object:
        if isinstance(value, int):
            return [value]
        if isinstance(value, str):
            first, dash, last = value.partition("-")
            ends = [end.strip() for end in (first, last)]
            if dash and all(end.isascii() and end.isdigit() and len(end) < 20 for end in ends):
                low, high = map(int, ends)
                if high > MOST_SLOTS:
                    raise PydanticCustomError(
                        "slots", "{message}|{hint}",
                        {"message": f"{value!r} goes beyond slot {MOST_SLOTS}, the most that a rack can have",
                         "hint": "a slot is one node"},
                    )  # fmt: skip
                if low <= high:
                    return list(range(low, high + 1))
            raise PydanticCustomError(
                "slots", "{message}|{hint}",
                {"message": f"{value!r} is not a range of slots", "hint": "write it like `1-18`"},
            )  # fmt: skip
        return value


class Rack(Part):
    """Contents of a rack. With `platform` alone: that platform's full rack form."""

    platform: Name | None = None
    """A full rack of this platform."""
    trays: tuple[Trays, ...] = ()
    """A mix of trays, instead of `platform`; the first one's platform gives the rack's form."""
    nodes: Slot | None = None
    """With `platform`: fewer (or more) nodes than its full rack holds."""
    power: units.Load | Literal["rated", "share"] = "rated"
    """Watts of each rack: a quantity; `rated` is the platform's; `share` is an equal part of what the grid
    leaves for compute after everything else (power capping)."""

    @model_validator(mode="after")
    def _one_of(self) -> Rack:
        if (self.platform is None) == (not self.trays):
            raise PydanticCustomError(
                "rack", "{message}|{hint}",
                {"message": "a rack has either `platform` or `trays`", "hint": "give exactly one of them"},
            )  # fmt: skip
        return self


class Distances(Part):
    """Lengths from which cable lengths follow."""

    rack_pitch: units.Pitch = 0.6
    """From one rack to the next in a row."""
    row_pitch: units.Pitch = 3.6
    """From one row to the next in a pod."""
    pod_pitch: units.Pitch = 40.0
    """From one pod's network row to the next in a hall."""
    hall_pitch: units.Pitch = 60.0
    """From one hall's middle to the next."""
    building_pitch: units.Pitch = 120.0
    """From one building's middle to the next."""
    overhead: units.Length = 2.5
    """Up from a rack to the tray above it; counted at both ends."""
    slack: units.Length = 0.5
    """Spare length of each cable."""


class Layout(Part):
    """How many of each level; pods are numbered over the whole site, so that adding one renames nothing."""

    pods: Count
    pods_per_hall: Count = 1
    halls_per_building: Count = 1
    scalable_units_per_pod: Count
    racks_per_scalable_unit: Count | None = None
    nodes_per_scalable_unit: Count | None = None
    """Instead of `racks_per_scalable_unit`: as many racks as hold these nodes; the last may be part full."""
    rack: Rack
    rack_height: Count = 48
    """Rack units of the racks that hold switches."""
    distances: Distances = Distances()

    @model_validator(mode="after")
    def _racks_or_nodes(self) -> Layout:
        if (self.racks_per_scalable_unit is None) == (self.nodes_per_scalable_unit is None):
            raise PydanticCustomError(
                "layout", "{message}|{hint}",
                {"message": "needs either `racks_per_scalable_unit` or `nodes_per_scalable_unit`",
                 "hint": "give exactly one of them"},
            )  # fmt: skip
        return self


class Driver(Part):
    """The driver of a platform's accelerators."""

    platform: Name
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$", examples=["580.126.20"])]
    """As the driver tells it."""


class Exception_(Part):  # noqa: N801 (the field's word; `Exception` is Python's)
    """Difference from the rule at one place."""

    at: Annotated[
        str,
        Field(
            pattern=r"^((building|hall)-[0-9]{1,9}|pod-[0-9]{1,9}(-su-[0-9]{1,9}(-rack-[0-9]{1,9})?)?)$",
            examples=["pod-01-su-01"],
        ),
    ]
    """A building, hall, pod, scalable unit (row) or rack by name; of two that speak of a place the later one
    counts."""
    scalable_units: Count | None = None
    """Scalable units in each pod here, instead of the layout's."""
    racks: Count | None = None
    """Racks in each scalable unit here, instead of the layout's; in one row alone, no more than its pod's."""
    missing: tuple[Slot, ...] = ()
    """Slots that stay empty (a rack only). Servers may have their ports, in this order: append later ones."""
    rack: Rack | None = None
    """Racks of another form here."""
    feeds: Feeds | None = None
    """Power distribution of its own (a pod or more), instead of the site's; a hall goes by its first pod."""
    cooling: Cooling | None = None
    """A coolant loop and CDUs of its own (a pod or more), instead of the site's."""
    pool: Name | None = None
    """What the nodes are set aside for, for example `spare`; they are built but not scheduled."""
    reason: str
    """Why, for the next reader."""


class Phase(Part):
    """Part of the site that is in service by a date."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", examples=["2026"])]
    date: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-12-31"])
    pods: Whole
    """Whole pods in service, counted from the first."""
    scalable_units: Whole = 0
    """Further scalable units in service: the first ones of the next pod."""
    racks: Whole = 0
    """Further racks in service: the first ones of the next scalable unit."""

    @field_validator("name", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
