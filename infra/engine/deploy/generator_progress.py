"""Decisions of a step generator so far: which URNs have which step, shared by all its planners."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.engine.plugin.go_text import go_text

if TYPE_CHECKING:
    from infra.engine.deploy.aliases import AliasBook
    from infra.engine.deploy.context import StepContext
    from infra.engine.plugin.provider import CheckFailure
    from infra.engine.resource.state import ResourceState


@dataclass(slots=True, eq=False)
class GeneratorProgress:
    """The sets of a step generator, by URN.

    Attributes:
        aliases: names that this run has taken over.
        saw_error: an error was reported, though the run goes on to show more.
        urns: what the program has registered, and what must be kept with it.
        skipped_creates: left out because it was not targeted.
        to_delete: what a run of the program for its destruction registered.
        refreshed: old state to the state that was read in its place.
        providers: explicit providers that the program registered, under their aliases too.
    """

    aliases: AliasBook
    saw_error: bool = False
    urns: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    creates: set[str] = field(default_factory=set)
    sames: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)
    replaces: set[str] = field(default_factory=set)
    deletes: set[str] = field(default_factory=set)
    refreshes: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    skipped_creates: set[str] = field(default_factory=set)
    to_delete: list[ResourceState] = field(default_factory=list)
    refreshed: dict[ResourceState, ResourceState] = field(default_factory=dict)
    providers: dict[str, ResourceState] = field(default_factory=dict)

    def operated_on(self, urn: str) -> bool:
        """Return whether a resource of the old state, perhaps under another URN now, is still wanted."""
        urn = self.aliases.new_of.get(urn, urn)
        return any(
            urn in some for some in (self.sames, self.updated, self.replaces, self.reads, self.refreshes)
        )

    def has_step(self, urn: str) -> bool:
        """Return whether a step was generated for a URN."""
        done = (self.creates, self.sames, self.updated, self.deletes, self.replaces, self.reads)
        return any(urn in some for some in done)

    def keep(self, urn: str) -> None:
        """Record that a resource of the old state stays as it is."""
        self.urns.add(urn)
        self.sames.add(urn)

    def leave_out(self, urn: str) -> None:
        """Record that a resource is not created in this run."""
        self.sames.add(urn)
        self.skipped_creates.add(urn)


def report_check_failures(
    context: StepContext, new: ResourceState, failures: tuple[CheckFailure, ...]
) -> bool:
    """Report the inputs that a provider refuses; return whether there were any."""
    for failure in failures:
        subject = f"{new.type} resource '{new.name}'"
        if failure.property:
            shown = go_text(new.inputs.get(failure.property))
            text = f"{subject}: property {failure.property} value {shown} has a problem: {failure.reason}"
        else:
            text = f"{subject} has a problem: {failure.reason}"
        context.error(text, new.urn)
    return bool(failures)
