"""What any run leaves, whole or failed or cut off: each object once, each reference to something there.

Random graphs are changed (properties, renames and moves with aliases, removals) under targets, excludes and
failures. SNAPSHOT_EXAMPLES says how many histories are tried; without it, always the same 80 (a fifth of
a second of the processor each).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

from infra.engine import EngineError, Options, run
from infra.engine.backend import journal
from infra.engine.backend.backend import FileBackend
from infra.engine.backend.replay import replay
from infra.engine.events import DiagnosticEvent
from infra.engine.resource import integrity
from infra.engine.resource.stack_ref import StackRef

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.conformance
EXAMPLES = int(os.environ.get("SNAPSHOT_EXAMPLES", "0"))
MEMORY = Path("/dev/shm")  # noqa: S108 (where nothing waits for a disk: each run syncs a dozen times)
REF = StackRef("graph", "dev")
PROVIDER = """
import json, os
from pathlib import Path
import grpc
from benchmarks.boxes.provider import in_process

class Servicer(in_process.Servicer):
    def _effect(self, context, method, urn, id_):
        faults = json.loads(Path(os.environ["GRAPH"]).read_text())["faults"]
        if f"{method} {urn.rpartition('::')[2]}" in faults:
            context.abort(grpc.StatusCode.UNKNOWN, "planted")
        return super()._effect(context, method, urn, id_)

def servicer():
    return Servicer()
"""
PROGRAM = """
import json, os
from pathlib import Path
import pulumi
from pulumi import Alias, ResourceOptions

class Item(pulumi.CustomResource):
    def __init__(self, name, props, opts):
        super().__init__("box:index:Item", name, {"serial": None, **props}, opts)

class Tree(pulumi.ComponentResource):
    def __init__(self, name, opts):
        super().__init__("box:index:Tree", name, {}, opts)

class Provider(pulumi.ProviderResource):
    def __init__(self, name, opts):
        super().__init__("box", name, {}, opts)

made = {}
for node in json.loads(Path(os.environ["GRAPH"]).read_text())["nodes"]:
    key, name, kind = node["key"], node["name"], node["kind"]
    def found(field, kinds):
        return [made[one] for one in node[field] if isinstance(made.get(one), kinds)]
    trees = found("parent", Tree)
    aliases = [Alias(name=was) for was in node["was"]]
    if node["moved"]:
        aliases += [Alias(name=was, parent=None) for was in [*node["was"], name]]
    opts = ResourceOptions(aliases=aliases, parent=trees[0] if trees else None)
    if kind == "Provider":
        made[key] = Provider(name, opts)
        continue
    opts.depends_on = found("depends_on", (Item, Tree))
    if kind == "Tree":
        made[key] = Tree(name, opts)
        continue
    opts.provider = next(iter(found("provider", Provider)), None)
    opts.deleted_with = next(iter(found("deleted_with", Item)), None)
    props = {"size": node["size"], "site": node["site"], "zone": node["zone"]}
    props |= {f"from{index}": one.serial for index, one in enumerate(found("uses", Item))}
    made[key] = Item(name, props, opts)
