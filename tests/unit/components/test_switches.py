"""Three switches take a new configuration at once; what one refuses keeps no other from its own."""

from __future__ import annotations

import time

import pulumi
import pytest

from infra.components import program
from infra.components.resources.machines import BmcArgs
from infra.components.resources.network import Switch, SwitchArgs
from infra.provider.drivers.ssh import Done
from infra.provider.resources import network
from tests.unit.components.test_stacks import counts, stacks  # noqa: F401 (a fixture)

pytestmark = pytest.mark.unit

CONNECTING_S = 1.0
"""A refusal comes over a connection: the program has asked for all switches of a fabric long before."""
PART = "! templates/switches/frr/system.j2\nhostname {}\nlog syslog {}\n"


class Site:
    """Three switches behind ssh: the configuration that each keeps, and what it is asked to run."""

    def __init__(self) -> None:
        self.level = dict.fromkeys(("leaf-01", "leaf-02", "leaf-03"), "informational")
        self.kept: dict[str, str] = {}
        self.staged: dict[str, str] = {}

    def declare(self, _whole, _pod, opts, *, simulated) -> None:
        del simulated
        for name, level in self.level.items():
            bmc = BmcArgs(address="127.0.0.1", port=10443, credential=name)
            text = {"frr.conf": PART.format(name, level)}
            args = SwitchArgs(name=name, platform="frr-vm", bmc=bmc, configuration=text)
            Switch(name, args, pulumi.ResourceOptions(provider=opts.providers[0]))

    def reach(self, _site: str, name: str) -> _Way:
        return _Way(self, name)


class _Way:
    def __init__(self, site: Site, name: str) -> None:
        self.site, self.name = site, name

    def run(self, _script: str, stdin: str, _limit: float) -> Done:
        if stdin:
            if "debuging" in stdin:
                time.sleep(CONNECTING_S)
                return Done(65, "line 3: % Unknown command: log syslog debuging\n")
            self.site.staged[self.name] = stdin
            return Done(0, "")
        self.site.kept[self.name] = self.site.staged.pop(self.name)
        return Done(0, "")


def test_others_go_on_where_one_refuses_a_line(stacks, monkeypatch):  # noqa: F811
    site = Site()
    monkeypatch.setattr(program, "_declare_pod", site.declare)
    monkeypatch.setattr(network, "ssh_to", site.reach)
    stacks("up", "lab")
    assert counts(stacks("up", "lab.pod-01"))["create"] >= 3
    assert site.kept == {}

    site.level.update({"leaf-01": "debuging", "leaf-02": "debugging", "leaf-03": "debugging"})
    assert counts(stacks("preview", "lab.pod-01"))["update"] == 3
    stacks("up", "lab.pod-01")
    (said,) = [error for error in stacks.errors if "refuses" in error]
    assert "leaf-01, templates/switches/frr/system.j2: it refuses line 3 of frr.conf" in said
    assert set(site.kept) == {"leaf-02", "leaf-03"}

    site.level["leaf-01"] = "debugging"
    assert counts(stacks("up", "lab.pod-01"))["update"] == 1
    assert set(site.kept) == {"leaf-01", "leaf-02", "leaf-03"}
    assert not site.staged
