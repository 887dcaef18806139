"""The four indicators by their definitions, and what is no such quotient."""

from __future__ import annotations

import pytest

from infra.energy import indicators

pytestmark = pytest.mark.unit


def test_definitions() -> None:
    assert indicators.pue(1100, 1000) == 1.1
    assert indicators.wue(200, 1000) == 0.2
    assert indicators.erf(100, 1000) == 0.1
    assert indicators.ref(300, 1000) == 0.3


def test_renewable_energy_beyond_the_own_use_does_not_count() -> None:
    assert indicators.ref(1500, 1000) == 1


@pytest.mark.parametrize(
    ("quotient", "sums", "message"),
    [
        (indicators.pue, (1000, 1100), "exceeds"),
        (indicators.pue, (1000, 0), "it is 0"),
        (indicators.wue, (-1, 1000), "water_m3 is -1"),
        (indicators.erf, (1, 0), "total is 0"),
        (indicators.ref, (float("nan"), 1), "renewable is nan"),
    ],
)
def test_what_cannot_be(quotient, sums, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quotient(*sums)
