"""Names: each machine finds the others by name and by address, and nothing that is not there."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.proved_on("vm"), pytest.mark.role("tray", "storage", "management")]

MOST = 20
"""Machines that each is asked for: a pod has thousands, and one server tells of all."""
# /etc/hosts is not asked; an answer that does not come is no line
ASK = "getent --service=dns hosts {0} || true"


def questions(facts, site):
    """Asks for names and addresses, and for a name that is not there."""
    hosts = site.hosts[:MOST] if site.name_servers else ()
    yield ASK.format(" ".join(host.name for host in hosts)) if hosts else ":"
    yield ASK.format(" ".join(host.address for host in hosts)) if hosts else ":"
    yield ASK.format(f"nobody.{site.domain}")


@pytest.fixture
def wanted(site):
    """Address and whole name of each machine that is asked for."""
    if not site.name_servers:
        pytest.skip("the site declares no servers of names")
    return {(host.address, f"{host.name}.{site.domain}") for host in site.hosts[:MOST]}


def _pairs(text):
    return {tuple(line.split()[:2]) for line in text.splitlines() if line.strip()}


@pytest.mark.asks.with_args(questions)
def test_machines_are_found_by_name(shell, facts, site, wanted):
    """It gets the plan's address for each name, without saying the domain."""
    by_name, _, _ = questions(facts, site)
    assert wanted - _pairs(shell.wait(by_name, lambda text: wanted <= _pairs(text))) == set()


@pytest.mark.asks.with_args(questions)
def test_machines_are_found_by_address(shell, facts, site, wanted):
    """It gets the plan's name for each address."""
    _, by_address, _ = questions(facts, site)
    assert wanted - _pairs(shell.wait(by_address, lambda text: wanted <= _pairs(text))) == set()


@pytest.mark.usefixtures("wanted")
@pytest.mark.asks.with_args(questions)
def test_nobody_else_is_found(shell, facts, site):
    """It finds no machine that the plan does not have."""
    *_, nobody = questions(facts, site)
    assert shell.out(nobody).strip() == ""
