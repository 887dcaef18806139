from __future__ import annotations

import pytest

from infra.errors import UserError
from infra.lab import machines, others
from infra.lab.prerequisites import CHECKERS, REQUIREMENTS
from infra.lab.spec import Cable, MachineSpec

pytestmark = pytest.mark.unit


def spec(tmp_path, **changes) -> MachineSpec:
    values = {
        "name": "m1", "uuid": "u", "vcpus": 1, "memory_mib": 512, "disk_gib": 4, "ssh_port": 20001,
        "nics": (), "state_dir": tmp_path, "owner": "lab",
    }  # fmt: skip
    return MachineSpec(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "../m1"}, "not a host name"),
        ({"name": "M1"}, "not a host name"),
        ({"disk_gib": 1}, "at least 4 GiB"),
        ({"nics": tuple(Cable(f"d{n}", "52:54:00:00:00:00", n, n) for n in range(25))}, "at most 24"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_touched(tmp_path, monkeypatch, changes, said):
    monkeypatch.setattr(machines.session, "connect", lambda: pytest.fail("it asked libvirt"))
    with pytest.raises(UserError, match=said):
        machines.define(spec(tmp_path, **changes), None)
    assert not list(tmp_path.iterdir())


def test_the_ports_of_a_domain_are_read_back():
    xml = (
        "<domain><devices><interface type='udp'><source port='2'><local port='1'/></source></interface>"
        "</devices><x value='user,hostfwd=tcp:127.0.0.1:20001-:22'/></domain>"
    )
    assert set(others.ports_of(xml)) == {("udp", 1), ("tcp", 20001)}


def test_every_requirement_can_be_checked_and_installed():
    everything = (*REQUIREMENTS, *CHECKERS)
    assert len({one.name for one in everything}) == len(everything)
    for one in everything:
        assert isinstance(one.check(), bool)
        assert one.apt
        assert one.needed_by
