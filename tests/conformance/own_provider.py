"""A story of the provider `gigasite` with simulated machines, which engines tell in turns.

Not recorded, since that provider changes with this repository.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin import Outcome, World

WORLD = {"sources": {"gigasite": Path(__file__).resolve().parents[2] / "infra" / "provider"}}
PROGRAM = """
    import json, os
    import pulumi

    class Provider(pulumi.ProviderResource):
        def __init__(self, name, **props):
            super().__init__("gigasite", name, props)

    class Rack(pulumi.CustomResource):
        machines: pulumi.Output[dict]

        def __init__(self, label, opts=None, **props):
            outputs = {"machines": None, "simulated": None}
            super().__init__("gigasite:compute:Rack", label, {**outputs, **props}, opts)

    class Feed(pulumi.CustomResource):
        def __init__(self, label, opts=None, **props):
            super().__init__("gigasite:power:Feed", label, props, opts)

    want = json.loads(os.environ["TWIN_WANT"])
    simulated = Provider("simulated", site="lab", driver="simulated", latency=want["latency"])
    for index in range(want["racks"]):
        name = f"rack-{index:02}"
        feed = Feed(f"feed-{index:02}", pulumi.ResourceOptions(provider=simulated), name=f"feed-{index:02}",
                    capacity_kw=150, load_kw=want["load"])
        trays = {
            f"{name}-tray-{slot:02}": {
                "platform": "lab-vm", "slot": slot, "power": want["power"],
                "bmc": {"address": "192.0.2.1", "port": 8000 + 100 * index + slot, "credential": "bmc"},
                "uuid": f"00000000-0000-4000-8000-{index:06}{slot:06}",
            }
            for slot in range(1, want["trays"] + 1)
        }
        opts = pulumi.ResourceOptions(provider=simulated, depends_on=[feed])
        rack = Rack(name, opts, name=name, trays=trays)
        pulumi.export(name, rack.machines)
"""


def story(world: World) -> list[Outcome]:
    """Make racks, do nothing, power off, grow, declare what is not allowed, shrink, refresh, destroy."""
    world.program(PROGRAM)
    told: list[Outcome] = []
    want: dict[str, object] = {"racks": 2, "trays": 2, "load": 60, "power": "on", "latency": 0}

    def run(operation: str, *words: str, **changes: object) -> Outcome:
        want.update(changes)
        world.environment["TWIN_WANT"] = json.dumps(want)
        told.append(world.run(operation, *words))
        return told[-1]

    run("preview")
    made = run("up")
    assert made.exit_code == 0, made.said
    assert run("preview", "--expect-no-changes").exit_code == 0
    run("up", power="off")
    run("up", racks=3, trays=3)
    assert run("up", trays=0, load=-1).exit_code != 0
    run("up", racks=1, trays=1, load=60)
    run("refresh")
    run("destroy")
    assert told[-1].exit_code == 0, told[-1].said
    return told
