"""States of a cluster's nodes as Slurm tells them, and waiting for those that are about to serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from infra.render.scheduler import SlurmFacts
    from infra.verify.shell import Shell

SERVING = frozenset({"idle", "mixed", "allocated", "completing"})
TAKEN_OUT = ("drain", "fail", "maint", "reserved")
"""Beginnings of states that a node leaves only when a person or `up` says so."""
HEALTH = " gpu_health: "
"""What the reasons begin with that a node's own health check gives."""
QUESTION = "sinfo --noheader --Node --format '%N %T %E'"
"""Asks for name, state and reason of each node."""


def read_states(text: str, cluster: SlurmFacts) -> dict[str, str]:
    """Return state by node; one that does not answer has an asterisk behind its state and takes no job."""
    found = {line.split()[0]: line.split()[1] for line in text.splitlines()}
    return {node.name: found.get(node.name, "unknown*") for node in cluster.nodes}


def wait_for_nodes(
    shell_on: Callable[[str], Shell], cluster: SlurmFacts, nodes: Collection[str]
) -> dict[str, str]:
    """Return the state of each node of a cluster once these serve, or cannot be hoped to.

    Waits for nodes that have just been started and are not known yet, as long as their machine answers, and
    for those that the health check took out and that are well by now: it comes round each minute and resumes
    them.

    Args:
        shell_on: gives the shell of a machine.
        cluster: the cluster.
        nodes: those that shall serve.
    """

    def settled(text: str) -> bool:
        return all(read_states(text, cluster)[name] in SERVING for name in nodes)

    def hopeless(text: str) -> bool:
        known = read_states(text, cluster)
        mended = {line.split()[0] for line in text.splitlines() if HEALTH in line and _well(shell_on, line)}
        others = {name: known[name] for name in nodes if known[name] not in SERVING and name not in mended}
        return any(state.startswith(TAKEN_OUT) or shell_on(name).away for name, state in others.items())

    return read_states(shell_on(cluster.controller).wait(QUESTION, settled, hopeless), cluster)


def _well(shell_on: Callable[[str], Shell], line: str) -> bool:
    return shell_on(line.split(maxsplit=1)[0]).run("gpu_health").status == 0
