"""The plugin as Pulumi starts it: a folder run as a program, which ends with whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2_grpc

from infra import paths
from infra.provider.plugin import VERSION
from tests.waiting import until

pytestmark = pytest.mark.unit


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 (vanishes at any moment)
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_it_says_its_port_first_and_answers_there_and_stops_when_told():
    command = [sys.executable, "-u", paths.ROOT / "infra" / "provider", "127.0.0.1:1", "--logtostderr"]
    process = subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            info = provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(
                empty_pb2.Empty(), timeout=20
            )
            assert info.version == VERSION
            # Ctrl-C reaches the whole foreground group, but only the engine decides what to stop.
            process.send_signal(signal.SIGINT)
            provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(empty_pb2.Empty(), timeout=20)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.stdout.close()


def test_it_ends_when_the_engine_is_killed():
    code = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-u', {str(paths.ROOT / 'infra' / 'provider')!r}, 'x'],"
        " stdout=subprocess.PIPE)\n"
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(60)\n"
    )
    engine = subprocess.Popen([sys.executable, "-c", code], cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    plugin = int(engine.stdout.readline())
    assert not gone(plugin)
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait(20)
    engine.stdout.close()
    until(lambda: gone(plugin))
