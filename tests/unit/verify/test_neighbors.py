"""Neighbours of a site's machines: which cables are compared, and machines that do not tell theirs."""

from __future__ import annotations

import json

import pytest

from infra.errors import UserError
from infra.plan import plan
from infra.render.network.cabling import End, Seen, compare, plan_cables
from infra.rollout.inventory.targets import targets
from infra.spec import load_site
from infra.verify import neighbors

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def machines():
    return targets("lab")


def answer_of(machine):
    """What lldpcli prints where every cable is as planned."""
    heard = {
        nic.name: {
            "chassis": {nic.peer[0]: {"id": {"type": "mac", "value": "x"}}},
            "port": {"id": {"type": "ifname", "value": nic.peer[1]}},
        }
        for nic in machine.nics
    }
    return json.dumps({"lldp": {"interface": [{name: entry} for name, entry in heard.items()]}})


@pytest.fixture
def answering(machines, monkeypatch):
    """Machines answer, but those that a test takes out of the result."""
    answers = {machine.name: answer_of(machine) for machine in machines.machines}

    def ask(wanted):
        for backend in wanted:
            text = answers.get(backend.hostname)
            if text is None:
                backend.away = "ssh: connect to host 127.0.0.1 port 8700: Connection refused"
            else:
                code, errors = (1, text.encode()) if text.startswith("unable") else (0, b"")
                said = backend.result(code, b"", text.encode(), errors)
                backend.answers[neighbors.COMMAND] = said

    monkeypatch.setattr(neighbors, "ask", ask)
    return answers


def test_cables_are_those_of_the_plan_once_each(machines):
    planned = list(plan_cables(plan(load_site("lab"))))
    found = neighbors.cables_among(machines.machines)
    assert len(found) == 4
    assert {frozenset(one[:2]) for one in found} == {frozenset(one[:2]) for one in planned}


def test_cables_to_machines_that_are_not_asked_are_left_out(machines):
    trays = [machine for machine in machines.machines if machine.role == "tray"]
    assert neighbors.cables_among(trays) == []


def test_every_machine_is_asked_and_its_answer_read(machines, answering):
    heard = neighbors.ask_neighbors(machines)
    assert Seen(End("pod-01-leaf-01", "data0"), End("pod-01-su-01-rack-01-tray-01", "data0")) in heard
    result = compare(neighbors.cables_among(machines.machines), heard)
    assert result.text() == "4 of 4 cables as planned"


def test_machines_that_do_not_tell_are_named_all_at_once(machines, answering):
    del answering["pod-01-leaf-01"]
    answering["lab-head"] = "unable to connect to lldpd"
    with pytest.raises(UserError) as caught:
        neighbors.ask_neighbors(machines)
    text = str(caught.value)
    assert "pod-01-leaf-01: ssh: connect to host" in text
    assert "lab-head: unable to connect to lldpd" in text
    assert "tray" not in text
