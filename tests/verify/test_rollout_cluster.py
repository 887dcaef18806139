"""Servers that carry large rollouts out: their key is theirs alone, and workers have found the scheduler."""

from __future__ import annotations

import shlex

import pytest

pytestmark = [pytest.mark.proved_on("vm"), pytest.mark.role("management")]


@pytest.fixture(autouse=True)
def components(facts):
    """Parts of the cluster that the machine has."""
    if "rollout_cluster" not in facts.applied:
        pytest.skip("the declaration gives it no part in rollouts")
    return facts.applied["rollout_cluster"]


def test_key_is_roots_alone(shell, variables):
    """Nobody but root reads the private key of its certificate for rollouts."""
    key = shlex.quote(variables["rollout_cluster_key"])
    assert shell.out(f"stat -Lc '%U %a' {key}").split() == ["root", "600"]


def test_worker_has_found_the_scheduler(shell, site, components):
    """Its worker of rollouts is connected to the scheduler."""
    if "rollout_worker" not in components:
        pytest.skip("it runs the scheduler alone")
    scheduler = shlex.quote(site.rollout.address.removeprefix("tls://"))
    assert shell.wait(f"ss -Htn state established dst {scheduler}", bool).strip()
