"""Either engine finds nothing to do after the other: random resource graphs and edits of them.

With the Pulumi CLI on PATH the two engines take turns; elsewhere that part is skipped, and the engine's two
ways to run a program (a process of its own, the engine's process) take turns. `INTERCHANGE_EXAMPLES` says how
many graphs are tried; without it, they are always the same few.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

import own_provider  # noqa: E402
import twin  # noqa: E402

pytestmark = pytest.mark.conformance
EXAMPLES = int(os.environ.get("INTERCHANGE_EXAMPLES", "3"))
PROGRAM = """
    import json, os
    import pulumi
    from pulumi import Alias, CustomTimeouts, Output, ResourceOptions, StringAsset

    class Res(pulumi.CustomResource):
        serial: Output[str]

        def __init__(self, name, opts=None, kind="Res", **props):
            super().__init__(f"conf:index:{kind}", name, {"serial": None, **props}, opts)

    class Tree(pulumi.ComponentResource):
        def __init__(self, name, opts=None):
            super().__init__("twin:index:Tree", name, {}, opts)

    class Provider(pulumi.ProviderResource):
        def __init__(self, name, **props):
            super().__init__("conf", name, props)

    made = {}

    def value(given):
        if isinstance(given, list):
            return [value(item) for item in given]
        if not isinstance(given, dict):
            return given
        if "$secret" in given:
            return Output.secret(value(given["$secret"]))
        if "$asset" in given:
            return StringAsset(given["$asset"])
        if "$of" in given:
            return getattr(made.get(given["$of"]), "serial", "nothing")
        return {key: value(item) for key, item in given.items()}

    def found(names):
        return [made[name] for name in names if name in made]

    for node in json.load(open(os.environ["TWIN_GRAPH"])):
        name, options = node["name"], dict(node.get("options", {}))
        if node["kind"] == "Provider":
            made[name] = Provider(name, **node["props"])
            continue
        parent = found(options.pop("parent", []))
        provider = [one for one in found(options.pop("provider", [])) if isinstance(one, Provider)]
        trees = [one for one in parent if isinstance(one, Tree)]
        options["depends_on"] = found(options.pop("depends_on", []))
        with_ = found(options.pop("deleted_with", []))
        if "timeouts" in options:
            options["custom_timeouts"] = CustomTimeouts(**options.pop("timeouts"))
        if "was" in options:
            options["aliases"] = [Alias(name=options.pop("was"))]
        opts = ResourceOptions(
            **options,
            parent=trees[0] if trees else None,
            provider=provider[0] if provider and node["kind"] != "Tree" else None,
            deleted_with=with_[0] if with_ else None,
        )
        if node["kind"] == "Tree":
            made[name] = Tree(name, opts)
            made[name].serial = Output.from_input(name)
        else:
            made[name] = Res(name, opts, node["kind"], **{k: value(v) for k, v in node["props"].items()})
    for one in made.values():
        if isinstance(one, Tree):
            one.register_outputs({"label": "tree"})
    for name, one in made.items():
        if isinstance(one, Res):
            pulumi.export(name, one.serial)
