"""`gigasite bench rollout`: a rollout over many simulated machines, with its time and memory."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra import paths
from infra.cli.arguments import Json

if TYPE_CHECKING:
    from infra.rollout.controller import Progress

LATENCY_S, AT_ONCE, FAILING = 0.05, 1000, 0.02


def command(
    machines: Annotated[int, typer.Argument(help="How many of the reference site's trays.")] = 100_000,
    as_json: Json = False,
) -> None:
    """Time a rollout over simulated machines: 50 ms a step, 1,000 at once, 2 % of them fail."""
    from infra.rollout import blueprint  # noqa: PLC0415 (not for --help)
    from infra.rollout.controller import Controller  # noqa: PLC0415
    from infra.rollout.crews.local import LocalCrew  # noqa: PLC0415
    from infra.rollout.gates import Gates  # noqa: PLC0415
    from infra.rollout.inventory.roster_cache import roster_at  # noqa: PLC0415
    from infra.rollout.ledger import Ledger  # noqa: PLC0415
    from infra.rollout.policy import Policy  # noqa: PLC0415
    from infra.rollout.simulated import SimulatedFleet  # noqa: PLC0415

    roster = roster_at(paths.inventory("reference") / "site.yaml")
    rows = roster.members("role_tray")[:machines]
    policy = Policy.model_validate(
        {
            "canaries": 0, "failures": "3%", "gates": [{"kind": "health"}],
            "waves": {"shape": "exponential", "size": 100, "factor": 4, "most": 4000},
            "budget": [{"domain": "rack", "most": "50%"}, {"domain": "pod", "most": "10%"}],
        }
    )  # fmt: skip
    plan = blueprint.draw(
        roster,
        rows,
        policy,
        pattern="role_tray",
        playbook="site.yml",
        content="bench",
        watts={},
        simulated=True,
    )

    def tell(progress: Progress) -> None:
        if progress.kind in {"wave", "done"}:
            print(f"wave {progress.wave} of {len(plan.waves)}: {progress.text}", file=sys.stderr)

    with tempfile.TemporaryDirectory() as folder:
        fleet = SimulatedFleet(
            Path(folder) / "fleet.sqlite", latency=LATENCY_S, at_once=AT_ONCE, failing=FAILING
        )
        fleet.add(plan.hosts)
        ledger = Ledger.create(Path(folder) / "ledger.sqlite", plan)
        ledger.take()
        gates = Gates(plan, fleet, verify=lambda *_: (True, ""), grid=list)
        began = time.perf_counter()
        crew = LocalCrew(plan.id, ledger, fleet, fleet, policy, _content)
        Controller(plan, ledger, crew, fleet, gates, roster, tell).run()
        took = time.perf_counter() - began
        counts = [wave["done"] + wave["failed"] for wave in ledger.counts().values()]
        twice = sum(1 for row in fleet.rows().values() if row["applies"] not in {0, 1})
        ledger.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    conditions = (
        f"{sum(counts):,} of {len(plan.hosts):,} machines went through or failed, {twice} were given it "
        f"twice; {len(plan.waves)} waves, {sum(wave.batches for wave in plan.waves)} batches; "
        f"{LATENCY_S * 1000:.0f} ms a step, {AT_ONCE:,} at once, {FAILING:.0%} fail"
    )
    found = [
        {"name": "rollout: time", "ours": round(took, 1), "theirs": None, "unit": "s", "ratio": None,
         "conditions": conditions},
        {"name": "rollout: memory", "ours": round(memory, 3), "theirs": None, "unit": "GiB", "ratio": None,
         "conditions": "the same run; peak resident"},
    ]  # fmt: skip
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for line in found:
        print(f"{line['name']}: {line['ours']} {line['unit']}\n  {line['conditions']}")


def _content(host: str) -> str:
    return hashlib.sha256(f"bench {host}".encode()).hexdigest()[:16]
