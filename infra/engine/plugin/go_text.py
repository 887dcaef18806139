"""Values as Go prints them, which messages of the CLI show."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from infra.engine.resource import values

if TYPE_CHECKING:
    from infra.engine.resource.values import Value

_PLAIN = range(-4, 6)  # exponents of numbers that are written out


def go_text(value: Value) -> str:
    """A property value; secrets are not shown."""
    return "output<string>{}" if value is values.UNKNOWN else f"{{{_inner(value)}}}"


def _inner(value: Value) -> str:  # noqa: PLR0911 (one per type)
    if isinstance(value, values.Secret):
        return "[secret]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_text(item)}' for key, item in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_text, value))}]"
    return str(value)


def _number(value: float) -> str:
    exact = Decimal(repr(float(value))).normalize()
    if exact.adjusted() in _PLAIN:
        return f"{exact:f}"
    sign, digits, _ = exact.as_tuple()
    head, *tail = map(str, digits)
    fraction = f".{''.join(tail)}" if tail else ""
    return f"{'-' * sign}{head}{fraction}e{exact.adjusted():+03d}"


def duration(seconds: float) -> str:
    """A time as Go's Duration prints it: `1h0m5s`, `1.5s`, `20ms`; empty for none."""
    whole = round(seconds * 1e9)
    if not whole:
        return ""
    for unit, size in (("ns", 1), ("µs", 1000), ("ms", 10**6)):
        if whole < size * 1000:
            return f"{_decimal(whole, size)}{unit}"
    minutes, rest = divmod(whole, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    text += f"{minutes}m" if hours or minutes else ""
    return f"{text}{_decimal(rest, 10**9)}s"


def _decimal(value: int, unit: int) -> str:
    whole, part = divmod(value, unit)
    digits = str(part).zfill(len(str(unit)) - 1).rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)
