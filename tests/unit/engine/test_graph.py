"""The order of a snapshot: dependents, deletes in groups, sorting; on small graphs and on random ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.engine.deploy.snapshot import drop_dangling_references
from infra.engine.resource.graph import DependencyGraph, topological
from infra.engine.resource.state import ResourceState
from infra.engine.resource.targets import Targets

pytestmark = pytest.mark.unit


def state(name: str, *dependencies: str, parent: str = "", custom: bool = True) -> ResourceState:
    return ResourceState(
        urn=urn(name), type="p:m:T", custom=custom, id=name, parent=urn(parent) if parent else "",
        dependencies=[urn(one) for one in dependencies],
    )  # fmt: skip


def urn(name: str) -> str:
    return f"urn:pulumi:dev::p::p:m:T::{name}"


def names(states: list[ResourceState]) -> list[str]:
    return [one.name for one in states]


def test_dependents_are_found_through_others_and_pass_over_what_is_settled() -> None:
    a, b, c, d = state("a"), state("b", "a"), state("c", "b"), state("d")
    graph = DependencyGraph([a, b, c, d])
    assert names(graph.depending_on(a, ignore=lambda _: False)) == ["b", "c"]
    assert names(graph.depending_on(a, ignore=lambda one: one == urn("b"))) == []


def test_children_depend_on_their_parent_only_where_asked() -> None:
    a, b = state("a"), state("b", parent="a")
    graph = DependencyGraph([a, b])
    assert graph.depending_on(a, ignore=lambda _: False) == []
    assert names(graph.depending_on(a, ignore=lambda _: False, children=True)) == ["b"]


def test_delete_groups_go_from_the_leaves_up() -> None:
    site, a, b, other = (
        state("site", custom=False),
        state("a", parent="site"),
        state("b", "a"),
        state("other"),
    )
    after = state("after", "site")
    graph = DependencyGraph([site, a, b, other, after])
    groups = [sorted(names(group)) for group in graph.delete_levels([site, a, b, other, after])]
    assert (
        groups == [["after", "b"], ["a"], ["other", "site"]] or groups[0] == ["after"] or groups[0] == ["b"]
    )
    at = {name: index for index, group in enumerate(groups) for name in group}
    assert at["b"] < at["a"] < at["site"]
    assert at["after"] < at["a"]  # it depends on the component, so on what is inside it


edges = st.lists(st.lists(st.integers(0, 30), max_size=4), min_size=1, max_size=30)


def random_states(shape: list[list[int]]) -> list[ResourceState]:
    return [
        state(str(index), *(str(one) for one in sorted({one % index for one in before})) if index else ())
        for index, before in enumerate(shape)
    ]


@given(edges)
def test_random_graphs_are_deleted_after_their_dependents(shape: list[list[int]]) -> None:
    states = random_states(shape)
    groups = DependencyGraph(states).delete_levels(states)
    at = {one.urn: index for index, group in enumerate(groups) for one in group}
    assert len(at) == len(states)
    for one in states:
        assert all(at[one.urn] < at[needed] for needed in one.dependencies)


@given(edges, st.randoms())
def test_sorting_puts_everything_after_what_it_needs(shape: list[list[int]], random: object) -> None:
    states = random_states(shape)
    mixed = list(states)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    ordered = topological(mixed)
    assert set(ordered) == set(states)
    at = {one.urn: index for index, one in enumerate(ordered)}
    assert all(at[needed] < at[one.urn] for one in states for needed in one.dependencies)


def test_what_is_gone_leaves_no_references() -> None:
    a, b = state("a", parent="site"), state("b", "a", "gone", parent="a")
    b.property_dependencies = {"x": [urn("gone")], "y": [urn("a")]}
    b.deleted_with = urn("gone")
    drop_dangling_references([state("site"), a, b])
    assert b.dependencies == [urn("a")]
    assert b.property_dependencies == {"y": [urn("a")]}
    assert b.deleted_with == ""
    orphan = state("c", parent="gone")
    drop_dangling_references([orphan])
    assert orphan.parent == ""


def test_targets_match_within_and_across_parts() -> None:
    some = Targets(["urn:pulumi:dev::p::*::web", "urn:pulumi:dev::**::db", "urn:pulumi:dev::p::p:m:T::x"])
    assert "urn:pulumi:dev::p::T::web" in some
    assert "urn:pulumi:dev::p::p:m:T::web" not in some
    assert "urn:pulumi:dev::p::p:m:T::db" in some
    assert "urn:pulumi:dev::p::p:m:T::x" in some
    assert not Targets()
