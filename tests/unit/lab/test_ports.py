from __future__ import annotations

import os
import socket

import pytest

from infra.errors import UserError
from infra.lab.ports import free_udp_ports, require_free

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("protocol", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
def test_a_port_in_use_is_named_with_its_holder(protocol, kind):
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError) as caught:
            require_free(port, protocol, "ssh of m1")
    assert f"{protocol} port {port}" in str(caught.value)
    assert f"process {os.getpid()}" in str(caught.value)
    assert "ssh of m1" in str(caught.value)
    assert "port_base" in caught.value.hint


def test_a_free_port_is_no_trouble():
    for port in free_udp_ports(2):
        require_free(port, "udp", "a cable")


def test_free_ports_are_all_different():
    assert len(set(free_udp_ports(20))) == 20
