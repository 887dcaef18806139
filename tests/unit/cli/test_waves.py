"""Waves keep within the ramp limit and leave out no pod."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import spec
from infra.plan import plan
from infra.rollout import waves

pytestmark = pytest.mark.unit

MW = 1e6


@given(
    st.lists(st.floats(min_value=0.1, max_value=60), min_size=1, max_size=40),
    st.floats(min_value=1, max_value=100),
)
def test_no_wave_rises_faster_than_the_limit_and_none_is_needless(sizes, ramp):
    watts = {f"pod-{index:02}": size * MW for index, size in enumerate(sizes)}
    found = waves._waves(list(watts), watts, ramp * MW)
    assert [pod for wave in found for pod in wave.pods] == list(watts)
    for wave in found:
        assert wave.watts / wave.minutes <= ramp * MW * 1.000001
    for wave, following in pairwise(found):
        assert wave.watts + watts[following.pods[0]] > ramp * MW


def test_without_a_limit_all_pods_are_one_wave():
    (wave,) = waves._waves(["a", "b"], {"a": 1.0, "b": 2.0}, None)
    assert (wave.pods, wave.watts, wave.minutes) == (("a", "b"), 3.0, 0)


def test_the_reference_site_takes_a_pod_a_minute():
    planned = plan(spec.load_site("reference"))
    found = waves.waves(planned)
    assert len(found) == len(planned.pods) == 54  # 18.5 MW a pod, 20 MW a minute
    assert {wave.minutes for wave in found} == {1}
