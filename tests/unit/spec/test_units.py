"""Quantities: what is read, and what is refused with which hint."""

from __future__ import annotations

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
        ("1,000 MW", "power", 1e9),
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
    for unit, factor in units.UNITS[dimension].items():
        assert units.parse(f"{number!r} {unit}", dimension) == pytest.approx(number * factor)


def test_every_dimension_has_an_example_that_reads():
    for dimension in units.UNITS:
        assert units.parse(units.EXAMPLES[dimension], dimension) > 0
