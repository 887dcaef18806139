"""Slurm reservations: nodes given back for maintenance, pinned to one account, taken as one block."""

from __future__ import annotations

import shlex
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infra.acceptance import cluster
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.acceptance.node import Node
    from infra.acceptance.site_nodes import SiteNodes

NAME = "gigasite-acceptance"
STATE_S = 30.0
HELD = ("maint", "resv", "reserved", "drain")
"""Beginnings of the states of a node that takes no work of others."""


@contextmanager
def reserve(head: Node, nodes: Sequence[str], *words: str) -> Iterator[str]:
    """Hold nodes by a reservation of Slurm while the block runs; its name.

    Args:
        head: runs slurmctld.
        nodes: names.
        words: of `scontrol create reservation`, such as `Users=ada`.

    Raises:
        UserError: slurmctld refuses it; then it holds none of the nodes.
    """
    drop(head)
    head.ask(
        f"scontrol create reservation ReservationName={NAME} Nodes={','.join(nodes)} "
        + " ".join(shlex.quote(word) for word in words)
    )
    try:
        yield NAME
    finally:
        drop(head)


def drop(head: Node) -> None:
    """Take our reservation away; nothing happens if there is none."""
    if any(one["ReservationName"] == NAME for one in list_reservations(head)):
        head.ask(f"scontrol delete ReservationName={NAME}")


def list_reservations(head: Node) -> list[dict[str, str]]:
    """Return slurmctld's reservations, each as its own fields."""
    lines = head.ask("scontrol --oneliner show reservation").splitlines()
    found = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
    return [one for one in found if "ReservationName" in one]


def return_node(site: SiteNodes) -> dict[str, Any]:
    """Give the node back for maintenance: Slurm holds it, and a new job does not start on it."""
    operation = _return(site, [site.node.name])
    return {"operation": {**operation, "machine_id": site.node.name}}


def return_rack(site: SiteNodes) -> dict[str, Any]:
    """Give all nodes of the node's rack back for maintenance."""
    rack = site.node.machine.rack
    if rack is None:
        raise UserError("stands in no rack", where=site.node.name)
    nodes = [one.name for one in site.trays if one.machine.rack == rack]
    return {"operation": {**_return(site, nodes), "rack_id": rack, "nodes": nodes}}


def _return(site: SiteNodes, nodes: Sequence[str]) -> dict[str, Any]:
    with reserve(site.head, nodes, *_now("MAINT,IGNORE_JOBS"), "Users=root"):
        states = _wait_held(site.head, nodes)
        waits = [not _starts(site.head, name, site.plan.site.users[0].name) for name in nodes]
    return {
        "requested": True,
        "accepted": all(state.startswith(HELD) for state in states.values()) and all(waits),
        "maintenance_mode": ", ".join(sorted(set(states.values()))),
    }


def maintenance_events(site: SiteNodes) -> dict[str, Any]:
    """Plan maintenance of the node for tomorrow; return what slurmctld has planned and under way."""
    head, name = site.head, site.node.name
    words = ("StartTime=now+1days", "Duration=60", "Flags=MAINT", "Users=root")
    with reserve(head, [name], *words):
        events = [
            {
                "machine_id": one.get("Nodes", ""),
                "status": "current" if one.get("State") == "ACTIVE" else "upcoming",
                "message": f"{one['ReservationName']}: {one.get('StartTime')} to {one.get('EndTime')}",
            }
            for one in list_reservations(head)
            if "MAINT" in one.get("Flags", "")
        ]
    return {"events_queryable": any(name == one["machine_id"] for one in events), "events": events}


