"""Waves of drained switches: everything is drained once, and nothing loses its last path."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.plan import plan
from infra.render.network.drains import MOST_SHARE, drain_waves, waves_of
from infra.spec import load_site

pytestmark = pytest.mark.unit

SWITCHES = [f"switch-{number:02d}" for number in range(12)]
CABLED = st.lists(
    st.sets(st.sampled_from(SWITCHES), min_size=1).map(lambda them: tuple(sorted(them))), max_size=20
)


@given(CABLED)
def test_no_wave_takes_the_last_path(cabled):
    found = waves_of(((f"host-{number}", uppers) for number, uppers in enumerate(cabled)), SWITCHES)
    drained = [switch for wave in found.waves for switch in wave]
    assert sorted([*drained, *found.alone]) == SWITCHES
    for wave in found.waves:
        for uppers in cabled:
            down = set(uppers) & set(wave)
            assert len(uppers) == 1 or len(down) <= max(math.floor(len(uppers) * MOST_SHARE), 1) < len(uppers)
    assert set(found.alone) == {uppers[0] for uppers in cabled if len(uppers) == 1}


def test_a_pod_of_the_reference_is_drained_in_few_waves():
    found = drain_waves(plan(load_site("reference")).pod("pod-01"))
    assert len(found.waves) <= 5
    assert not found.alone


def test_the_labs_only_leaf_is_named_with_what_it_serves():
    found = drain_waves(plan(load_site("lab")))
    assert found.waves == ()
    assert "lab-storage" in found.alone["pod-01-leaf-01"]
