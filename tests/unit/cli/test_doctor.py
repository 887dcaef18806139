"""What is missing is named with the one command; what may be installed is, after saying so."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from infra import cli
from infra.cli import doctor
from infra.errors import UserError
from infra.pipeline import apt, prerequisites

pytestmark = pytest.mark.unit


@dataclass
class Needed:
    """A requirement whose state the test decides."""

    name: str
    there: bool
    needed_by: str = "stand-ins"
    apt: tuple[str, ...] = field(default=("some-package",))

    def check(self) -> bool:
        return self.there


@pytest.fixture
def machine(monkeypatch):
    """A machine with these requirements."""

    def having(*needed):
        monkeypatch.setattr(doctor, "requirements", lambda **_kind: needed)
        monkeypatch.setattr(prerequisites, "requirements", lambda **_kind: needed)
        monkeypatch.setattr(doctor, "_acceleration", lambda: ("tcg", "/dev/kvm is missing"))
        return needed

    return having


def test_says_for_each_item_whether_it_is_there_and_what_needs_it(machine, capsys):
    machine(Needed("QEMU", True), Needed("mmdebstrap", False, "the disk image", ("mmdebstrap",)))
    assert cli.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("found") and "QEMU" in line for line in lines)
    assert any(
        line.startswith("missing") and "mmdebstrap" in line and "the disk image" in line for line in lines
    )
    assert any(line.strip().endswith("--no-install-recommends mmdebstrap") for line in lines)
    assert "acceleration: tcg (/dev/kvm is missing)" in lines


def test_a_machine_that_has_all_is_fine_without_the_pulumi_cli(machine, capsys, monkeypatch):
    machine(Needed("QEMU", True))
    monkeypatch.setenv("PATH", "/nonexistent")
    assert cli.main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is True
    assert said["install"] is None
    optional = {item["name"]: item["found"] for item in said["requirements"] if item["optional"]}
    assert optional == {"Pulumi CLI": False}


def test_nothing_is_installed_where_nothing_is_missing(machine, monkeypatch):
    machine(Needed("QEMU", True))
    monkeypatch.setattr(apt, "install", lambda *_: pytest.fail("installed"))
    prerequisites.ensure(print)


def test_each_package_is_installed_once(machine, monkeypatch):
    first, second = machine(Needed("a", False, apt=("x", "y")), Needed("b", False, apt=("y", "z")))

    def install(packages, _say):
        assert packages == ["x", "y", "z"]
        first.there = second.there = True

    monkeypatch.setattr(apt, "install", install)
    prerequisites.ensure(print)


def test_what_is_still_missing_afterwards_is_an_error(machine, monkeypatch):
    machine(Needed("QEMU", False))
    monkeypatch.setattr(apt, "install", lambda *_: None)
    with pytest.raises(UserError, match="still missing after the installation: QEMU"):
        prerequisites.ensure(print)


def test_without_the_right_to_install_the_command_is_named(monkeypatch):
    monkeypatch.setattr(apt, "_prefix", lambda: None)
    monkeypatch.setattr(apt.os, "geteuid", lambda: 1000)
    with pytest.raises(UserError) as caught:
        apt.install(["x", "y"], print)
    assert "sudo apt-get install --yes --no-install-recommends x y" in str(caught.value)


def test_it_says_what_it_installs_before_it_does(monkeypatch):
    said = []
    monkeypatch.setattr(apt, "_prefix", lambda: ["sudo", "-n"])
    monkeypatch.setattr(apt.shutil, "which", lambda _name: "/usr/bin/it")
    monkeypatch.setattr(apt, "run", lambda words, **_: said.append(words))
    apt.install(["x"], said.append)
    assert said[0] == "installing with apt: x"
    assert said[1][:2] == ["sudo", "-n"]
    assert said[1][-1] == "x"
