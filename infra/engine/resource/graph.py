"""The dependency graph of a snapshot: who depends on whom, in linear time over its topological order."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from infra.engine.resource import urn as urns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from infra.engine.resource.state import ResourceState

_Node = TypeVar("_Node")


class DependencyGraph:
    """Resources in topological order, with their edges resolved to states."""

    def __init__(self, resources: Iterable[ResourceState]) -> None:
        self.resources = list(resources)
        self._index: dict[ResourceState, int] = {}
        self._by_urn: dict[str, list[int]] = defaultdict(list)
        self._descendants: dict[str, list[int]] = defaultdict(list)
        parents: dict[str, str] = {}
        for index, state in enumerate(self.resources):
            self._index[state] = index
            self._by_urn[state.urn].append(index)
            parents[state.urn] = state.parent
            parent = state.parent
            while parent:
                self._descendants[parent].append(index)
                parent = parents.get(parent, "")
        self._dependents: dict[str, list[int]] | None = None

    def __contains__(self, state: ResourceState) -> bool:
        return state in self._index

    def alias(self, new: ResourceState, existing: ResourceState) -> None:
        """Let another state stand at the place of one that is there."""
        if existing in self._index:
            self._index[new] = self._index[existing]

    def depending_on(
        self, state: ResourceState, *, ignore: Callable[[str], bool], children: bool = False
    ) -> list[ResourceState]:
        """All that directly or indirectly depend on a state, in topological order.

        Args:
            state: on which.
            ignore: URNs that are passed over, with what depends only on them.
            children: whether being a child is depending.
        """
        found: set[str] = {state.urn}
        start = self._index[state] + 1
        edges = self._reverse_edges()
        waiting = [index for index in edges.get(state.urn, ()) if index >= start]
        heapq.heapify(waiting)
        dependents: list[ResourceState] = []
        last = -1
        # Indices only grow along edges, so going up through them sees each candidate once, in order.
        while waiting:
            index = heapq.heappop(waiting)
            candidate = self.resources[index]
            if index == last or ignore(candidate.urn):
                continue
            last = index
            if self._touches(candidate, found, children=children):
                dependents.append(candidate)
                found.add(candidate.urn)
                for later in edges.get(candidate.urn, ()):
                    if later > index:
                        heapq.heappush(waiting, later)
        return dependents

    def _touches(self, candidate: ResourceState, found: set[str], *, children: bool) -> bool:
        if children and candidate.parent in found:
            return True
        return any(urn in found for urn in _plain_edges(candidate))

    def _reverse_edges(self) -> dict[str, list[int]]:
        if self._dependents is None:
            self._dependents = defaultdict(list)
            for index, state in enumerate(self.resources):
                for urn in {*_plain_edges(state), state.parent}:
                    self._dependents[urn].append(index)
        return self._dependents

    def dependencies_of(self, state: ResourceState) -> Iterator[ResourceState]:
        """List the resources that must outlive a state: dependencies, their children, parent; may repeat."""
        at = self._index[state]
        for urn in dict.fromkeys(_plain_edges(state)):
            for index in self._by_urn.get(urn, ()):
                if index < at:
                    yield self.resources[index]
                    if not self.resources[index].custom:
                        inside = self._descendants.get(urn, ())
                        yield from (self.resources[child] for child in inside if child < at)
        for index in self._by_urn.get(state.parent, ()):
            if index < at:
                yield self.resources[index]

    def transitive_dependencies_of(self, state: ResourceState) -> set[ResourceState]:
        """Everything a state rests upon, its ancestors included."""
        start = self._index[state]
        seen: set[int] = {start}
        stack = [self.resources[start]]
        while stack:
            current = stack.pop()
            for urn in (*_plain_edges(current), current.parent):
                indices = self._by_urn.get(urn, ())
                same = [index for index in indices if self.resources[index].delete == current.delete]
                for index in same or indices:
                    if index not in seen:
                        seen.add(index)
                        stack.append(self.resources[index])
        return {self.resources[index] for index in seen} - {self.resources[start], state}

    def delete_levels(self, condemned: Iterable[ResourceState]) -> list[list[ResourceState]]:
        """Condemned states in groups that can be deleted at once, first group first."""
        ordered = sorted(condemned, key=lambda state: self._index[state])
        members = set(ordered)
        level: dict[ResourceState, int] = {}
        for state in ordered:
            below = (
                level[other] for other in self.dependencies_of(state) if other in members and other in level
            )
            level[state] = 1 + max(below, default=-1)
        groups: dict[int, list[ResourceState]] = defaultdict(list)
        for state in ordered:
            groups[level[state]].append(state)
        return [groups[depth] for depth in sorted(groups, reverse=True)]


def _plain_edges(state: ResourceState) -> Iterator[str]:
    """The URNs a state depends on, but for its parent."""
    if state.provider:
        yield urns.ProviderReference.parse(state.provider).urn
    yield from state.dependencies
    for names in state.property_dependencies.values():
        yield from names
    if state.deleted_with:
        yield state.deleted_with
    yield from state.replace_with


def topological(resources: Iterable[ResourceState]) -> list[ResourceState]:
    """The resources so that each stands after all it refers to, else in the order they came."""
    resources = list(resources)
    by_urn: dict[str, list[ResourceState]] = defaultdict(list)
    for state in resources:
        by_urn[state.urn].append(state)

    def needed(state: ResourceState) -> Iterator[ResourceState]:
        return (other for urn in state.edges() for other in by_urn.get(urn, ()) if other is not state)

    return list(post_order(resources, needed))


def post_order(roots: Iterable[_Node], needed: Callable[[_Node], Iterable[_Node]]) -> Iterator[_Node]:
    """The roots and all that they need, each after what it needs itself; a circle is left where it closes.

    Without recursion, since chains may be long. What a node needs is looked at one by one, each after what
    the one before needed.
    """
    entered: set[_Node] = set()
    for root in roots:
        stack = [] if root in entered else [(root, iter(needed(root)))]
        entered.add(root)
        while stack:
            node, rest = stack[-1]
            other = next((other for other in rest if other not in entered), None)
            if other is None:
                stack.pop()
                yield node
            else:
                entered.add(other)
                stack.append((other, iter(needed(other))))
