"""Targets and excludes: which registrations take part in a run, and what else must come along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.deploy.bail import BailError
from infra.engine.deploy.steps import SameStep
from infra.engine.resource.graph import post_order
from infra.engine.resource.urn import ProviderReference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.engine.deploy.context import PlanContext
    from infra.engine.deploy.generator_progress import GeneratorProgress
    from infra.engine.deploy.source_events import RegisterResourceEvent
    from infra.engine.deploy.step import Step
    from infra.engine.resource.state import ResourceState


class Targeting:
    """Answers for a step generator; the sets grow with dependents as the program goes on.

    Args:
        progress: what the generator has decided so far.
        deployment: whose old state and options count.
    """

    def __init__(self, progress: GeneratorProgress, deployment: PlanContext) -> None:
        self._progress, self._deployment = progress, deployment
        self._options = deployment.options
        self._targets, self._excludes = self._options.targets.copy(), self._options.excludes.copy()
        self._pending: list[SameStep] = []
        self._queued: set[str] = set()

    def includes(self, state: ResourceState) -> bool:
        """Whether a resource takes part."""
        if self._options.targets:
            return self._is_target(state)
        return not (self._options.excludes and self._is_excluded(state))

    def _is_target(self, state: ResourceState) -> bool:
        if state.urn in self._options.targets:
            return True
        return self._options.target_dependents and any(urn in self._targets for urn in state.edges())

    def _is_excluded(self, state: ResourceState) -> bool:
        if state.urn in self._options.excludes:
            return True
        return self._options.exclude_dependents and any(urn in self._excludes for urn in state.edges())

    def replaces(self, urn: str, old: ResourceState | None) -> bool:
        """Whether people asked for the replacement of a resource."""
        return urn in self._options.replace_targets or (old is not None and old.taint)

    def grow(self, new: ResourceState, *, targeted: bool) -> None:
        """Let dependents of a resource follow it."""
        if self._options.excludes and not targeted and self._is_excluded(new):
            self._excludes.add(new.urn)
        elif targeted and self._is_target(new):
            self._targets.add(new.urn)

    def rests_on_skipped(self, new: ResourceState) -> bool:
        """Whether it depends on something that was left out."""
        skipped = self._progress.skipped_creates
        return bool(skipped) and any(urn in skipped for urn in new.edges())

    def queue_untargeted(self, new: ResourceState) -> None:
        """See to it that what a targeted resource depends on stands before it in the snapshot."""
        olds, progress = self._deployment.olds, self._progress

        def waiting(urns: Iterable[str]) -> Iterator[str]:
            for urn in urns:
                done = progress.has_step(urn) or progress.operated_on(urn)
                if urn in olds and urn not in self._queued and not done:
                    yield urn

        if self._options.targets:
            for urn in post_order(waiting(new.dependency_urns()), lambda urn: waiting(olds[urn].edges())):
                self.queue_same(olds[urn])

    def queue_same(self, old: ResourceState) -> None:
        """Keep one resource of the old state as it is."""
        if old.urn not in self._queued:
            self._queued.add(old.urn)
            self._pending.append(SameStep(old, old.copy(), untargeted=True))

    def validated(self, steps: list[Step]) -> list[Step]:
        """The steps with those of untargeted dependencies before them.

        Raises:
            BailError: one depends on a resource that was left out.
        """
        progress = self._progress
        if self._pending and steps:
            before: list[Step] = []
            for same in self._pending:
                if not progress.has_step(same.urn) and not progress.operated_on(same.urn):
                    progress.keep(same.urn)
                    before.append(same)
            self._pending = []
            steps = before + steps
        if not self._options.targets and not self._options.replace_targets:
            return steps
        for step in steps:
            if step.new is None or (isinstance(step, SameStep) and step.skipped_create):
                continue
            for urn in step.new.edges():
                if urn in progress.skipped_creates:
                    text = (
                        f"Resource '{step.urn}' depends on '{urn}' "
                        "which was was not specified in --target list."
                    )
                    self._deployment.error(text, step.urn)
                    progress.saw_error = True
                    if not self._deployment.preview:
                        raise BailError("untargeted create")
                    progress.skipped_creates.discard(urn)
        return steps

    def untargeted_same(
        self, registration: RegisterResourceEvent, old: ResourceState, new: ResourceState
    ) -> list[Step]:
        """Keep an untargeted resource as it is, and before it what it depends on.

        Raises:
            BailError: its provider is not of this run, or something it depends on is nowhere.
        """
        deployment = self._deployment
        if old.provider and deployment.registry.get(old.provider) is None:
            reference = ProviderReference.parse(old.provider)
            found = deployment.olds.get(reference.urn)
            if found is None or found.id != reference.id:
                raise BailError(
                    deployment.error(f"could not find provider {reference} in old state", new.urn)
                )
            text = (
                f"provider {reference} for resource {new.urn} has not been registered yet, this is due to a "
                "change of providers mixed with --target. Change your program back to the original providers"
            )
            raise BailError(deployment.error(text, new.urn))
        return [
            SameStep(state, state.copy(), registration if state is old else None, untargeted=True)
            for state in post_order([old], lambda state: self._kept_with(state, new.urn))
        ]

    def _kept_with(self, old: ResourceState, urn: str) -> Iterator[ResourceState]:
        """Return the old resources that must be kept before one that the program registers.

        Raises:
            BailError: something is nowhere.
        """
        progress, olds = self._progress, self._deployment.olds
        progress.keep(old.urn)
        progress.sames.add(urn)
        if old.provider:
            reference = ProviderReference.parse(old.provider)
            provider = olds.get(reference.urn)
            missing = not progress.has_step(reference.urn) and not progress.operated_on(reference.urn)
            if missing and provider is not None and provider.id == reference.id:
                yield provider
        for needed in old.dependency_urns():
            # What goes by another URN now stands in the snapshot already; the reference follows it there.
            if not progress.has_step(needed) and not progress.operated_on(needed):
                found = olds.get(needed)
                if found is None:
                    raise BailError(f"dependency {needed} of untargeted resource {urn} has no old state")
                yield found
