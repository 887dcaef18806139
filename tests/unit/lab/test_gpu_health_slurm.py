"""The health check under a real slurmctld and two real slurmd: they run it, and it takes nodes out and in."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from test_gpu_health import CHRONYC, FAULTS, PROGRAM, Node

pytestmark = pytest.mark.unit

NODES = ("tray-1", "tray-2")
LIMIT_S = 120
"""For Slurm's next round, every two seconds here, on a machine that is busy with other things."""
CONFIGURATION = """
ClusterName=health
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
MpiDefault=none
HealthCheckProgram={folder}/health
HealthCheckInterval=2
HealthCheckNodeState=ANY,CYCLE
NodeName=tray-1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]}
NodeName=tray-2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=main Nodes=ALL Default=YES State=UP
"""
HEALTH = """#!/bin/sh
export LD_LIBRARY_PATH={library} GIGASITE_ACCELERATOR_ROOT={folder}/$SLURMD_NODENAME
export PATH={folder}:$PATH CHRONY_SAYS='{chrony}' SLURM_CONF={folder}/slurm.conf
root={folder}/$SLURMD_NODENAME
exec {python} -S -E {program} --root $root --plan $root/plan.toml --slurm
"""


class Cluster:
    """A controller and two nodes, each with its own accelerators."""

    def __init__(self, folder, built):
        self.folder = folder
        self.daemons = []
        self.nodes = {}
        for name in NODES:
            (folder / name).mkdir()
            self.nodes[name] = Node(folder / name, built)
        (folder / "chronyc").write_text(CHRONYC)
        chrony = self.nodes["tray-1"].more["CHRONY_SAYS"]
        text = HEALTH.format(
            library=built, folder=folder, chrony=chrony, python=sys.executable, program=PROGRAM
        )
        (folder / "health").write_text(text)
        for name in ("chronyc", "health"):
            (folder / name).chmod(0o755)
        (folder / "state").mkdir()
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            for port in (one, two, three):
                port.bind(("127.0.0.1", 0))
            ports = [port.getsockname()[1] for port in (one, two, three)]
        path = folder / "slurm.conf"
        path.write_text(CONFIGURATION.format(user=getpass.getuser(), folder=folder, ports=ports))
        self.environment = {**os.environ, "SLURM_CONF": str(path)}

    def start(self):
        munge = self.folder / "munge"
        munge.mkdir(mode=0o755)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self._run(
            "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={munge}/socket",
            f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed",
        )  # fmt: skip
        self._until((munge / "socket").exists)
        self._run("slurmctld", "-D")
        for name in NODES:
            self._run("slurmd", "-D", "-N", name)
        self.wait(dict.fromkeys(NODES, ("idle", "none")))

    def _run(self, *words):
        program = shutil.which(words[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        with (self.folder / f"{len(self.daemons)}-{words[0]}.log").open("w") as log:
            self.daemons.append(
                subprocess.Popen([program, *words[1:]], env=self.environment, stdout=log, stderr=log)
            )

    def stop(self):
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def _until(self, true):
        end = time.monotonic() + LIMIT_S
        while not true() and time.monotonic() < end:
            time.sleep(0.3)

    def call(self, *words):
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)

    def states(self):
        """State and reason of each node."""
        said = self.call("sinfo", "--noheader", "--Node", "--format=%N|%T|%E").stdout
        found = [line.strip().split("|") for line in said.splitlines()]
        return {name: (state, why) for name, state, why in found}

    def wait(self, wanted):
        """Until the nodes are in these states for these reasons."""
        self._until(lambda: self.states() == wanted)
        assert self.states() == wanted


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, built):
    missing = [
        name for name in ("munged", "slurmctld", "slurmd")
        if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None
    ]  # fmt: skip
    if missing:
        pytest.fail(f"{', '.join(missing)} is not installed: see gigasite doctor")
    made = Cluster(tmp_path_factory.mktemp("slurm"), built)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_each_fault_drains_its_node_and_no_other_and_its_repair_resumes(cluster):
    """Nobody asks for it: slurmd runs the check."""
    for words, findings in FAULTS.items():
        reason = "; ".join(f"{check}: {detail}" for check, detail in findings.items())
        cluster.nodes["tray-1"].fault(words)
        cluster.wait({"tray-1": ("drained", f"gpu_health: {reason}"), "tray-2": ("idle", "none")})
        cluster.nodes["tray-1"].fault("gpu 2 clear")
        cluster.wait(dict.fromkeys(NODES, ("idle", "none")))


def test_a_node_that_a_person_drained_stays_theirs(cluster):
    theirs = ("drained", "look at the fan")
    cluster.call("scontrol", "update", "NodeName=tray-2", "State=DRAIN", "Reason=look at the fan")
    cluster.nodes["tray-2"].fault("gpu 1 hot")
    cluster.nodes["tray-1"].fault("gpu 1 hot")  # once this one is judged, the other was too
    reason = "gpu_health: thermal: gpu 1: 95 °C, it slows itself down"
    cluster.wait({"tray-1": ("drained", reason), "tray-2": theirs})
    for node in cluster.nodes.values():
        node.fault("clear")
    cluster.wait({"tray-1": ("idle", "none"), "tray-2": theirs})
    cluster.call("scontrol", "update", "NodeName=tray-2", "State=RESUME")
    cluster.wait(dict.fromkeys(NODES, ("idle", "none")))
