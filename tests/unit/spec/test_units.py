"""Quantities: what is read, and what is refused with which hint."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.spec import units

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("6.63 kW", "power", 6630),
        ("132kW", "power", 132_000),
        ("1_000 MW", "power", 1e9),
        (".5 MW", "power", 5e5),
        ("15.36 TB", "data", 15.36e12),
        ("640 MiB", "data", 640 * 2**20),
        ("40 GB/s", "bandwidth", 40e9),
        ("800 Gbit/s", "speed", 800),
        ("1.5 L/min/kW", "specific flow", 1.5),
        ("20 MW/min", "ramp", 20e6),
        ("45 °C", "temperature", 45),
        ("7.9 TWh", "energy", 7.9e9),
    ],
)
def test_read(text, dimension, value):
    assert units.parse(text, dimension) == pytest.approx(value)


@pytest.mark.parametrize("text", ["12", "kW", "12 kg", "1.2.3 kW", "", True, None, [], "12 kw"])
def test_refused(text):
    with pytest.raises(ValueError, match=r"\|"):
        units.parse(text, "power")


@given(st.sampled_from(sorted(units.UNITS)), st.floats(0.001, 1e6))
def test_every_unit_reads_back(dimension, number):
    least, most = units.RANGES[dimension]
    for unit, factor in units.UNITS[dimension].items():
        if not least <= number * factor <= most:
            continue
        assert units.parse(f"{number!r} {unit}", dimension) == pytest.approx(number * factor)


def test_every_dimension_has_an_example_that_reads():
    for dimension in units.UNITS:
        assert units.parse(units.EXAMPLES[dimension], dimension) > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("50,5 MW", "comma in its number|write `50.5 MW`"),
        ("0,132 MW", "comma in its number|write `0.132 MW`"),
        ("1,000 MW", "can be read as 1000 MW or as 1.000 MW"),
        ("1,000,000 W", "write `1000000 W`"),
        ("1,234.5 kW", "write `1234.5 kW`"),
        ("50 000 kW", "gap in its number|write `50000 kW`"),
        ("12", "has no unit"),
        (".inf MW", "not a finite number"),
        ("nan MW", "not a finite number"),
        ("1e400 W", "too much"),
        ("-132 kW", "too little"),
        ("5 MW x", "not a number and its unit"),
    ],
)
def test_refused_for_the_true_reason(text, words):
    with pytest.raises(ValueError, match=re.escape(words).replace(r"\ ", " ")):
        units.parse(text, "power")


@pytest.mark.parametrize("dimension", sorted(units.UNITS))
def test_every_dimension_has_a_range(dimension):
    least, most = units.RANGES[dimension]
    assert least < units.parse(units.EXAMPLES[dimension], dimension) <= most
    unit = next(iter(units.UNITS[dimension]))
    for text in (f"1e300 {unit}", f"-1e300 {unit}", f"1e999 {unit}", f"-1e999 {unit}"):
        with pytest.raises(ValueError, match="too"):
            units.parse(text, dimension)
