"""The garbage collector is slowed while a run goes on, and only then."""

from __future__ import annotations

import gc

import pytest

from infra.engine.program.gc_tuning import THRESHOLDS, seldom_collected

pytestmark = pytest.mark.unit


def test_thresholds_are_set_inside_and_restored_after_an_error() -> None:
    before = gc.get_threshold()

    def fail() -> None:
        with seldom_collected():
            assert gc.get_threshold() == THRESHOLDS
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        fail()
    assert gc.get_threshold() == before != THRESHOLDS