def pin(site: SiteNodes) -> dict[str, Any]:
    """Pin the trays to one user: theirs are the only jobs that start there."""
    owner, other = _two_users(site)
    nodes = [one.name for one in site.trays]
    with reserve(site.head, nodes, *_now(), f"Users={owner}") as name:
        (record,) = (one for one in list_reservations(site.head) if one["ReservationName"] == name)
        apart = (
            _starts(site.head, nodes[0], owner, name)
            and not _starts(site.head, nodes[0], other, name)
            and not _starts(site.head, nodes[0], other)
        )
        pinned = record.get("Users") == owner and int(record.get("NodeCnt", 0)) == len(nodes)
    return {
        "reservation_id": name,
        "account_id": owner,
        "resources": [{"resource_id": one, "account_id": owner, "pinned": pinned} for one in nodes],
        "pinned": pinned,
        "isolation_enforced": apart,
    }


def take_block(site: SiteNodes) -> dict[str, Any]:
    """Take a topology block as a whole: one that is larger than what is there is refused whole."""
    owner, other = _two_users(site)
    rack = site.node.machine.rack or site.site
    trays = [one for one in site.trays if (one.machine.rack or site.site) == rack]
    nodes = [one.name for one in trays]
    with reserve(site.head, nodes, *_now(), f"Users={owner}") as name:
        (record,) = (one for one in list_reservations(site.head) if one["ReservationName"] == name)
        whole = int(record.get("NodeCnt", 0)) == len(nodes)
        apart = not _starts(site.head, nodes[0], other)
    refused = _refused(site.head, [*nodes, f"{nodes[-1]}-more"], owner)
    left = [one for one in list_reservations(site.head) if one["ReservationName"] == NAME]
    count = {"compute": len(nodes), "network": 0, "storage": 0}
    return {
        "topology_block": {
            "block_id": rack,
            "reservation_id": name,
            "tenant_id": owner,
            "allocated_as_unit": whole and refused and not left,
            "partial_allocation": not whole or bool(left),
            "homogeneous": len({one.machine.platform for one in trays}) == 1,
            "isolation_enforced": apart,
            "requested": count,
            "allocated": {**count, "compute": int(record.get("NodeCnt", 0))},
            "resources": [
                {
                    "resource_id": one.name,
                    "resource_type": "compute",
                    "tenant_id": owner,
                    "topology_block_id": rack,
                    "performance_domain": one.machine.platform,
                    "isolation_boundary": name,
                }
                for one in trays
            ],
        }
    }


def _now(flags: str = "IGNORE_JOBS") -> tuple[str, ...]:
    return ("StartTime=now", "Duration=10", f"Flags={flags}")


def _two_users(site: SiteNodes) -> tuple[str, str]:
    users = [one.name for one in site.plan.site.users]
    if len(users) < 2:
        raise UserError("declares fewer than two users", where=site.site)
    return users[0], users[1]


def _refused(head: Node, nodes: Sequence[str], owner: str) -> bool:
    try:
        with reserve(head, nodes, *_now(), f"Users={owner}"):
            return False
    except UserError:
        return True


def _wait_held(head: Node, nodes: Sequence[str]) -> dict[str, str]:
    """State of each node, once all are held or after a while."""
    end = time.monotonic() + STATE_S
    while True:
        lines = head.ask(f"sinfo --noheader --Node --nodes={','.join(nodes)} --format='%N %T'").splitlines()
        states = {line.split()[0]: line.split()[1] for line in lines}
        if all(state.startswith(HELD) for state in states.values()) or time.monotonic() > end:
            return states
        time.sleep(1)


def _starts(head: Node, node: str, user: str, reservation: str | None = None) -> bool:
    """Say whether a job of a user starts on a node; it is taken back either way."""
    inside = (f"--reservation={reservation}",) if reservation else ()
    try:
        job = cluster.submit(head, node, user, "--time=5", *inside)
    except UserError:
        return False  # refused at once
    try:
        end = time.monotonic() + cluster.PENDING_S
        while True:
            if cluster.job_state(head, job) == "RUNNING":
                return True
            if time.monotonic() > end:
                return False
            time.sleep(1)
    finally:
        head.ask(f"scancel {job}")
