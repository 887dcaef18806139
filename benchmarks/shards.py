"""`gigasite bench shards`: the same machines on one worker and on eight, side by side."""

from __future__ import annotations

import hashlib
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.compared import compare, show
from infra.cli.arguments import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.rollout.simulated import SimulatedFleet

LATENCY_S = 2.0
"""One step of one machine; a real one takes longer, which hides more of the cost of sharing the work out."""
SHARDS, MACHINES = 16, 200


def command(
    workers: Annotated[int, typer.Option(help="The larger number of workers.", min=2)] = 8,
    as_json: Json = False,
) -> None:
    """Time shards of simulated machines on one worker and on several, inside one process."""
    alone, together = _time(1), _time(workers)
    efficiency = alone / (together * workers)
    conditions = (
        f"{SHARDS} shards of {MACHINES} machines, four steps of {LATENCY_S:.0f} s each, a ledger for each "
        f"shard; dask.distributed inside one process; efficiency {efficiency:.2f} of {workers} workers"
    )
    line = compare(f"shards: {workers} workers against one", together, alone, "s", conditions)
    show([line], as_json=as_json)


def _time(workers: int) -> float:
    from infra.rollout.crews.cluster import ClusterCrew, connector  # noqa: PLC0415 (not for --help)
    from infra.rollout.crews.shards import Job  # noqa: PLC0415
    from infra.rollout.ledger import Ledger  # noqa: PLC0415
    from infra.rollout.policy import Policy  # noqa: PLC0415

    hosts = {f"tray-{number:05}": f"shard-{number // MACHINES}" for number in range(SHARDS * MACHINES)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Ledger.create_empty(folder / "ledger.sqlite")
        ledger = Ledger(folder / "ledger.sqlite")
        ledger.take()
        job = Job("bench", partial(Path, folder), Policy(), 0, partial(_world, folder))
        crew = ClusterCrew(job, ledger, hosts, connector(workers))
        crew.run(
            [host for host in hosts if hosts[host] == "shard-0"][:1], lambda *_: None
        )  # starts the cluster
        began = time.perf_counter()
        crew.run(list(hosts), lambda *_: None)
        took = time.perf_counter() - began
        crew.close()
        ledger.close()
    return took


def _world(folder: Path, hosts: Sequence[str]) -> tuple[SimulatedFleet, SimulatedFleet, Callable[[str], str]]:
    from infra.rollout.simulated import SimulatedFleet  # noqa: PLC0415

    fleet = SimulatedFleet(folder / f"{hosts[0]}.sqlite", latency=LATENCY_S, at_once=1000)
    fleet.add(hosts)
    return fleet, fleet, lambda host: hashlib.sha256(host.encode()).hexdigest()[:16]