"""

names = [f"n{number}" for number in range(7)]
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
plain = st.one_of(
    st.booleans(), st.integers(-(2**40), 2**40), st.floats(-1e9, 1e9).map(lambda x: round(x, 3)), texts
)
values = st.recursive(
    st.one_of(
        plain,
        st.builds(lambda text: {"$secret": text}, plain),
        # The CLI itself cannot read back an asset whose text is empty.
        st.builds(lambda text: {"$asset": text}, texts.filter(bool)),
        st.builds(lambda name: {"$of": name}, st.sampled_from(names)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["x", "y.z", "w"]), inner, max_size=2)
    ),
    max_leaves=4,
)
some = st.lists(st.sampled_from(names), max_size=2, unique=True)
one = st.lists(st.sampled_from(names), max_size=1)
options = st.fixed_dictionaries(
    {},
    optional={
        "parent": one,
        "provider": one,
        "depends_on": some,
        "deleted_with": one,
        "protect": st.just(False),
        "ignore_changes": st.just(["a"]),
        "retain_on_delete": st.booleans(),
        "delete_before_replace": st.booleans(),
        "additional_secret_outputs": st.just(["serial"]),
        "replace_on_changes": st.just(["b"]),
        "timeouts": st.just({"create": "5m"}),
    },
)
properties = st.dictionaries(st.sampled_from(["a", "b", "c", "site", "zone"]), values, max_size=3)


def node(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """A resource, a component or a provider of that name."""
    return st.one_of(
        *[
            st.fixed_dictionaries(
                {
                    "name": st.just(name),
                    "kind": st.sampled_from(["Res", "Res", "Plain", "Loose"]),
                    "props": properties,
                    "options": options,
                }
            )
        ]
        * 4,
        st.fixed_dictionaries(
            {"name": st.just(name), "kind": st.just("Tree"), "props": st.just({}), "options": options}
        ),
        st.fixed_dictionaries(
            {"name": st.just(name), "kind": st.just("Provider"), "props": st.just({"region": "here"})}
        ),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """A graph and edits of it: nodes come, go, change and are renamed."""
    graph = [draw(node(name)) for name in draw(st.lists(st.sampled_from(names), unique=True, min_size=4))]
    history = [graph]
    for _ in range(2):
        following = []
        for old in history[-1]:
            fate = draw(st.sampled_from(["keep", "keep", "change", "remove", "rename"]))
            if fate == "keep":
                following.append(old)
            elif fate == "change" and old["kind"] not in ("Tree", "Provider"):
                following.append({**old, "props": draw(properties)})
            elif fate == "rename" and old["kind"] not in ("Tree", "Provider") and "was" not in old["options"]:
                following.append(
                    {**old, "name": old["name"] + "r", "options": {**old["options"], "was": old["name"]}}
                )
        taken = {one["name"].rstrip("r") for one in following}
        fresh = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
        following += [draw(node(name)) for name in fresh if name not in taken]
        history.append(following)
    return history


def take_turns(history: list[list[dict[str, Any]]], engines: tuple[str, str]) -> None:
    """Make each graph with one engine, and let the other find nothing to do; then they change places."""
    with tempfile.TemporaryDirectory(prefix="interchange-") as temporary:
        root = Path(temporary)
        cloud, graph = root / "cloud", root / "graph.json"
        cloud.mkdir()
        (cloud / "step.json").write_text("{}")
        world = twin.World(
            root / "world",
            providers={"conf": HERE / "provider"},
            environment={"CONF_DIR": str(cloud), "CONF_PYTHON": sys.executable, "TWIN_GRAPH": str(graph)},
        )
        world.program(PROGRAM)
        for number, nodes in enumerate(history):
            graph.write_text(json.dumps(nodes))
            maker, other = engines[number % 2], engines[1 - number % 2]
            made = world.on(maker).run("up")
            assert made.exit_code == 0, f"{maker} up: {made.said}"
            seen = world.on(other).run("preview", "--expect-no-changes")
            assert seen.exit_code == 0, f"{other} after {maker}: {seen.changes}\n{seen.said}"
        gone = world.on(engines[0]).run("destroy")
        assert gone.exit_code == 0, gone.said
        assert not gone.state, gone.state


relaxed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="INTERCHANGE_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.skipif(twin.CLI is None, reason="the Pulumi CLI is not on PATH")
@relaxed
@given(histories())
def test_the_cli_and_the_embedded_engine(history: list[list[dict[str, Any]]]) -> None:
    take_turns(history, ("embedded", "cli"))


@pytest.mark.skipif(twin.CLI is None, reason="the Pulumi CLI is not on PATH")
@relaxed
@given(histories())
def test_the_embedded_engine_and_the_cli(history: list[list[dict[str, Any]]]) -> None:
    take_turns(history, ("cli", "in-process"))


@relaxed
@given(histories())
def test_both_ways_to_run_a_program(history: list[list[dict[str, Any]]]) -> None:
    take_turns(history, twin.EMBEDDED)


class Turning(twin.World):
    """A project whose runs the engines do in turns."""

    engines: tuple[str, str]

    def run(self, operation: str, *words: str, limit: float = twin.LIMIT) -> twin.Outcome:
        self.engines = self.engines[::-1]
        return self.on(self.engines[0]).run_once(operation, *words, limit=limit)

    run_once = twin.World.run


@pytest.mark.parametrize(
    "engines",
    [
        pytest.param(("embedded", "in-process"), id="ours"),
        pytest.param(
            ("in-process", "cli"),
            id="cli",
            marks=pytest.mark.skipif(twin.CLI is None, reason="the Pulumi CLI is not on PATH"),
        ),
    ],
)
def test_the_own_provider(engines: tuple[str, str], tmp_path: Path) -> None:
    world = Turning(tmp_path / "world", **own_provider.WORLD)
    world.engines = engines
    own_provider.story(world)
