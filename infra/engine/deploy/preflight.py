"""Checks of the state before a run starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.errors import EngineError
from infra.engine.resource.graph import DependencyGraph
from infra.engine.resource.urn import package_of

if TYPE_CHECKING:
    from infra.engine.resource.state import Snapshot


def providers_of(snapshot: Snapshot) -> set[tuple[str, str]]:
    """Package and version of the providers that a program will probably ask for again."""
    found = set()
    for state in snapshot.resources:
        inputs = state.inputs if state.is_provider and not state.delete else None
        if inputs is not None and not inputs.get("__internal") and package_of(state.type) != "pulumi":
            version = inputs.get("version") or ""
            found.add((package_of(state.type), version if isinstance(version, str) else ""))
    return found


def find_protected(snapshot: Snapshot) -> list[str]:
    """The URNs of protected resources and of what they rest upon."""
    graph = DependencyGraph(snapshot.resources)
    found: dict[str, None] = {}
    for state in snapshot.resources:
        if state.protect:
            found[state.urn] = None
            found |= {other.urn: None for other in graph.transitive_dependencies_of(state)}
    return list(found)


def refuse_delete_hooks(snapshot: Snapshot) -> None:
    """Delete hooks are the program's functions; without the program they cannot be run.

    Raises:
        EngineError: a resource has some.
    """
    for state in snapshot.resources:
        named = [*state.resource_hooks.get("BeforeDelete", ()), *state.resource_hooks.get("AfterDelete", ())]
        if named:
            raise EngineError(
                f"{state.urn} has delete hooks ({', '.join(named)}), but the program is not running",
                hint="destroy with `--run-program`",
            )
