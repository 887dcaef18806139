"""Remote components (Construct) and methods (Call) of Python plugins: secrets, dependencies, failures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin import Outcome, World

HERE = Path(__file__).resolve().parent
WORLD = {
    "providers": {"conf": HERE.parent / "provider"},
    "sources": {"shelf": HERE / "shelf_plugin", "crate": HERE / "crate_plugin"},
}
PROGRAM = """
    import os
    import pulumi

    class Res(pulumi.CustomResource):
        serial: pulumi.Output[str]

        def __init__(self, name, opts=None, **props):
            super().__init__("conf:index:Res", name, {"serial": None, **props}, opts)

    class Shelf(pulumi.ComponentResource):
        label: pulumi.Output[str]
        firstSerial: pulumi.Output[str]
        key: pulumi.Output[str]

        def __init__(self, name, opts=None, **props):
            outputs = {"label": None, "firstSerial": None, "key": None, "count": None}
            super().__init__("shelf:index:Shelf", name, {**outputs, **props}, opts, remote=True)

        def describe(self, **args):
            return pulumi.runtime.call("shelf:index:Shelf/describe", {"__self__": self, **args}, res=self)

    class Crate(pulumi.ComponentResource):
        serial: pulumi.Output[str]

        def __init__(self, name, opts=None, **props):
            outputs = {"serial": None, "note": None}
            super().__init__("crate:index:Crate", name, {**outputs, **props}, opts, remote=True)

        def lift(self, by):
            return pulumi.runtime.call("crate:index:Crate/lift", {"__self__": self, "by": by}, res=self)

    size = int(os.environ.get("TWIN_SIZE", "2"))
    base = Res("base", a=1)
    shelf = Shelf("shelf", label=base.serial, size=size, key=pulumi.Output.secret("k-1"),
                  opts=pulumi.ResourceOptions(protect=False, depends_on=[base]))
    Res("last", label=shelf.label, key=shelf.key)
    answer = shelf.describe(greeting=pulumi.Output.concat("hi ", base.serial))
    pulumi.export("label", shelf.label)
    pulumi.export("key", shelf.key)
    pulumi.export("count", shelf.count)
    pulumi.export("said", answer.apply(lambda a: a["text"]))
    pulumi.export("first", shelf.firstSerial)
    pulumi.export("hidden", answer.apply(lambda a: a["hidden"]))

    if os.environ.get("TWIN_CRATE"):
        weight = int(os.environ.get("TWIN_WEIGHT", "7"))
        crate = Crate("crate", weight=weight, note=pulumi.Output.secret(base.serial))
        Res("beside", crate=crate.serial, note=crate.note)
        pulumi.export("lifted", crate.lift("a crane").apply(lambda a: a["text"]))
    fail = os.environ.get("TWIN_FAIL")
    if fail == "construct":
        Shelf("broken", label="broken", size=1, key="x", opts=pulumi.ResourceOptions(depends_on=[crate]))
    if fail == "call":
        pulumi.export("stopped", shelf.describe(greeting="stop"))
    if fail == "arguments":
        pulumi.export("stopped", crate.lift(""))
"""


def story(world: World) -> list[Outcome]:
    """Preview, make, no-op, grow, shrink, failures of components and methods, refresh, destroy."""
    disk = world.root / "cloud"
    disk.mkdir()
    (disk / "step.json").write_text("{}")
    world.environment |= {"CONF_DIR": str(disk), "CONF_PYTHON": sys.executable}
    world.program(PROGRAM)
    # Without a crate: the SDK's experimental provider cannot read unknown inputs.
    told = [world.run("preview")]
    world.environment["TWIN_CRATE"] = "1"
    told.append(world.run("up"))
    assert told[-1].exit_code == 0, told[-1].said
    assert told[-1].outputs["count"] == 2
    told.append(world.run("preview", "--expect-no-changes"))
    assert told[-1].exit_code == 0, told[-1].said
    world.environment["TWIN_SIZE"] = "3"
    told.append(world.run("up"))
    assert told[-1].outputs["count"] == 3
    world.environment["TWIN_SIZE"] = "1"
    told.append(world.run("up"))
    for failure in ("construct", "call", "arguments"):
        world.environment["TWIN_FAIL"] = failure
        told.append(world.run("up"))
        assert told[-1].exit_code != 0
    world.environment |= {"TWIN_FAIL": "", "TWIN_WEIGHT": "13"}
    told.append(world.run("up"))
    assert told[-1].exit_code != 0
    world.environment["TWIN_WEIGHT"] = "8"
    told.append(world.run("up"))
    told += [world.run("refresh"), world.run("destroy")]
    assert told[-1].exit_code == 0, told[-1].said
    return told
