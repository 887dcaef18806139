"""Transforms of resources and invokes: on the stack, a component and a resource; async; failing ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin import Outcome, World

WORLD = {"providers": {"conf": Path(__file__).resolve().parent.parent / "provider"}}
PROGRAM = """
    import os
    import pulumi
    from pulumi import ResourceOptions, ResourceTransformArgs, ResourceTransformResult
    from pulumi.runtime import register_invoke_transform, register_resource_transform

    MODE = os.environ.get("TWIN_MODE", "")
    EDIT = int(os.environ.get("TWIN_EDIT", "1"))

    class Res(pulumi.CustomResource):
        serial: pulumi.Output[str]

        def __init__(self, name, opts=None, **props):
            super().__init__("conf:index:Res", name, {"serial": None, **props}, opts)

    class Tree(pulumi.ComponentResource):
        def __init__(self, name, opts=None):
            super().__init__("twin:index:Tree", name, {}, opts)
            self.leaf = Res(f"{name}-leaf", opts=ResourceOptions(parent=self), kind="leaf")
            self.register_outputs({"leaf": self.leaf.serial})

    def stamp(args: ResourceTransformArgs):
        if args.type_ != "conf:index:Res":
            return None
        order = [*args.props.get("order", []), "stack"]
        return ResourceTransformResult({**args.props, "edit": EDIT, "order": order}, args.opts)

    async def protect_leaves(args):
        if args.type_ == "conf:index:Res" and args.props.get("kind") == "leaf":
            order = [*args.props.get("order", []), "component"]
            opts = ResourceOptions.merge(args.opts, ResourceOptions(protect=True))
            return ResourceTransformResult({**args.props, "order": order}, opts)

    def own(args):
        order = [*args.props.get("order", []), "own"]
        opts = ResourceOptions.merge(
            args.opts,
            ResourceOptions(
                ignore_changes=["edit"], additional_secret_outputs=["serial"], retain_on_delete=True
            ),
        )
        return ResourceTransformResult({**args.props, "order": order}, opts)

    def depends(args):
        opts = ResourceOptions.merge(args.opts, ResourceOptions(depends_on=[base]))
        more = {"of": base.serial, "hidden": pulumi.Output.secret("h")}
        return ResourceTransformResult({**args.props, **more}, opts)

    def fails(args):
        if args.name == "poor":
            raise ValueError("no transform for the poor")
        return None

    async def louder(args):
        return pulumi.InvokeTransformResult({**args.args, "key": str(args.args.get("key")) + "!"}, args.opts)

    register_resource_transform(stamp)
    register_invoke_transform(louder)
    base = Res("base", order=[])
    tree = Tree("tree", ResourceOptions(transforms=[protect_leaves]))
    mine = Res("mine", ResourceOptions(transforms=[own]), order=["program"])
    Res("after", ResourceOptions(transforms=[depends]), order=[])
    answer = pulumi.runtime.invoke_output("conf:index:lookup", {"key": "hello"})
    pulumi.export("answer", answer)
    pulumi.export("serial", mine.serial)
    if MODE == "fails":
        Res("poor", ResourceOptions(transforms=[fails], depends_on=[base, tree, mine]))
"""


def story(world: World) -> list[Outcome]:
    """Preview, make, no-op, change what a transform puts in, a transform that fails, then the end."""
    disk = world.root / "cloud"
    disk.mkdir()
    (disk / "step.json").write_text("{}")
    world.environment |= {"CONF_DIR": str(disk), "CONF_PYTHON": sys.executable}
    world.program(PROGRAM)
    told = [world.run("preview"), world.run("up")]
    assert told[-1].exit_code == 0, told[-1].said
    assert told[-1].state["conf:index:Res::mine"]["inputs"]["order"] == ["program", "own", "stack"]
    assert told[-1].state["twin:index:Tree$conf:index:Res::tree-leaf"]["protect"] is True
    told.append(world.run("preview", "--expect-no-changes"))
    assert told[-1].exit_code == 0, told[-1].said
    world.environment["TWIN_EDIT"] = "2"
    told.append(world.run("up"))
    assert told[-1].state["conf:index:Res::mine"]["inputs"]["edit"] == 1
    world.environment["TWIN_MODE"] = "fails"
    told.append(world.run("up"))
    assert told[-1].exit_code != 0
    told.append(world.run("destroy"))
    assert told[-1].exit_code != 0  # the leaf is protected
    return told
