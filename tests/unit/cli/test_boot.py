"""Waiting for machines: the banner counts, not the open port; who is late is named with its console."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from infra import paths, spec
from infra.errors import UserError
from infra.pipeline import boot
from infra.plan import machines_of, plan

pytestmark = pytest.mark.unit


@contextmanager
def listener(words: bytes):
    """A port that says something to everybody who connects; without words it only accepts, as QEMU does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                kept.append(connection)
                if words:
                    connection.sendall(words)
                else:
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of the lab, at a port of the test's choice."""
    one = machines_of(plan(spec.load_site("lab")))[0]
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return lambda port: replace(one, stand_in=replace(one.stand_in, ssh_port=port))


def test_a_machine_that_lets_us_in_is_up(machine, monkeypatch):
    monkeypatch.setattr(boot, "_login", lambda _port, _state: True)
    said = []
    with listener(b"SSH-2.0-OpenSSH\r\n") as port:
        took = boot.wait([machine(port)], "lab", said.append)
    assert list(took) == ["lab-head"]
    assert said == ["lab-head answers (1 of 1)"]


def test_a_machine_that_only_accepts_connections_is_not_up(machine, monkeypatch):
    monkeypatch.setattr(boot, "LIMIT_S", 1.5)
    monkeypatch.setattr(boot, "_login", lambda *_: pytest.fail("nobody listens yet"))
    console = paths.state("lab") / "machines" / "lab-head" / "console.log"
    console.parent.mkdir(parents=True)
    console.write_text("booting\nKernel panic - not syncing\n")
    with listener(b"") as port, pytest.raises(UserError, match="lab-head did not answer ssh") as caught:
        boot.wait([machine(port)], "lab", print)
    assert "Kernel panic" in str(caught.value)


def test_real_hardware_is_not_waited_for(machine):
    assert boot.wait([replace(machine(1), stand_in=None)], "lab", print) == {}
