"""Cabling: by LLDP, each cable is between the ports of the plan."""

from __future__ import annotations

import pytest

from infra.render.network.cabling import compare
from infra.verify.neighbors import COMMAND, cables_among, read_answer, runs_lldp

pytestmark = pytest.mark.proved_on("vm")


def questions(facts, site):
    """Asks for its neighbours, if it runs the daemon."""
    return (COMMAND,) if runs_lldp(facts) else ()


def hear(shell_on, facts, cables):
    """Neighbours of a machine, once each lit cable of it has one, or after the longest wait."""
    other = across(cables)
    own = {end.port: end for end in other if end.device == facts.name}

    def complete(text):
        silent = own.keys() - {entry.own.port for entry in read_answer(text, facts.name)}
        return all(is_dark(shell_on, own[port]) or is_dark(shell_on, other[own[port]]) for port in silent)

    return read_answer(shell_on(facts.name).wait(COMMAND, complete), facts.name)


def is_dark(shell_on, end):
    """Whether an interface has no carrier: nobody will be heard over its cable, however long one waits."""
    return shell_on(end.device).run(f"cat /sys/class/net/{end.port}/carrier").text != "1"


def across(cables):
    """The other end of each end."""
    return {one: two for a, z, _ in cables for one, two in ((a, z), (z, a))}


@pytest.mark.asks.with_args(questions)
def test_neighbors(shell_on, facts, found):
    """It hears its planned neighbours by LLDP."""
    if not runs_lldp(facts):
        pytest.skip("it runs no LLDP daemon of ours")
    cables = cables_among(found.machines)
    heard = {entry.own: entry.other for entry in hear(shell_on, facts, cables)}
    wrong = [
        f"{end.port} hears {heard.get(end, 'nobody')}, planned {there}"
        for end, there in across(cables).items()
        if end.device == facts.name and heard.get(end) != there
    ]
    assert not wrong, "; ".join(wrong)


def test_cabling(shell_on, found, say):
    """Every cable is between the ports of the plan, as LLDP hears it."""
    machines = [machine for machine in found.machines if runs_lldp(found.facts_of(machine))]
    cables = cables_among(machines)
    if not cables:
        pytest.skip("no cable is between machines that run LLDP")
    heard = [entry for one in machines for entry in hear(shell_on, found.facts_of(one), cables)]
    result = compare(cables, heard)
    say(result.text())
    assert not result.faults, result.text()
