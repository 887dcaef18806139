"""Resource hooks: before and after create, update and delete, in previews, failing, and error hooks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin import Outcome, World

WORLD = {"providers": {"conf": Path(__file__).resolve().parent.parent / "provider"}}
PROGRAM = """
    import json, os
    import pulumi
    from pulumi import ErrorHook, ResourceHook, ResourceHookBinding, ResourceHookOptions, ResourceOptions

    SIZE = int(os.environ.get("TWIN_SIZE", "1"))
    FAILING = os.environ.get("TWIN_FAILING", "")
    NAMES = os.environ.get("TWIN_NAMES", "a tree").split()

    class Res(pulumi.CustomResource):
        serial: pulumi.Output[str]

        def __init__(self, name, opts=None, **props):
            super().__init__("conf:index:Res", name, {"serial": None, **props}, opts)

    class Tree(pulumi.ComponentResource):
        def __init__(self, name, opts=None):
            super().__init__("twin:index:Tree", name, {"size": SIZE}, opts)
            leaf = Res(f"{name}-leaf", ResourceOptions(parent=self), size=SIZE)
            self.register_outputs({"leaf": leaf.serial, "size": SIZE})

    def note(hook, args):
        entry = {"hook": hook, "name": args.name, "type": args.type, "id": bool(args.id)}
        for key in ("new_inputs", "old_inputs", "new_outputs", "old_outputs"):
            value = getattr(args, key)
            entry[key] = None if value is None else sorted(f"{k}={v}" for k, v in value.items() if k != "rev")
        with open(os.environ["TWIN_LOG"], "a") as f:
            f.write(json.dumps(entry) + "\\n")

    def made(moment, **options):
        async def run(args):
            note(moment, args)
            if FAILING == f"{moment} {args.name}":
                raise ValueError(f"{moment} did not like {args.name}")
        return ResourceHook(moment, run, ResourceHookOptions(**options))

    def retry(args):
        with open(os.environ["TWIN_LOG"], "a") as f:
            entry = {"hook": "on_error", "operation": args.failed_operation, "name": args.name,
                     "errors": [e.strip().splitlines()[-1] for e in args.errors]}
            f.write(json.dumps(entry) + "\\n")
        return len(args.errors) < 3

    moments = [f"{when}_{what}" for what in ("create", "update", "delete") for when in ("before", "after")]
    lenient = os.environ.get("TWIN_LENIENT") == "1"
    binding = ResourceHookBinding(
        **{m: [made(m, on_dry_run=m == "before_create", ignore_errors=lenient)] for m in moments},
        on_error=[ErrorHook("retry", retry)],
    )
    before = []
    for name in NAMES:
        kind = Tree if name == "tree" else Res
        more = {} if name == "tree" else {"size": SIZE, "force": os.environ.get("TWIN_FORCE", "1")}
        before = [kind(name, opts=ResourceOptions(hooks=binding, depends_on=before), **more)]
"""


def story(world: World) -> list[Outcome]:
    """A life with hooks; hooks that fail before and after, leniently too; an error hook's retries."""
    disk = world.root / "cloud"
    disk.mkdir()
    step = disk / "step.json"
    step.write_text("{}")
    log = world.root / "hooks.jsonl"
    world.environment |= {"CONF_DIR": str(disk), "CONF_PYTHON": sys.executable, "TWIN_LOG": str(log)}
    world.program(PROGRAM)
    told: list[Outcome] = []

    def run(operation: str, *words: str, **settings: str) -> Outcome:
        log.write_text("")
        world.environment.update({f"TWIN_{key.upper()}": value for key, value in settings.items()})
        outcome = world.run(operation, *words)
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        outcome.outputs = {"hooks": sorted(entries, key=lambda one: one["name"])}
        told.append(outcome)
        return outcome

    assert [one["hook"] for one in run("preview").outputs["hooks"]] == ["before_create", "before_create"]
    up = run("up")
    assert up.exit_code == 0, up.said
    assert len(up.outputs["hooks"]) == 4
    run("preview", "--expect-no-changes")
    run("up", size="2")
    run("up", failing="before_update a", size="3")
    run("up", failing="after_update a", size="4")
    run("up", failing="after_update a", size="5", lenient="1")
    run("up", failing="before_delete tree", names="a", lenient="0")
    run("up", failing="", names="a")
    step.write_text(json.dumps({"faults": [{"method": "create", "name": "c", "message": "no room"}]}))
    run("up", names="a c")
    step.write_text("{}")
    run("destroy", "--run-program")
    return told
