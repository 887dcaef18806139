"""Slurm: every tray is a node in service, blocks are racks, and a job runs over two trays."""

from __future__ import annotations

import time

import pytest

from infra.plan.machines import Role

pytestmark = pytest.mark.proved_on("vm")


@pytest.fixture(scope="session")
def cluster(site):
    """Facts of the site's cluster."""
    if site.slurm is None:
        pytest.skip("the site declares no Slurm")
    return site.slurm


@pytest.mark.role("tray")
def test_node_in_service(machine, shell_on, cluster):
    """It is a Slurm node that takes jobs."""
    shell = shell_on(cluster.controller)
    for _ in range(10):  # a node that was just started registers within seconds
        state = shell.out("sinfo --noheader --nodes %s --format %s", machine.name, "%T").split()
        if state and set(state) <= {"idle", "mixed", "allocated", "completing"}:
            return
        time.sleep(3)
    reason = shell.out("scontrol show node %s", machine.name)
    pytest.fail(f"the node is {', '.join(state) or 'unknown'}\n{reason}", pytrace=False)


def test_topology(shell_on, cluster):
    """Slurm's blocks are the plan's racks."""
    lines = shell_on(cluster.controller).out("scontrol show topology").splitlines()
    found = {
        fields["BlockName"]: fields["Nodes"]
        for line in lines
        if (fields := dict(word.split("=", 1) for word in line.split() if "=" in word)).get("BlockName")
    }
    expand = "scontrol show hostnames %s"
    blocks = {
        name: set(shell_on(cluster.controller).out(expand, nodes).split()) for name, nodes in found.items()
    }
    wanted = {block.name: set(block.nodes) for block in cluster.blocks}
    assert {name: blocks.get(name) for name in wanted} == wanted


def test_job_over_trays(shell_on, cluster, site, found, say):
    """A job runs over two trays and writes its result to the shared filesystem."""
    trays = [node.name for node in cluster.nodes][:2]
    user, mount = site.users[0].name, site.mounts[0]
    stamp = f"verify-{time.time_ns()}"
    result = f"{mount.mount}/{stamp}"
    head = shell_on(cluster.controller)
    try:
        printed = head.out(
            "cd / && runuser --user %s -- srun --nodes=%s --ntasks-per-node=1 --nodelist=%s --time=5 "
            "--immediate=120 sh -c %s",
            user, str(len(trays)), ",".join(trays), f'echo "$SLURMD_NODENAME $(id -un)" | tee -a {result}',
            seconds=240,
        )  # fmt: skip
        assert sorted(printed.split("\n")[:-1]) == sorted(f"{tray} {user}" for tray in trays)
        # read where it lies: on the storage server itself
        server = next(machine for machine in found.machines if machine.role is Role.STORAGE)
        written = shell_on(server.name).out("cat %s", f"{mount.export}/{stamp}")
        assert sorted(written.splitlines()) == sorted(f"{tray} {user}" for tray in trays)
        say(f"$ srun --nodes={len(trays)} …\n{printed}")
    finally:
        head.run("rm -f %s", result)
