"""Quantities with their units, as people write them: `6.63 kW`, `15.36 TB`, `1.5 L/min/kW`.

A bare number is refused: a unit that is only in the reader's head is how sites get a thousand times too much.
Every type here is a plain float (in the base unit that its docstring names) after validation.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

_QUANTITY = re.compile(r"^\s*([-+]?[0-9][0-9_,]*(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)\s*([^\s0-9].*?)\s*$")

_SI = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


def _prefixed(unit: str, prefixes: str = "") -> dict[str, float]:
    return {unit: 1.0} | {f"{prefix}{unit}": _SI[prefix] for prefix in prefixes}


UNITS: dict[str, dict[str, float]] = {
    "power": _prefixed("W", "kMG"),
    "energy": {"kWh": 1.0, "MWh": 1e3, "GWh": 1e6, "TWh": 1e9},
    "data": _prefixed("B", "kMGTPE") | {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40},
    "bandwidth": _prefixed("B/s", "kMGT"),
    "speed": {"Mbit/s": 1e-3, "Gbit/s": 1.0, "Tbit/s": 1e3},
    "length": {"m": 1.0, "cm": 0.01, "mm": 0.001, "km": 1e3},
    "area": {"m2": 1.0, "ha": 1e4},
    "flow": {"L/min": 1.0, "m3/h": 1000 / 60, "L/s": 60.0},
    "specific flow": {"L/min/kW": 1.0},
    "temperature": {"°C": 1.0, "degC": 1.0},
    "temperature rise": {"K": 1.0},
    "voltage": _prefixed("V", "k"),
    "current": _prefixed("A", "k"),
    "ramp": {"kW/min": 1e3, "MW/min": 1e6},
    "intensity": {"g/kWh": 1.0, "kg/MWh": 1.0},
    "water": {"L/kWh": 1.0, "m3/MWh": 1.0},
    "money": {"EUR": 1.0, "kEUR": 1e3, "MEUR": 1e6, "GEUR": 1e9},
    "duration": {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "time constant": {"GPU-hours": 1.0},
    "price": {"EUR/MWh": 1.0},
}
"""Unit → factor to the dimension's base unit (the one with factor 1)."""

EXAMPLES = {
    "power": "6.63 kW",
    "energy": "7.9 TWh",
    "data": "15.36 TB",
    "bandwidth": "40 GB/s",
    "speed": "800 Gbit/s",
    "length": "2.5 m",
    "area": "120000 m2",
    "flow": "156 L/min",
    "specific flow": "1.5 L/min/kW",
    "temperature": "45 °C",
    "temperature rise": "10 K",
    "voltage": "400 kV",
    "current": "1.5 kA",
    "ramp": "20 MW/min",
    "intensity": "21.7 g/kWh",
    "water": "0.2 L/kWh",
    "money": "4 MEUR",
    "duration": "30 s",
    "time constant": "50700 GPU-hours",
    "price": "60 EUR/MWh",
}


def parse(text: object, dimension: str) -> float:
    """Read a quantity of one dimension.

    Args:
        text: such as `6.63 kW`.
        dimension: a key of `UNITS`.

    Returns:
        The value in the dimension's base unit.

    Raises:
        ValueError: no number, no unit, or a unit of another dimension; the message says which.
    """
    example = EXAMPLES[dimension]
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ValueError(f"is not a {dimension}|write it like `{example}`")  # noqa: TRY004 (pydantic's contract)
    match = _QUANTITY.match(str(text))
    if not match:
        raise ValueError(f"{text!r} has no unit|write a {dimension} like `{example}`")
    number, unit = match.groups()
    factor = UNITS[dimension].get(unit)
    if factor is None:
        known = ", ".join(UNITS[dimension])
        raise ValueError(f"`{unit}` is not a unit of {dimension}|use one of {known}")
    return float(number.replace("_", "").replace(",", "")) * factor


def _quantity(dimension: str) -> Any:
    def validate(value: object) -> float:
        # A float appears only when a validated site is validated again (model_copy, tests); YAML numbers
        # arrive as int or float too, so the loader hands numbers over as they were written: text.
        try:
            return parse(value, dimension)
        except ValueError as error:
            message, _, hint = str(error).partition("|")
            raise PydanticCustomError(
                "unit", "{message}|{hint}", {"message": message, "hint": hint}
            ) from error

    units = "|".join(re.escape(unit) for unit in UNITS[dimension])
    return Annotated[
        float,
        BeforeValidator(validate),
        PlainSerializer(float),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": f"^[-+]?[0-9][0-9_,]*(\\.[0-9]+)?([eE][-+]?[0-9]+)? *({units})$",
                "description": f"a {dimension} with its unit",
                "examples": [EXAMPLES[dimension]],
            }
        ),
    ]


Power = _quantity("power")
"""Watts."""
Energy = _quantity("energy")
"""Kilowatt-hours."""
Data = _quantity("data")
"""Bytes (decimal prefixes are powers of ten)."""
Bandwidth = _quantity("bandwidth")
"""Bytes per second."""
Speed = _quantity("speed")
"""Gigabits per second."""
Length = _quantity("length")
"""Metres."""
Area = _quantity("area")
"""Square metres."""
Flow = _quantity("flow")
"""Litres per minute."""
SpecificFlow = _quantity("specific flow")
"""Litres per minute for each kilowatt."""
Temperature = _quantity("temperature")
"""Degrees Celsius."""
TemperatureRise = _quantity("temperature rise")
"""Kelvin."""
Voltage = _quantity("voltage")
"""Volts."""
Current = _quantity("current")
"""Amperes."""
Ramp = _quantity("ramp")
"""Watts per minute."""
Intensity = _quantity("intensity")
"""Grams of CO2 equivalent per kilowatt-hour."""
Water = _quantity("water")
"""Litres per kilowatt-hour."""
Money = _quantity("money")
"""Euro."""
Duration = _quantity("duration")
"""Seconds."""
AcceleratorHours = _quantity("time constant")
"""Accelerator-hours."""
Price = _quantity("price")
"""Euro per megawatt-hour."""
