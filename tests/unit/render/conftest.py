"""A small site, planned by hand, with its facts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra.render import machine_facts
from infra.spec import load_site

sys.path.insert(0, str(Path(__file__).parent))

import machines as hand


@pytest.fixture(scope="session")
def hand_made():
    return {machine.name: machine for machine in hand.machines()}


@pytest.fixture(scope="session")
def real_machines():
    return {machine.name: machine for machine in hand.machines(stand_in=False)}


@pytest.fixture(scope="session")
def site(hand_made):
    return hand.facts_of_site(load_site("lab"), tuple(hand_made.values()))


@pytest.fixture(scope="session")
def facts(hand_made, site):
    return {name: machine_facts(machine, hand_made, site) for name, machine in hand_made.items()}
