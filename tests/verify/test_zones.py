"""Zones: a machine lets in what the declaration's matrix allows, and drops the rest."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.proved_on("vm")

RULES = "nft --json list chain inet gigasite input"


@pytest.fixture
def firewall(facts):
    """What the machine shall let in."""
    if facts.firewall is None:
        pytest.skip("the site declares no zone for it")
    return facts.firewall


@pytest.mark.asks(RULES)
def test_what_is_not_allowed_is_dropped(shell, firewall, site):
    """Its firewall drops by default; each allowed port has a rule for loopbacks and one for links."""
    parts = shell.json(RULES)["nftables"]
    (policy,) = [part["chain"]["policy"] for part in parts if "chain" in part]
    assert policy == "drop"
    found = {_zone_rule(part["rule"]["expr"]) for part in parts if "rule" in part} - {None}
    linked = {zone.name for zone in site.zones if zone.links}
    wanted = {(rule.zone, rule.protocol, rule.ports) for rule in firewall.rules}
    assert found == wanted | {(f"{zone}.links", *rest) for zone, *rest in wanted if zone in linked}


def _zone_rule(expressions):
    """Zone, protocol and ports of a rule that lets a zone in; None for any other."""
    matches = {
        part["match"]["left"]["payload"]["field"]: part["match"]
        for part in expressions
        if "payload" in part.get("match", {}).get("left", {})
    }
    if "saddr" not in matches or "dport" not in matches:
        return None
    zone, ports = matches["saddr"]["right"], matches["dport"]["right"]
    text = "-".join(str(port) for port in ports["range"]) if isinstance(ports, dict) else str(ports)
    return zone.removeprefix("@zone_"), matches["dport"]["left"]["payload"]["protocol"], text


def others(facts, site):
    """One other machine of each role: on a big site the matrix is the same for all of a role."""
    near = {None, *site.pods}
    return {h.role: h for h in reversed(site.hosts) if h.name != facts.name and h.pod in near}.values()


def knocks(facts, site):
    """Asks which of them let it in by ssh, all at once."""
    return (_knock(others(facts, site), 5),)


@pytest.mark.asks.with_args(knocks)
def test_only_who_may_gets_in(shell, facts, site, found):
    """It gets in by ssh where the matrix lets its zone in, and nowhere else."""
    (command,) = knocks(facts, site)
    firewalls = {machine.name: found.facts_of(machine).firewall for machine in found.machines}
    own = {zone.name for zone in site.zones if facts.role in zone.roles}
    wanted = {host.name for host in others(facts, site) if _lets_in(firewalls[host.name], own)}
    entered = set(shell.out(command).split())
    # Who does not answer in five seconds may be slow: who should is given a minute more.
    if slow := [host for host in others(facts, site) if host.name in wanted - entered]:
        entered |= set(shell.out(_knock(slow, 60)).split())
    assert entered == wanted


def _knock(hosts, seconds):
    knock = "(timeout {seconds} bash -c '</dev/tcp/{address}/22' && echo {name}) 2>/dev/null &"
    words = (knock.format(seconds=seconds, address=host.address, name=host.name) for host in hosts)
    return " ".join([*words, "wait"])


def _lets_in(firewall, zones):
    return firewall is None or any(
        rule.zone in zones and rule.protocol == "tcp" and _covers(rule.ports, 22) for rule in firewall.rules
    )


def _covers(ports, port):
    first, _, last = ports.partition("-")
    return int(first) <= port <= int(last or first)
