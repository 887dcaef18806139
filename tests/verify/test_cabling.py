"""Cabling: by LLDP, each cable is between the ports of the plan."""

from __future__ import annotations

import pytest

from infra.render.network.cabling import compare
from infra.verify.neighbors import COMMAND, cables_among, read_answer, runs_lldp

pytestmark = pytest.mark.proved_on("vm")


def questions(facts, site):
    """Asks for its neighbours, if it runs the daemon."""
    return (COMMAND,) if runs_lldp(facts) else ()


def hear(shell, facts, planned):
    """Neighbours of a machine, once each planned cable of it has one, or after the longest wait."""
    wanted = {port for end in planned for port in [end.port] if end.device == facts.name}

    def complete(text):
        return wanted <= {entry.own.port for entry in read_answer(text, facts.name)}

    return read_answer(shell.wait(COMMAND, complete), facts.name)


def ends_of(cables):
    """Both ends of each cable."""
    return [end for a, z, _ in cables for end in (a, z)]


@pytest.mark.asks.with_args(questions)
def test_neighbors(shell, facts, found):
    """It hears its planned neighbours by LLDP."""
    if not runs_lldp(facts):
        pytest.skip("it runs no LLDP daemon of ours")
    cables = cables_among(found.machines)
    other = {one: two for a, z, _ in cables for one, two in ((a, z), (z, a))}
    heard = {entry.own: entry.other for entry in hear(shell, facts, ends_of(cables))}
    wrong = [
        f"{end.port} hears {heard.get(end, 'nobody')}, planned {there}"
        for end, there in other.items()
        if end.device == facts.name and heard.get(end) != there
    ]
    assert not wrong, "; ".join(wrong)


def test_cabling(shell_on, found, say):
    """Every cable is between the ports of the plan, as LLDP hears it."""
    machines = [machine for machine in found.machines if runs_lldp(found.facts_of(machine))]
    cables = cables_among(machines)
    if not cables:
        pytest.skip("no cable is between machines that run LLDP")
    ends = ends_of(cables)
    heard = [entry for one in machines for entry in hear(shell_on(one.name), found.facts_of(one), ends)]
    result = compare(cables, heard)
    say(result.text())
    assert not result.faults, result.text()
