"""Matrix: packets between machines get through where the declaration's zones allow it, and nowhere else."""

from __future__ import annotations

from collections import Counter

import pytest

from infra.plan import plan
from infra.render.matrix import Matrix, compare_probes, endpoints
from infra.spec import load_site
from infra.verify.packets import every_packet, ports_of, print_sent, send

pytestmark = pytest.mark.proved_on("vm")

EACH = 8
"""Machines of each role that packets are sent between: on a larger site the rules of a role are the same."""


@pytest.fixture(scope="module")
def matrix(found):
    """Rules of the site."""
    if not found.facts.zones:
        pytest.skip("the site declares no zones")
    if not all(machine.stand_in for machine in found.machines):
        pytest.skip(
            "packets are sent between stand-ins alone: on machines in use they would take ports of jobs"
        )
    return Matrix(load_site(found.site))


@pytest.fixture(scope="module")
def ends(found, matrix):
    """Addresses of some machines of each role."""
    seen = Counter()
    names = [one.name for one in found.machines if seen.update([one.role]) or seen[one.role] <= EACH]
    return endpoints(plan(load_site(found.site)), names)


def test_packets(matrix, ends, shell_on, say):
    """Packets get through where the matrix allows it and nowhere else, in both directions of every pair."""
    sent = send(lambda name, text: shell_on(name).out(text), matrix, every_packet(ends, ports_of(matrix)))
    wrong = compare_probes(matrix, sent.probes)
    say(print_sent(matrix, sent))
    assert not wrong, "\n".join(wrong[:20])
    assert any(probe.passed for probe in sent.probes)
