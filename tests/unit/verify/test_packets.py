"""Packets on loopback: each is answered, by a service that holds a port too; a silent holder is told."""

from __future__ import annotations

import socket
import subprocess
import threading

import pytest

from infra.plan.tables.machines import Role
from infra.render.matrix import ROCE, Endpoint, Matrix, compare_probes
from infra.spec import load_site
from infra.verify.packets import every_packet, ports_of, print_sent, send

pytestmark = pytest.mark.unit

TRAY = Endpoint("tray", Role.TRAY, "lo", "127.0.0.2", "north-south")
STORAGE = Endpoint("storage", Role.STORAGE, "lo", "127.0.0.3", "north-south")
NFS = ("tcp", 2049)


@pytest.fixture(scope="module")
def matrix():
    return Matrix(load_site("lab"))


def run(_machine, text):
    """Every machine is this one."""
    return subprocess.run(["sh", "-c", text], check=True, capture_output=True, text=True, timeout=60).stdout


def free_port(address):
    with socket.socket() as one:
        one.bind((address, 0))
        return one.getsockname()[1]


def test_asks_the_ends_of_ranges_and_what_is_beside_them(matrix):
    ports = set(ports_of(matrix))
    assert {("tcp", port) for port in (60000, 60001, 63000, 63001, 1023, 1024, 65535)} <= ports
    assert {("udp", ROCE), ("udp", ROCE + 1), ("tcp", ROCE), ("tcp", 22), ("udp", 123), NFS} <= ports
    assert ("tcp", 65536) not in ports


def test_asks_in_both_directions(matrix):
    asked = every_packet([TRAY, STORAGE], [NFS])
    assert asked == [(TRAY, STORAGE, *NFS), (STORAGE, TRAY, *NFS)]


def test_without_a_firewall_every_deny_leaks_and_says_so(matrix):
    port = free_port(STORAGE.address)
    asked = [(TRAY, STORAGE, kind, port) for kind in ("tcp", "udp")]
    sent = send(run, matrix, asked, patience=(1, 10))
    assert [probe.passed for probe in sent.probes] == [True, True]
    assert [line.split(":")[0] for line in compare_probes(matrix, sent.probes)] == ["a deny leaks"] * 2
    text = print_sent(matrix, sent)
    assert "2 packets between 2 addresses of 2 machines" in text
    assert "compute → storage  0 of 0 allowed got through, 0 of 2 denied did not" in text


def test_what_nobody_answers_did_not_get_through(matrix):
    """An address that is not there: the packets leave, and nothing comes back."""
    away = STORAGE._replace(address="192.0.2.1")
    sent = send(lambda machine, text: run(machine, text) if machine == "tray" else '{"pid": 0, "held": []}'
                if "kill" not in text else "", matrix, [(TRAY, away, *NFS)], patience=(1, 2))  # fmt: skip
    assert [probe.passed for probe in sent.probes] == [False]
    assert compare_probes(matrix, sent.probes)[0].startswith(
        "an allow fails: tray lo (127.0.0.2) → storage lo"
    )


def test_a_service_that_answers_is_asked_and_a_silent_one_is_told(matrix):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaking,
    ):
        for one in (silent, speaking):
            one.bind((STORAGE.address, 0))
        ports = [one.getsockname()[1] for one in (silent, speaking)]

        def echo():
            while True:
                try:
                    text, peer = speaking.recvfrom(512)
                except OSError:
                    return
                if not text:
                    return
                speaking.sendto(text, peer)

        thread = threading.Thread(target=echo)
        thread.start()
        try:
            sent = send(run, matrix, [(TRAY, STORAGE, "udp", port) for port in ports], patience=(1, 10))
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", (STORAGE.address, ports[1]))
            thread.join(10)
    assert sent.held == [f"storage udp/{ports[0]}"]
    assert [(probe.port, probe.passed) for probe in sent.probes] == [(ports[1], True)]
    assert f"not asked: storage udp/{ports[0]}" in print_sent(matrix, sent)
