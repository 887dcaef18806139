"""Waiting for machines: the banner counts, not the open port; who is late is named with its console."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import psutil
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
                if words == b"silent":
                    continue
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
    monkeypatch.setattr(boot, "_login", lambda *_: None)
    said = []
    with listener(b"SSH-2.0-OpenSSH\r\n") as port:
        took = boot.wait([machine(port)], "lab", said.append)
    assert list(took) == ["lab-head"]
    assert said == ["lab-head answers (1 of 1)"]


def test_a_machine_that_only_accepts_connections_is_not_up(machine, monkeypatch):
    monkeypatch.setattr(boot, "LIMIT_S", 1.5)
    monkeypatch.setattr(boot, "REMIND_S", 0.5)
    monkeypatch.setattr(boot, "_login", lambda *_: pytest.fail("nobody listens yet"))
    console_of("lab-head").write_text("booting\nKernel panic - not syncing\n")
    said = []
    with listener(b"") as port, pytest.raises(UserError, match="lab-head did not answer ssh") as caught:
        boot.wait([machine(port)], "lab", said.append)
    assert "Kernel panic" in str(caught.value), (
        "what an earlier boot said is shown, and not taken for this one"
    )
    assert "waiting for lab-head" in said


def console_of(name):
    """The console's file of a machine."""
    console = paths.state("lab") / "machines" / name / "console.log"
    console.parent.mkdir(parents=True, exist_ok=True)
    return console


def test_a_machine_that_dies_is_not_waited_for(machine):
    console = console_of("lab-head")
    console.write_text("an earlier boot\n")
    later = threading.Timer(0.5, lambda: console.write_text("an earlier boot\nKernel panic - not syncing\n"))
    later.start()
    with (
        listener(b"") as port,
        pytest.raises(UserError, match=r"lab-head died while starting \(Kernel panic"),
    ):
        boot.wait([machine(port)], "lab", print)


def test_a_foreign_host_key_ends_the_wait_and_is_named(machine, monkeypatch):
    monkeypatch.setattr(boot, "_login", lambda *_: "Host key verification failed.")
    monkeypatch.setattr(
        boot, "explain", lambda _said, _file, name: f"it showed the key of another than {name}"
    )
    with listener(b"SSH-2.0-OpenSSH\r\n") as port, pytest.raises(UserError, match="another than lab-head"):
        boot.wait([machine(port)], "lab", print)


@pytest.mark.parametrize("words", [b"", b"silent", b"SSH-2.0-OpenSSH\r\n"])
def test_an_interrupt_ends_it_at_once(machine, monkeypatch, tmp_path, words):
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nexec sleep 300\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(boot, "REMIND_S", 0.5)

    def interrupt(_):
        raise KeyboardInterrupt

    with listener(words) as port:
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            boot.wait([machine(port)], "lab", interrupt)
    assert time.monotonic() - began < 5
    assert not [child for child in psutil.Process().children() if "sleep" in child.name()]


def test_real_hardware_is_not_waited_for(machine):
    assert boot.wait([replace(machine(1), stand_in=None)], "lab", print) == {}