"""

KEYS = [f"n{number}" for number in range(6)]
some = st.lists(st.sampled_from(KEYS), max_size=2, unique=True)
one = st.lists(st.sampled_from(KEYS), max_size=1)
Node = dict[str, Any]


def node(key: str) -> st.SearchStrategy[Node]:
    return st.fixed_dictionaries(
        {
            "key": st.just(key), "name": st.just(key), "was": st.just([]), "moved": st.just(False),
            "kind": st.sampled_from(["Item", "Item", "Item", "Item", "Tree", "Provider"]),
            "size": st.integers(0, 1), "site": st.just("a"), "zone": st.just("a"),
            "parent": one, "depends_on": some, "uses": some, "provider": one, "deleted_with": one,
        }
    )  # fmt: skip


@st.composite
def edits(draw: st.DrawFn, graph: list[Node]) -> list[Node]:
    """The graph of the next run."""
    following = []
    for old in graph:
        new = {**old, "was": [], "moved": False}
        for fate in draw(st.lists(st.sampled_from(["rename", "change", "replace", "move"]), max_size=2)):
            if fate == "rename":
                new |= {"name": f"{old['name']}x", "was": [old["name"]]}
            elif fate == "change":
                new["size"] = old["size"] + 1
            elif fate == "replace":
                place = draw(st.sampled_from(["site", "zone"]))
                new[place] = f"{old[place]}b"
            elif not old["parent"]:
                new |= {"parent": draw(one), "moved": True}
        if draw(st.integers(0, 5)):
            following.append(new)
    return following


@st.composite
def limits(draw: st.DrawFn, nodes: list[Node]) -> dict[str, Any]:
    """Targets or excludes, and which calls fail; the names are those of the program."""
    names = [one["name"] for one in nodes] or ["none"]
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    kind = draw(st.sampled_from(["all", "all", "targets", "excludes"]))
    calls = st.tuples(st.sampled_from(["create", "update", "delete"]), st.sampled_from(names))
    failing = draw(st.lists(calls, max_size=2))
    return {
        "kind": kind, "names": chosen, "dependents": draw(st.booleans()), "go on": draw(st.booleans()),
        "faults": [" ".join(pair) for pair in failing],
    }  # fmt: skip


Step = tuple[list[Node], dict[str, Any]]
FREE: dict[str, Any] = {"kind": "all", "names": [], "dependents": False, "go on": False, "faults": []}


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    graph = [draw(node(key)) for key in draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=2))]
    history = [(graph, FREE)]
    for _ in range(2):
        graph = draw(edits(graph))
        history.append((graph, draw(limits(graph))))
    return history


class Stack:
    """A stack and the objects that its provider has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "provider").mkdir()
        (folder / "provider" / "in_process.py").write_text(PROVIDER)
        (folder / "provider" / "PulumiPlugin.yaml").write_text("runtime: python\n")
        (folder / "prog").mkdir()
        (folder / "prog" / "__main__.py").write_text(PROGRAM)
        plugins = {"providers": [{"name": "box", "path": "provider"}]}
        project = {"name": "graph", "runtime": "python", "main": "prog", "plugins": plugins}
        (folder / "Pulumi.yaml").write_text(json.dumps(project))
        os.environ |= {
            "PULUMI_BACKEND_URL": f"file://{folder}", "PULUMI_CONFIG_PASSPHRASE": "",
            "GRAPH": str(folder / "graph.json"), "BOX_LOG": str(folder / "log"),
        }  # fmt: skip
        self.backend = FileBackend(f"file://{folder}")
        self.backend.init(REF)
        self.prefixes: list[bytes] = []
        self.said: list[str] = []

    def up(self, nodes: list[Node], limit: dict[str, Any], **more: Any) -> int:
        (self.folder / "graph.json").write_text(json.dumps({"nodes": nodes, "faults": limit["faults"]}))
        urns = tuple(f"**::{name}" for name in limit["names"])
        options = Options(
            in_process=True,
            parallel=2,
            continue_on_error=limit["go on"],
            targets=urns if limit["kind"] == "targets" else (),
            target_dependents=limit["kind"] == "targets" and limit["dependents"],
            excludes=urns if limit["kind"] == "excludes" else (),
            exclude_dependents=limit["kind"] == "excludes" and limit["dependents"],
            **more,
        )
        self.said.clear()

        def hear(event: object) -> None:
            if isinstance(event, DiagnosticEvent) and event.severity in ("error", "warning"):
                self.said.append(event.message)

        with self.watched():
            result = run("up", project_dir=self.folder, stack="dev", options=options, on_event=hear)
        return result.exit_code

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Keep each prefix of the journal, with what the provider had by then."""
        self.prefixes.clear()
        append = journal.Journal._append

        def recorded(writer: journal.Journal, record: Any) -> None:
            append(writer, record)
            self.prefixes.append(writer.path.read_bytes())

        with mock.patch.object(journal.Journal, "_append", recorded):
            yield

    def living(self) -> set[str]:
        alive: set[str] = set()
        log = self.folder / "log"
        for line in log.read_text().splitlines() if log.exists() else ():
            _, method, _, identity = line.split("\t")
            if method == "create":
                alive.add(identity)
            elif method == "delete":
                alive.discard(identity)
        return alive

    def resources(self) -> list[dict[str, Any]]:
        return list(self.backend.read(REF).resources)


def judge(resources: list[dict[str, Any]], where: str) -> None:
    """Each id at most once, each reference to something that stands before it."""
    assert not list(integrity.problems_of(resources)), where
    ids = Counter(one["id"] for one in resources if one.get("id") and one["type"] == "box:index:Item")
    assert not [identity for identity, count in ids.items() if count > 1], where


def edges_of(resources: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The id of each live item to the ids that it depends on, by whatever URN."""
    by_urn = {one["urn"]: one.get("id", "") for one in resources if not one.get("delete")}
    return {
        one["id"]: [by_urn[urn] for urn in one.get("dependencies", ()) if by_urn.get(urn)]
        for one in resources
        if one["type"] == "box:index:Item" and not one.get("delete")
    }


