"""Names: a real Unbound gives the plan's addresses and names, and nothing else."""

from __future__ import annotations

import ipaddress
import socket
import struct
import subprocess
from dataclasses import replace

import machines as hand
import pytest

from infra.lab.prerequisites import program
from infra.paths import ROOT
from infra.plan import findings, plan
from infra.render import render_files
from infra.spec import load_site, load_text
from tests.waiting import until

pytestmark = pytest.mark.unit

LAB = (ROOT / "inventories" / "lab" / "site.yaml").read_text()
A, PTR = 1, 12
NO_ERROR, NO_NAME, REFUSED = 0, 3, 5


def question(name, kind):
    """A DNS query (RFC 1035, section 4)."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, kind, 1)


def ask(port, name, kind=A):
    """Return what came back: the code, and the data of the first answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        asked = question(name, kind)
        client.sendto(asked, ("127.0.0.1", port))
        reply = client.recv(4096)
    _, flags, _, count, *_ = struct.unpack(">6H", reply[:12])
    if not count:
        return flags & 15, None
    record = len(asked) + 2  # the name is a pointer to the question's
    (length,) = struct.unpack(">H", reply[record + 8 : record + 10])
    data = reply[record + 10 : record + 10 + length]
    return flags & 15, str(ipaddress.IPv4Address(data)) if kind == A else _name(data)


def _name(data):
    parts = []
    while data[0]:
        parts.append(data[1 : 1 + data[0]].decode())
        data = data[1 + data[0] :]
    return ".".join(parts)


def answers(port):
    try:
        return ask(port, "localhost")
    except OSError:
        return None


def config(facts, site, **variables):
    files = render_files(facts[hand.HEAD], site, variables or None)
    return next(file.text for file in files if file.path == "/etc/unbound/unbound.conf")


@pytest.fixture
def served(facts, site, tmp_path):
    """Unbound with the head's configuration, one machine with an alias, on a port of this machine's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    hosts = tuple(replace(host, alias="m-01") if host.name == hand.STORE else host for host in site.hosts)
    own = f"""\
server:
    port: {port}
    chroot: ""
    username: ""
    use-syslog: no
    pidfile: "{tmp_path}/pid"
"""
    text = config(facts, replace(site, hosts=hosts)).replace("server:\n", own, 1)
    path = tmp_path / "unbound.conf"
    path.write_text(text)
    found = program("unbound")
    assert found, "unbound is not installed: see gigasite doctor"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([found, "-d", "-c", path], stdout=log, stderr=log)
        try:
            until(lambda: process.poll() is not None or answers(port), 30)
            assert process.poll() is None, (tmp_path / "log").read_text()
            yield port
        finally:
            process.terminate()
            process.wait()


def test_machines_are_found_by_name_and_by_address(served, site):
    assert len(site.hosts) > 4
    for host in site.hosts:
        assert ask(served, f"{host.name}.{site.domain}") == (NO_ERROR, host.address)
        reverse = ipaddress.ip_address(host.address).reverse_pointer
        assert ask(served, reverse, PTR) == (NO_ERROR, f"{host.name}.{site.domain}")
    store = next(host for host in site.hosts if host.name == hand.STORE)
    assert ask(served, f"m-01.{site.domain}") == (NO_ERROR, store.address)


def test_what_the_plan_does_not_have_is_not_answered(served, site):
    assert ask(served, f"nobody.{site.domain}") == (NO_NAME, None)
    assert ask(served, "example.org") == (REFUSED, None)


def test_its_own_program_judges_it_with_and_without_forwarders(facts, site, tmp_path):
    path = tmp_path / "unbound.conf"
    for variables, good in (
        ({}, True),
        ({"dns_server_forwarders": ["192.0.2.53"]}, True),
        ({"dns_server_forwarders": ["nowhere"]}, False),
    ):
        path.write_text(config(facts, site, **variables))
        done = subprocess.run(
            [program("unbound-checkconf"), path], capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) == good, done.stderr


def test_machines_ask_the_declared_servers(facts, site):
    (file,) = [one for one in render_files(facts[hand.TRAYS[0]], site) if one.path == "/etc/resolv.conf"]
    head = next(host for host in site.hosts if host.name == hand.HEAD)
    assert f"search {site.domain}\nnameserver {head.address}\n" in file.text
    assert not [one for one in render_files(facts[hand.LEAF], site) if one.path == "/etc/resolv.conf"]


def blocked(site):
    return [one.message for one in findings(plan(site)) if one.id == "names-blocked"]


def test_zones_that_keep_questions_out_are_told():
    assert blocked(load_text(LAB)) == []
    (message,) = blocked(
        load_text(
            LAB.replace('udp/123, udp/53, tcp/514], reason: "slurm', 'udp/123, tcp/514], reason: "slurm')
        )
    )
    assert "zone `compute` cannot ask the servers of names `head`" in message
    assert blocked(load_text(LAB.replace("udp/53, ", "").replace("  dns: head\n", ""))) == []


@pytest.mark.parametrize("name", ["reference", "reference-hgx"])
def test_shipped_sites_let_names_be_asked(name):
    assert blocked(load_site(name)) == []
