"""Cabling against the plan: every kind of fault is found and named, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import Problems
from infra.render.network.cabling import End, Seen, compare, read_table

pytestmark = pytest.mark.unit

CABLES = [(End(f"tray-{n}", "rail0"), End(f"leaf-{n % 2}", f"swp{n}"), 400.0) for n in range(8)]


def seen(cables=CABLES):
    return {a: z for a, z, _ in cables}


def outcome(there, gbit=None):
    found = [Seen(a, z, gbit.get(a) if gbit else None) for a, z in there.items()]
    return compare(CABLES, found)


def test_what_is_as_planned_has_no_fault():
    result = outcome(seen(), dict.fromkeys(seen(), 400.0))
    assert (result.right, result.faults) == (8, ())


@given(st.integers(0, 7), st.integers(0, 7))
def test_any_swapped_pair_is_named_as_a_swap(one, other):
    there = seen()
    a, b = CABLES[one][0], CABLES[other][0]
    there[a], there[b] = there[b], there[a]
    result = outcome(there)
    if one == other:
        assert not result.faults
        return
    (fault,) = result.faults
    assert (fault.kind, fault.links, result.wrong, result.right) == ("swapped", 2, 2, 6)
    assert all(str(end) in fault.message for end in (a, b, CABLES[one][1], CABLES[other][1]))


@given(st.integers(0, 7))
def test_a_missing_cable_is_named_with_both_ends(one):
    there = seen()
    del there[CABLES[one][0]]
    (fault,) = outcome(there).faults
    assert fault.kind == "missing"
    assert str(CABLES[one][0]) in fault.message
    assert str(CABLES[one][1]) in fault.message


@pytest.mark.parametrize(
    ("other", "kind"), [(End("leaf-0", "swp40"), "wrong-port"), (End("leaf-9", "swp1"), "wrong-device")]
)
def test_a_cable_in_another_port_or_device(other, kind):
    there = seen()
    there[CABLES[2][0]] = other
    result = outcome(there)
    assert [fault.kind for fault in result.faults] == [kind]
    assert (result.wrong, result.missing, result.right) == (1, 0, 7)
    assert str(other) in result.faults[0].message


def test_a_slow_cable_and_one_that_nobody_planned():
    there = {**seen(), End("spare", "eth0"): End("leaf-1", "swp60")}
    speeds = {**dict.fromkeys(there, 400.0), CABLES[5][0]: 100.0}
    faults = outcome(there, speeds).faults
    assert [fault.kind for fault in faults] == ["speed", "unplanned"]
    assert "runs at 100 Gbit/s, planned 400" in faults[0].message


def test_a_table_from_the_field_is_read_or_refused_with_its_lines():
    text = "device,port,neighbor,neighbor_port,gbit\ntray-0,rail0,leaf-0,swp0,400\n"
    assert read_table(text, "lldp.csv") == [Seen(End("tray-0", "rail0"), End("leaf-0", "swp0"), 400.0, 2)]
    with pytest.raises(Problems) as caught:
        read_table(
            text + "tray-1,rail0,leaf-1\ntray-2,rail0,leaf-0,swp2,fast\ntray-0,rail0,a,b\n", "lldp.csv"
        )
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"lldp.csv:{number}" for number in (2, 3, 4, 5)]
    with pytest.raises(Problems, match=r"lldp\.csv:1: .* not a table"):
        read_table("a,b\n", "lldp.csv")