def check(history: list[Step]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="graph-", dir=MEMORY if MEMORY.is_dir() else None) as folder,
        mock.patch.dict(os.environ),
    ):
        stack = Stack(Path(folder))
        before: list[dict[str, Any]] = []
        left: set[str | None] = set()
        base = stack.backend.files(REF).read() or b""
        for nodes, limit in history:
            try:
                code = stack.up(nodes, limit)
            except EngineError as error:
                note(str(error))
                raise
            after = stack.resources()
            note(f"exit {code}: {stack.said}")
            judge(after, f"the state after {limit}")
            items = {
                one["id"]
                for one in after
                if one["type"] == "box:index:Item" and not one.get("pendingReplacement")
            }
            assert items <= stack.living(), "recorded, and gone"
            # Those that go with another object are not deleted by a call of their own.
            goes = {one.get("id") for one in [*before, *after] if one.get("deletedWith")}
            assert not stack.living() - items - goes - left, "there, and not recorded"
            left |= goes
            untouched(limit, before, after)
            cut_off(stack, base, before)
            before, base = after, stack.backend.files(REF).read() or b""
        nodes = history[-1][0]
        assert stack.up(nodes, FREE) == 0, stack.said
        assert stack.up(nodes, FREE, expect_no_changes=True) == 0, stack.said
        judge(stack.resources(), "the state in the end")


def untouched(limit: dict[str, Any], before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """What was excluded still depends on the objects that it depended on, as far as they are there."""
    had, have = edges_of(before), edges_of(after)
    for one in after if limit["kind"] == "excludes" else ():
        if one["urn"].rpartition("::")[2] in limit["names"] and one.get("id") in had.keys() & have.keys():
            assert {other for other in had[one["id"]] if other in have} <= {*have[one["id"]]}, one["urn"]


def cut_off(stack: Stack, base: bytes, before: list[dict[str, Any]]) -> None:
    """Wherever the run had been killed: what is recovered holds together, and lost no edge for an alias."""
    deployment = json.loads(base)["checkpoint"]["latest"]
    had = edges_of(before)
    for number, content in enumerate(stack.prefixes):
        told = replay(content, base, deployment)
        if told.deployment is None:
            continue
        resources = told.deployment.get("resources") or []
        judge(resources, f"recovered after {number} records")
        have = edges_of(resources)
        alive = {one.get("id") for one in resources if not one.get("delete")}
        for identity in had.keys() & have.keys():
            one = next(r for r in resources if r.get("id") == identity)
            if one in before:  # nobody has touched it yet
                kept = [other for other in had[identity] if other in alive]
                assert set(kept) <= set(have[identity]), f"record {number}: {one['urn']} lost an edge"


ITEM: Node = {
    "kind": "Item", "was": [], "moved": False, "size": 0, "site": "a", "zone": "a", "parent": [],
    "depends_on": [], "uses": [], "provider": [], "deleted_with": [],
}  # fmt: skip
A, C = ITEM | {"key": "n0", "name": "n0"}, ITEM | {"key": "n1", "name": "n1", "depends_on": ["n0"]}
RENAMED = [A | {"name": "n0x", "was": ["n0"]}, C]


@settings(
    max_examples=EXAMPLES or 80,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=list(HealthCheck),
)
@given(histories())
@example([([A, C], FREE), (RENAMED, FREE | {"kind": "excludes", "names": ["n1"]})])
@example([([A, C], FREE), (RENAMED, FREE | {"kind": "targets", "names": ["n0x"]})])
@example([([A, C], FREE), ([A | {"zone": "b"}, C], FREE | {"go on": True, "faults": ["delete n0"]})])
def test_every_run_leaves_each_object_once_and_no_loose_end(history: list[Step]) -> None:
    check(history)
