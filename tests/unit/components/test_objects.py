"""What a site's program declares of an object tier: users and buckets, protected on hardware."""

from __future__ import annotations

import pytest

from infra.components.program import pod_args, site_args
from infra.plan import plan
from tests.unit.spec.test_every_key import declared, load

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def whole():
    """A site with an object tier in each of its pods."""
    return plan(load(declared("mixed-customer-site"), "mixed-customer-site"))


def test_the_first_pod_declares_what_the_tier_holds(whole):
    first, second, *_ = (pod_args(whole, pod, protect=True).storage["bulk"] for pod in whole.pods)
    assert [user.name for user in first.users] == ["ada", "grace"]
    assert [bucket.name for bucket in first.buckets] == ["checkpoints"]
    assert first.endpoint == "https://objects.mixed.internal"
    assert first.protect
    assert not second.users
    assert "bulk" not in site_args(whole, protect=True).storage
