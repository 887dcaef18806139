"""Aliases: under which other URNs a resource may be found in the old state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.resource import urn as urns
from infra.engine.resource.urn import STACK_TYPE, Urn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.engine.resource.goal import Alias


class AliasBook:
    """Who has taken which old URN in this run.

    Attributes:
        new_of: old URN to the new one that took it.
        old_of: new URN to the old one that it took.
    """

    def __init__(self, stack: str, project: str) -> None:
        self._stack, self._project = stack, project
        self.new_of: dict[str, str] = {}
        self.old_of: dict[str, str] = {}

    def candidates(self, name: str, type_: str, parent: str, aliases: Sequence[Alias]) -> list[str]:
        """The URNs that a resource's aliases, and its parent's, stand for; in the order they are tried."""
        found = dict.fromkeys(self._collapsed(name, type_, parent, alias) for alias in aliases)
        old_parent = self.old_of.get(parent)
        if old_parent is not None:
            parent_name = urns.name_of(parent)
            found[self._inherited(type_, name, parent_name, old_parent)] = None
            for alias in aliases:
                own = self._collapsed(name, type_, parent, alias)
                found[self._inherited(urns.type_of(own), urns.name_of(own), parent_name, old_parent)] = None
        return list(found)

    def _collapsed(self, name: str, type_: str, parent: str, alias: Alias) -> str:
        if alias.urn:
            return alias.urn
        parent = self.old_of.get(alias.parent, alias.parent) if alias.parent else parent
        if alias.no_parent:
            parent = ""
        return urns.make(
            alias.stack or self._stack,
            alias.project or self._project,
            parent,
            alias.type or type_,
            alias.name or name,
        )

    def _inherited(self, type_: str, name: str, parent_name: str, old_parent: str) -> str:
        """Return the aliases of a child whose parent had another name: names that start with it follow it."""
        old = Urn.parse(old_parent)
        if name.startswith(parent_name):
            name = old.name + name.removeprefix(parent_name)
        qualified = type_ if old.qualified_type == STACK_TYPE else f"{old.qualified_type}${type_}"
        return str(Urn(self._stack, self._project, qualified, name))
