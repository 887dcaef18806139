"""Quantities with their units, as people write them: `6.63 kW`, `15.36 TB`, `1.5 L/min/kW`.

A bare number is refused: a unit that is only in the reader's head is how sites get a thousand times too much.
Every type here is a plain float (in the base unit that its docstring names) after validation.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

_NUMBER = r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_QUANTITY = re.compile(rf"^\s*({_NUMBER})\s*([^\s0-9.,_+-][^\s]*)\s*$")
_COMMA = re.compile(r"^\s*([-+]?[0-9]+)((?:,[0-9]+)+)((?:\.[0-9]+)?)\s*([^\s0-9.,].*?)\s*$")
_GAP = r"[ \u00a0\u2009\u202f']"
_SPACED = re.compile(rf"^\s*([-+]?[0-9]+(?:{_GAP}[0-9]{{3}})+(?:[.,][0-9]+)?)\s*([^\s0-9].*?)\s*$")

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


RANGES: dict[str, tuple[float, float]] = {
    "power": (0.0, 1e12),
    "energy": (0.0, 1e12),
    "data": (0.0, 1e24),
    "bandwidth": (0.0, 1e18),
    "speed": (0.0, 1e6),
    "length": (0.0, 1e5),
    "area": (0.0, 1e9),
    "flow": (0.0, 1e9),
    "specific flow": (0.0, 100.0),
    "temperature": (-60.0, 200.0),
    "temperature rise": (0.0, 100.0),
    "voltage": (0.0, 1.5e6),
    "current": (0.0, 1e6),
    "ramp": (0.0, 1e12),
    "intensity": (0.0, 5000.0),
    "water": (0.0, 100.0),
    "money": (0.0, 1e15),
    "duration": (0.0, 1e9),
    "time constant": (0.0, 1e15),
    "price": (-1e5, 1e6),
}
"""Least and most of a dimension, in its base unit: what no site, machine or grid on earth goes beyond."""


def parse(text: object, dimension: str) -> float:
    """Read a quantity of one dimension.

    Args:
        text: such as `6.63 kW`.
        dimension: a key of `UNITS`.

    Returns:
        The value in the dimension's base unit; finite, and within `RANGES`.

    Raises:
        ValueError: no number, two ways to read it, no unit, a unit of another dimension, or out of range; the
            message says which, and behind a bar what to write.
    """
    example = EXAMPLES[dimension]
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ValueError(f"is not a {dimension}|write it like `{example}`")  # noqa: TRY004 (pydantic's contract)
    match = _QUANTITY.match(str(text))
    if not match:
        raise ValueError(_unread(str(text), dimension))
    number, unit = match.groups()
    factor = UNITS[dimension].get(unit)
    if factor is None:
        known = ", ".join(UNITS[dimension])
        raise ValueError(f"`{unit}` is not a unit of {dimension}|use one of {known}")
    value = float(number.replace("_", "")) * factor
    least, most = RANGES[dimension]
    refuse_outside(text, value, dimension, (least, most))
    return value


def refuse_outside(
    text: object, value: float, dimension: str, limits: tuple[float, float], *, above: bool = False
) -> None:
    """Refuse a quantity that is outside its range.

    Args:
        text: as written.
        value: in the dimension's base unit.
        dimension: a key of `UNITS`.
        limits: least and most, in the base unit.
        above: the least value itself is refused too.

    Raises:
        ValueError: it is outside.
    """
    least, most = limits
    base = next(iter(UNITS[dimension]))
    word = f"a {dimension} here"
    if value < least or (above and value == least):
        floor = "zero" if least == 0 else f"{least:g} {base}"
        bound = f"more than {floor}" if above else f"{floor} or more"
        raise ValueError(f"`{text}` is too little: {word} is {bound}|write it like `{EXAMPLES[dimension]}`")
    if not value <= most:
        raise ValueError(f"`{text}` is too much: {word} is at most {most:g} {base}|check the unit")


def _unread(text: str, dimension: str) -> str:
    """Why a text is no quantity, and what to write instead."""
    comma, spaced = _COMMA.match(text), _SPACED.match(text)
    if comma:
        return _comma(text, *comma.groups())
    if spaced:
        number = re.sub(r"[\s']", "", spaced[1]).replace(",", ".")
        return f"{text!r} has a gap in its number|write `{number} {spaced[2]}`"
    reason = f"{text!r} is not a number and its unit"
    if re.match(rf"^\s*{_NUMBER}\s*$", text):
        reason = f"{text} has no unit"
    elif re.match(r"^\s*[-+]?\.?(inf|nan)\b", text, re.IGNORECASE):
        reason = f"{text!r} is not a finite number"
    return f"{reason}|write a {dimension} like `{EXAMPLES[dimension]}`"


def _comma(text: str, whole: str, groups: str, tail: str, unit: str) -> str:
    """A comma is a point in half of Europe and a mark of thousands elsewhere: no number with one is read."""
    parts = groups[1:].split(",")
    plain, decimal = f"{whole}{''.join(parts)}{tail} {unit}", f"{whole}.{parts[0]} {unit}"
    if len(parts) > 1 or tail:
        return f"{text!r} has a comma in its number|write `{plain}`"
    if len(parts[0]) == 3 and whole.lstrip("+-0"):
        return f"{text!r} can be read as {plain} or as {decimal}|write `{plain}` or `{decimal}`"
    return f"{text!r} has a comma in its number|write `{decimal}`, with a point"


def _quantity(
    dimension: str, *, least: float | None = None, most: float | None = None, above: bool = False
) -> Any:
    limits = (
        RANGES[dimension][0] if least is None else least,
        RANGES[dimension][1] if most is None else most,
    )

    def validate(value: object) -> float:
        # A float appears only when a validated site is validated again (model_copy, tests); YAML numbers
        # arrive as int or float too, so the loader hands numbers over as they were written: text.
        try:
            number = parse(value, dimension)
            refuse_outside(value, number, dimension, limits, above=above)
        except ValueError as error:
            message, _, hint = str(error).partition("|")
            raise PydanticCustomError(
                "unit", "{message}|{hint}", {"message": message, "hint": hint}
            ) from error
        return number

    units = "|".join(re.escape(unit) for unit in UNITS[dimension])
    return Annotated[
        float,
        BeforeValidator(validate),
        PlainSerializer(float),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": f"^{_NUMBER} *({units})$",
                "description": _description(dimension, limits, above=above),
                "examples": [EXAMPLES[dimension]],
            }
        ),
    ]


def _description(dimension: str, limits: tuple[float, float], *, above: bool) -> str:
    """Return the reference's words on a quantity: its range too, where narrower than the dimension's."""
    base = next(iter(UNITS[dimension]))
    if above and limits[0] == 0:
        return f"a {dimension} with its unit, above zero"
    if limits != RANGES[dimension]:
        return f"a {dimension} with its unit, {limits[0]:g} to {limits[1]:g} {base}"
    return f"a {dimension} with its unit"


Power = _quantity("power")
"""Watts, perhaps none."""
Load = _quantity("power", above=True)
"""Watts, more than none: of what is there to draw, carry or deliver power."""
Energy = _quantity("energy")
"""Kilowatt-hours."""
Data = _quantity("data")
"""Bytes (decimal prefixes are powers of ten)."""
Size = _quantity("data", above=True)
"""Bytes, more than none."""
Bandwidth = _quantity("bandwidth")
"""Bytes per second."""
Speed = _quantity("speed", above=True)
"""Gigabits per second."""
Length = _quantity("length")
"""Metres, perhaps none."""
Pitch = _quantity("length", above=True)
"""Metres, more than none."""
Area = _quantity("area", above=True)
"""Square metres."""
Flow = _quantity("flow", above=True)
"""Litres per minute."""
SpecificFlow = _quantity("specific flow")
"""Litres per minute for each kilowatt."""
Temperature = _quantity("temperature")
"""Degrees Celsius."""
CoolantTemperature = _quantity("temperature", least=2.0, most=70.0)
"""Degrees Celsius of coolant into racks: above freezing, below what any rack is built for (ASHRAE W+)."""
HeatTemperature = _quantity("temperature", least=5.0, most=200.0)
"""Degrees Celsius of heat that is sold."""
AirTemperature = _quantity("temperature", least=5.0, most=45.0)
"""Degrees Celsius of air into IT equipment (ASHRAE A4 allows 5 to 45)."""
TemperatureRise = _quantity("temperature rise")
"""Kelvin."""
Voltage = _quantity("voltage", above=True)
"""Volts."""
Current = _quantity("current", above=True)
"""Amperes."""
Ramp = _quantity("ramp", above=True)
"""Watts per minute."""
Intensity = _quantity("intensity")
"""Grams of CO2 equivalent per kilowatt-hour."""
Water = _quantity("water")
"""Litres per kilowatt-hour."""
Money = _quantity("money")
"""Euro."""
Duration = _quantity("duration")
"""Seconds, perhaps none."""
Span = _quantity("duration", above=True)
"""Seconds, more than none."""
AcceleratorHours = _quantity("time constant", above=True)
"""Accelerator-hours."""
Price = _quantity("price")
"""Euro per megawatt-hour."""
