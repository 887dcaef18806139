"""Whatever a declaration says, it loads or is refused with places and hints; what loads can be planned."""

from __future__ import annotations

import copy
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from infra import paths
from infra.errors import Problems
from infra.plan import machines_of, plan, summary
from infra.spec import load_text

pytestmark = pytest.mark.unit

YAML_ = YAML(typ="safe", pure=True)
BASES = [
    YAML_.load((paths.ROOT / "tests" / "cases" / name / "site.yaml").read_text(encoding="utf-8"))
    for name in ("small", "exceptions")
] + [YAML_.load((paths.inventory("lab") / "site.yaml").read_text(encoding="utf-8"))]

WORDS = ["10 kW", "share", "pod-01", "rack", "site", "leaf", "1-40", "10.0.0.0/30", "fd00::/64", "north"]
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.floats(-10, 10),
    st.text("ab-0 {}:", max_size=6),
    st.sampled_from(WORDS),
    st.just([]),
    st.just({}),
    st.lists(st.integers(0, 5), max_size=3),
)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from places(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from places(part, (*path, index))


@st.composite
def declarations(draw):
    value = copy.deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(set(places(value)) - {()}, key=str)))
        at = value
        for step in path[:-1]:
            at = at[step]
        action = draw(st.sampled_from(["replace", "replace", "remove", "rename"]))
        if action == "replace":
            at[path[-1]] = draw(STRANGE)
        elif action == "rename" and isinstance(at, dict):
            at[f"{path[-1]}x"] = at.pop(path[-1])
        else:
            del at[path[-1]]
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(value, stream)
    return stream.getvalue()


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
@given(declarations())
def test_loads_or_says_where_and_why(text):
    try:
        site = load_text(text)
    except Problems as problems:
        told = problems.problems
    else:
        told = []
        whole = plan(site)
        assert summary(whole)["pods"] == site.layout.pods
        assert len(machines_of(whole)) >= whole.nodes.height
        assert whole.links.width
        assert whole.addresses.width
    assert all(problem.line >= 1 and problem.path.startswith("$") and problem.message for problem in told)


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "name: x", "a: b: c", "\t", "- 1\n- 2", "name: &a x\ntitle: *b", "{"]
)
def test_files_that_are_no_declaration(text):
    with pytest.raises(Problems):
        load_text(text)
