"""Slurm: every tray is a node in service, blocks are racks, and a job runs over two trays."""

from __future__ import annotations

import shlex
import time

import pytest

from infra.plan.tables.machines import Role
from infra.verify.slurm_nodes import QUESTION, SERVING, wait_for_nodes

pytestmark = pytest.mark.proved_on("vm")


@pytest.fixture(scope="session")
def cluster(site):
    """Facts of the site's cluster."""
    if site.slurm is None:
        pytest.skip("the site declares no Slurm")
    return site.slurm


@pytest.fixture(scope="session")
def states(shell_on, cluster, found):
    """State of each node in scope."""
    nodes = [node.name for node in cluster.nodes if node.name in found.by_name and not node.pool]
    return wait_for_nodes(shell_on, cluster, nodes)


@pytest.fixture(scope="session")
def reasons(shell_on, cluster):
    """Why Slurm holds nodes out of service, by node."""
    lines = shell_on(cluster.controller).out(QUESTION).splitlines()
    return {line.split()[0]: " ".join(line.split()[2:]) for line in lines}


@pytest.mark.role("tray")
def test_node_in_service(machine, cluster, states, reasons):
    """It is a Slurm node that takes jobs, or is drained where it is set aside."""
    pools = {node.name: node.pool for node in cluster.nodes}
    state = states.get(machine.name)
    why = f"Slurm has it as {state}: {reasons.get(machine.name, 'no reason')}"
    assert state == "drained" if pools.get(machine.name) else state in SERVING, why


def test_topology(shell_on, cluster):
    """Slurm's blocks are the plan's racks."""
    lines = shell_on(cluster.controller).out("scontrol show topology").splitlines()
    fields = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
    found = {field["BlockName"]: field["Nodes"] for field in fields if "BlockName" in field}
    expand = "scontrol show hostnames"
    blocks = {
        name: set(shell_on(cluster.controller).out(f"{expand} '{nodes}'").split())
        for name, nodes in found.items()
    }
    wanted = {block.name: set(block.nodes) for block in cluster.blocks}
    assert {name: blocks.get(name) for name in wanted} == wanted


def test_job_over_trays(shell_on, cluster, site, found, states, say):  # noqa: PLR0917 (fixtures)
    """A job runs over two trays and writes its result to the shared filesystem."""
    trays = [node.name for node in cluster.nodes if node.name in found.by_name and not node.pool][:2]
    idle = [tray for tray in trays if states.get(tray) in SERVING]
    assert idle == trays, f"only {', '.join(idle) or 'none'} of {', '.join(trays)} take jobs"
    user, mount = site.users[0].name, site.mounts[0]
    result = f"{mount.mount}/.verify-{time.time_ns()}"
    # A file of its own for each task: appends of two NFS clients overwrite each other.
    step = f'echo "$SLURMD_NODENAME $(id -un)" | tee {result}.$SLURM_PROCID'
    srun = f"srun --nodes={len(trays)} --ntasks-per-node=1 --nodelist={','.join(trays)} --time=5"
    head = shell_on(cluster.controller)
    server = next(machine for machine in found.machines if machine.role is Role.STORAGE)
    try:
        printed = head.out(
            f"cd / && timeout 900 runuser --user {user} -- {srun} --immediate=600 sh -c {shlex.quote(step)}"
        )
        wanted = sorted(f"{tray} {user}" for tray in trays)
        assert sorted(printed.splitlines()) == wanted
        # read where it lies: on the storage server itself
        written = shell_on(server.name).out(f"cat {result.replace(mount.mount, mount.export, 1)}.*")
        assert sorted(written.splitlines()) == wanted
        say(f"$ {srun} …\n{printed}")
    finally:
        shell_on(server.name).run(f"rm -f {result.replace(mount.mount, mount.export, 1)}.*")
