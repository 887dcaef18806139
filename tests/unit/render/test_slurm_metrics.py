"""Metrics of Slurm: its own program, run on what sinfo and squeue print."""

from __future__ import annotations

import os
import subprocess

import machines as hand
import pytest

from infra.lab.prerequisites import program
from infra.render import render_files

pytestmark = pytest.mark.unit

NODES = """\
tray-1 idle
tray-1 idle
tray-2 mixed-
tray-3 down*
tray-4 drained
"""
"""As sinfo(1) prints them: a node once for each partition, with marks after some states."""


@pytest.fixture
def tell(facts, site, tmp_path):
    """Runs the head's program with a sinfo and a squeue that print this; returns the file's lines."""
    (text,) = [
        file.text for file in render_files(facts[hand.HEAD], site) if file.path.endswith("/slurm_metrics")
    ]
    (tmp_path / "slurm_metrics").write_text(text)
    folder = tmp_path / "bin"
    folder.mkdir()

    def run(nodes, jobs="", status=0):
        for name, said in (("sinfo", nodes), ("squeue", jobs)):
            (folder / name).write_text(f"#!/bin/sh\ncat <<'E'\n{said}E\nexit {status}\n")
            (folder / name).chmod(0o755)
        env = {"PATH": f"{folder}:{os.environ['PATH']}"}
        command = ["sh", tmp_path / "slurm_metrics", tmp_path / "slurm.prom"]
        subprocess.run(command, check=True, env=env)
        return (tmp_path / "slurm.prom").read_text()

    return run


def values(text):
    return {
        name: int(value)
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    }


def test_nodes_and_jobs_are_counted_by_state(tell):
    assert values(tell(NODES, "RUNNING\nRUNNING\nCOMPLETING\n")) == {
        "slurm_up": 1,
        'slurm_nodes{state="idle"}': 1,
        'slurm_nodes{state="mixed"}': 1,
        'slurm_nodes{state="allocated"}': 0,
        'slurm_nodes{state="draining"}': 0,
        'slurm_nodes{state="drained"}': 1,
        'slurm_nodes{state="down"}': 1,
        'slurm_jobs{state="running"}': 2,
        'slurm_jobs{state="pending"}': 0,
        'slurm_jobs{state="completing"}': 1,
    }


def test_a_controller_that_is_away_is_told_and_leaves_no_old_figures(tell, tmp_path):
    tell(NODES)
    assert values(tell("", status=1)) == {"slurm_up": 0}
    assert sorted(path.name for path in tmp_path.glob("slurm.prom*")) == ["slurm.prom"]


def test_prometheus_takes_it(tell):
    found = program("promtool")
    assert found, "promtool is not installed: see gigasite doctor"
    for text, status in ((tell(NODES), 0), ("slurm_nodes{ 1\n", 1)):
        done = subprocess.run(
            [found, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
