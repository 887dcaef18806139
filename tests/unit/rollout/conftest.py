"""Rollouts over simulated machines, with all state in a folder of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra import paths
from infra.rollout import applied, approvals, blueprint, cordon, rollouts
from infra.rollout.inventory.patterns import select
from infra.rollout.inventory.roster_cache import roster_at
from infra.rollout.policy import Policy, Times, Waves
from infra.rollout.simulated import SimulatedFleet

if TYPE_CHECKING:
    from pathlib import Path

SU = "su_pod_01_su_01:&role_tray"
"""144 trays of the reference site: eight racks of 18, on two pairs of leaves."""


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Local state of all sites."""
    monkeypatch.setattr(paths, "state", lambda site="": made(tmp_path / "state" / site))
    monkeypatch.setattr(paths, "out", lambda site: made(tmp_path / "out" / site))
    monkeypatch.setattr(approvals, "folder", lambda site, name: tmp_path / "state" / site / "rollouts" / name)
    monkeypatch.setattr(cordon, "_file", lambda fleet: tmp_path / "state" / fleet / "cordoned.json")
    monkeypatch.setattr(applied, "_file", lambda fleet: tmp_path / "state" / fleet / "applied.json")
    return tmp_path


@pytest.fixture
def fleet(home, monkeypatch):
    """The machines of every rollout of the test, and how they are made."""

    class Fleet:
        def __init__(self):
            self.options = {}
            self.home = home

        def open(self):
            return SimulatedFleet(home / "fleet.sqlite", **self.options)

    made_fleet = Fleet()

    def world(plan):
        fleet = made_fleet.open()
        fleet.add(plan.hosts)
        return fleet, fleet

    monkeypatch.setattr(rollouts, "world_of", world)
    return made_fleet


@pytest.fixture(scope="session")
def lay_out():
    """Lays out a rollout of the default policy with some parts changed."""

    def draw(pattern=SU, site="reference", **changes):
        given = {"waves": Waves(shape="fixed", size=40), "gates": (), "budget": (), "times": Times()}
        policy = Policy(**{**given, **changes})
        roster = roster_at(paths.inventory(site) / "site.yaml")
        content = applied.content_of(site, "site.yml")
        return blueprint.draw(
            roster, select(roster, pattern), policy, pattern=pattern, playbook="site.yml", content=content,
            watts={}, simulated=True,
        )  # fmt: skip

    return draw
