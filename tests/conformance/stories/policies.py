"""A policy pack: advisory, mandatory, remediating and stack policies, with settings; good and bad ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin import Outcome, World

HERE = Path(__file__).resolve().parent
WORLD = {"providers": {"conf": HERE.parent / "provider"}}
PROGRAM = """
    import json, os
    import pulumi

    class Res(pulumi.CustomResource):
        def __init__(self, name, opts=None, **props):
            super().__init__("conf:index:Res", name, {"serial": None, **props}, opts)

    for name, props in json.loads(os.environ["TWIN_WANT"]).items():
        if "key" in props:
            props = {**props, "key": pulumi.Output.secret(props["key"])}
        Res(name, **props)
"""


def story(world: World) -> list[Outcome]:
    """Advice, remediation, violations in preview, up and of the stack, changed and wrong settings."""
    disk = world.root / "cloud"
    disk.mkdir()
    (disk / "step.json").write_text("{}")
    world.environment |= {"CONF_DIR": str(disk), "CONF_PYTHON": sys.executable}
    pack = world.root / "pack"
    pack.mkdir()
    (pack / "__main__.py").write_text((HERE / "policy_pack" / "__main__.py").read_text())
    described = {"runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}, "version": "3.2.1"}
    (pack / "PulumiPolicy.yaml").write_text(json.dumps(described))
    settings = world.root / "settings.json"
    world.program(PROGRAM)
    told: list[Outcome] = []

    def run(operation: str, config: object = None, **want: object) -> Outcome:
        if want:
            world.environment["TWIN_WANT"] = json.dumps(want)
        words = ["--policy-pack", str(pack)]
        if config is not None:
            settings.write_text(json.dumps(config))
            words += ["--policy-pack-config", str(settings)]
        told.append(world.run(operation, *words))
        return told[-1]

    good = run("up", a={"size": 1, "tag": "x", "owner": "me", "key": "k-1"}, b={"size": 2})
    assert good.exit_code == 0, good.said
    assert good.state["conf:index:Res::b"]["inputs"]["owner"] == "pack"
    assert len(good.policies) == 1
    large = run("preview", a={"size": 1, "tag": "x", "owner": "me", "key": "k-1"}, b={"size": 20, "tag": "y"})
    assert large.exit_code != 0
    assert run("up").exit_code != 0
    run("up", {"small": {"limit": 30}, "tagged": "disabled"})
    run("up", {"small": {"limit": "many"}})
    run("up", {"all": "advisory"}, a={"size": 99, "open": True, "owner": "me", "key": "k-1"})
    assert told[-1].exit_code == 0, told[-1].said
    run("up", a={"open": True, "owner": "me", "key": "k-1", "tag": "x"})
    many = run("up", **{name: {"tag": "x"} for name in "abcd"})
    assert many.exit_code != 0
    return told
