"""Health: each tray's own check finds nothing wrong, and Slurm runs it."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.proved_on("emulated")

# its exit status says what its output says too
REPORT = "gpu_health --json || true"
SETTLING = {"mounts"}


@pytest.mark.role("tray")
@pytest.mark.asks(REPORT)
def test_node_is_healthy(shell, facts):
    """Its health check finds nothing wrong with accelerators, links, mounts, clock, disk and memory."""
    # what is mounted settles by itself after its server came back; over a link that is down it does not
    text = shell.wait(REPORT, lambda text: not _wrong(text), lambda text: _wrong(text).keys() - SETTLING)
    assert not _wrong(text), _wrong(text)
    report = json.loads(text)
    wanted = {"links", "mounts", "time", "disk", "memory"}
    if facts.health.accelerators:
        wanted |= {"accelerators", "driver", "ecc", "nvlink", "thermal", "power", "clocks", "xid"}
    assert {name.removesuffix("_detail") for name in report if name.endswith("_detail")} == wanted


def _wrong(text):
    """What is wrong, by check; a clock that cannot be told yet is for `test_time.py`."""
    report = json.loads(text)
    names = [name.removesuffix("_detail") for name in report if name.endswith("_detail")]
    bad = [name for name in names if report[name] != "ok" and (name, report[name]) != ("time", "unknown")]
    return {name: report[f"{name}_detail"] for name in bad}


def test_slurm_runs_the_health_check(shell_on, site):
    """Slurm runs the health check on nodes in every state."""
    if site.slurm is None:
        pytest.skip("the site declares no Slurm")
    lines = shell_on(site.slurm.controller).out("scontrol show config").splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    settings = {name.strip(): value.strip() for name, value in found.items()}
    assert settings["HealthCheckProgram"] == "/usr/local/sbin/gpu_health_slurm"
    assert settings["HealthCheckNodeState"] == "CYCLE,ANY"
    assert settings["HealthCheckInterval"] == "60 sec"
