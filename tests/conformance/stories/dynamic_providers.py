"""Python dynamic providers: every method, with secrets, a replacement, a failure and a refresh."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin import Outcome, World

PROGRAM = """
    import json, os
    import pulumi
    from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, Resource
    from pulumi.dynamic import ResourceProvider, UpdateResult, ConfigureRequest

    DISK = os.environ["TWIN_DISK"]

    def disk():
        try:
            with open(DISK) as f:
                return json.load(f)
        except FileNotFoundError:
            return {"made": 0, "files": {}, "calls": []}

    def keep(content):
        with open(DISK, "w") as f:
            json.dump(content, f)

    class FileProvider(ResourceProvider):
        def configure(self, request: ConfigureRequest):
            self.owner = request.config.get("twin:owner")

        def check(self, olds, news):
            failures = [] if news.get("text") != "bad" else [CheckFailure("text", "is bad")]
            return CheckResult({**news, "checked": True}, failures)

        def diff(self, id_, olds, news):
            changed = [k for k in ("text", "place", "tags") if olds.get(k) != news.get(k)]
            return DiffResult(changes=bool(changed), replaces=["place"] if "place" in changed else [],
                              stables=["number"], delete_before_replace=news.get("first", False))

        def create(self, props):
            if props["text"].startswith("no room"):
                raise Exception("there is no room for it")
            content = disk()
            content["made"] += 1
            id_ = f"{props['place']}-{content['made']}"
            content["files"][id_] = props["text"]
            content["calls"].append(f"create {id_}")
            keep(content)
            return CreateResult(id_, {**props, "number": content["made"], "owner": self.owner})

        def read(self, id_, props):
            content = disk()
            if id_ not in content["files"]:
                return ReadResult("", {})
            return ReadResult(id_, {**props, "text": content["files"][id_]})

        def update(self, id_, olds, news):
            content = disk()
            content["files"][id_] = news["text"]
            content["calls"].append(f"update {id_} {olds['text']} -> {news['text']}")
            keep(content)
            return UpdateResult({**news, "number": olds["number"], "owner": self.owner})

        def delete(self, id_, props):
            content = disk()
            del content["files"][id_]
            content["calls"].append(f"delete {id_} {props['text']}")
            keep(content)

    class File(Resource):
        number: pulumi.Output[int]
        text: pulumi.Output[str]

        def __init__(self, name, text, place="here", opts=None, **more):
            props = {"text": text, "place": place, "number": None, "owner": None, **more}
            super().__init__(FileProvider(), name, props, opts)

    WANT = json.loads(os.environ["TWIN_WANT"])
    made = {}
    for name, args in WANT.items():
        args = dict(args)
        after = args.pop("after", None)
        if args.pop("secret", False):
            args["text"] = pulumi.Output.secret(args["text"])
        if after:
            args["text"] = pulumi.Output.concat(args["text"], " after ", made[after].number.apply(str))
        made[name] = File(name, **args)
    for name, one in made.items():
        pulumi.export(name, {"text": one.text, "number": one.number})
"""


def story(world: World) -> list[Outcome]:
    """Create, no-op, update, replace in both orders, fail to check and to create, refresh, destroy."""
    disk = world.root / "disk.json"
    world.environment["TWIN_DISK"] = str(disk)
    world.program(PROGRAM).config({"twin:owner": "ops"})
    told: list[Outcome] = []

    def run(operation: str, *words: str, **want: object) -> Outcome:
        if want:
            world.environment["TWIN_WANT"] = json.dumps(want)
        told.append(world.run(operation, *words))
        return told[-1]

    first = {"text": "one", "tags": ["x", {"y": 1}]}
    second = {"text": "two", "after": "a", "secret": True}
    run("preview", a=first, b=second)
    made = run("up", a=first, b=second)
    assert made.exit_code == 0, made.said
    assert run("preview", "--expect-no-changes").exit_code == 0
    run("up", a={**first, "text": "uno"}, b=second)
    run("up", a={**first, "text": "uno", "place": "there"}, b={**second, "place": "there", "first": True})
    bad = run("up", a={**first, "text": "bad", "place": "there"})
    assert bad.exit_code != 0
    full = run("up", a={**first, "text": "uno", "place": "there"}, c={"text": "no room", "after": "a"})
    assert full.exit_code != 0
    content = json.loads(disk.read_text())
    content["files"] = dict.fromkeys(content["files"], "drifted")
    disk.write_text(json.dumps(content))
    run("refresh")
    run("up", a={**first, "text": "uno", "place": "there"})
    run("destroy")
    content = json.loads(disk.read_text())
    told[-1].outputs["calls"] = content["calls"]
    assert content["files"] == {}
    return told
