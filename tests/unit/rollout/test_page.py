"""The page: read-only, on loopback, live, and as a real browser shows it where there is one."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import threading

import pytest

from infra.rollout import page, rollouts
from infra.rollout.controller import Stopped

pytestmark = pytest.mark.unit


@pytest.fixture
def server(home):
    with page.Server("reference", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server, path, method="GET", host="127.0.0.1"):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request(method, path, headers={"Host": f"{host}:{server.server_port}"})
    return connection.getresponse()


def stopped(fleet, lay_out):
    plan = lay_out(canaries=1)
    fleet.open().add(plan.hosts)
    fleet.open().break_(plan.waves[0].hosts[0], "prove")
    with pytest.raises(Stopped):
        rollouts.begin(plan, lambda _: None)
    return plan


def test_it_shows_the_rollout_and_changes_nothing(fleet, lay_out, server):
    assert json.loads(ask(server, "/rollout.json").read())["text"].startswith("reference has no rollout")
    plan = stopped(fleet, lay_out)
    found = json.loads(ask(server, "/rollout.json").read())
    assert (found["rollout"]["id"], found["rollout"]["state"]) == (plan.id, "stopped")
    assert found["rollout"]["failed"][0].startswith("1 × prove: simulated failure")
    assert found["history"] == [{"id": plan.id, "machines": 144, "state": "stopped"}]
    assert ask(server, "/other").status == 404
    for method in ("POST", "PUT", "DELETE"):
        assert ask(server, "/rollout.json", method).status == 501


def test_another_name_for_loopback_is_refused(server):
    assert ask(server, "/rollout.json", host="attacker.example").status == 421
    assert "default-src 'none'" in ask(server, "/").getheader("Content-Security-Policy")
    assert server.server_address[0] == "127.0.0.1"


def test_a_change_is_streamed(fleet, lay_out, server):
    stream = ask(server, "/events")
    first = json.loads(stream.readline().removeprefix(b"data: "))
    assert first["rollout"] is None
    plan = stopped(fleet, lay_out)
    while True:
        line = stream.readline()
        if line.startswith(b"data: ") and json.loads(line.removeprefix(b"data: "))["rollout"]:
            break
    seen = json.loads(line.removeprefix(b"data: "))
    assert seen["rollout"]["id"] == plan.id
    stream.close()


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium on PATH")
def test_a_browser_shows_it(fleet, lay_out, server, tmp_path):
    plan = stopped(fleet, lay_out)
    words = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    done = subprocess.run(
        [*words, "--dump-dom", server.url],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert plan.id in done.stdout, done.stderr[-500:]
    assert "<li>1 × prove: simulated failure" in done.stdout
    assert 'class="failed"' in done.stdout
