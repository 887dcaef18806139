"""Deletes: which resources are deleted, before a replacement and at the end of a run, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.deploy.bail import BailError
from infra.engine.deploy.provider_diff import diff_inputs
from infra.engine.deploy.refresh_step import RefreshStep
from infra.engine.deploy.steps import DeleteStep, RemovePendingReplaceStep, SameStep
from infra.engine.plugin.diff import with_replace_on_changes
from infra.engine.resource.graph import DependencyGraph
from infra.engine.resource.urn import ProviderReference
from infra.engine.resource.values import UNKNOWN

if TYPE_CHECKING:
    from infra.engine.deploy.context import PlanContext
    from infra.engine.deploy.generator_progress import GeneratorProgress
    from infra.engine.deploy.step import Step
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.targets import Targets


class DeletePlanner:
    """Plans deletes for a step progress.

    Args:
        progress: what the generator has decided so far.
        deployment: whose old state and options count.

    Attributes:
        replace_keys: for resources deleted early, the properties that will replace them.
    """

    def __init__(self, progress: GeneratorProgress, deployment: PlanContext) -> None:
        self._progress, self._deployment = progress, deployment
        self.replace_keys: dict[str, tuple[str, ...]] = {}
        self._deleted_early: set[ResourceState] = set()

    # ------------------------------------------------------------ before a replacement

    async def delete_dependents_first(self, old: ResourceState, urn: str) -> list[Step]:
        """Deletes of those dependents of a resource, last first, that its replacement would replace too.

        Raises:
            BailError: one of them is protected.
        """
        progress, deployment = self._progress, self._deployment
        found: list[tuple[ResourceState, tuple[str, ...]]] = []
        if not deployment.preview or old in deployment.graph:
            found += await self.dependent_replacements(old)
        found += [(state, ()) for state in self.cascades(urn)]
        steps: list[Step] = []
        for state, keys in reversed(found):
            if state in self._deleted_early:
                continue
            self.replace_keys[state.urn] = keys
            if state.delete:
                steps.append(DeleteStep(state, progress.deletes))
            else:
                if state.protect and not deployment.options.ignore_protect:
                    progress.saw_error = True
                    text = (
                        f'unable to replace resource "{state.urn}" as part of replacing "{urn}" as it is '
                        "currently marked for protection. To unprotect the resource, remove the `protect` "
                        "flag from the resource in your Pulumi program and run `pulumi up`, or use the "
                        "command:\n"
                        f"`pulumi state unprotect '{state.urn}'`"
                    )
                    raise BailError(deployment.error(text, urn))
                steps.append(DeleteStep(state, progress.deletes, replacing=True, pending_replacement=True))
            progress.deletes.add(state.urn)
            self._deleted_early.add(state)
        return steps

    async def dependent_replacements(
        self, root: ResourceState
    ) -> list[tuple[ResourceState, tuple[str, ...]]]:
        """The dependents that would be replaced if what they take from a resource became unknown."""
        progress = self._progress
        replaced = {root.urn}
        found = []

        def settled(urn: str) -> bool:
            return progress.has_step(urn)

        for state in self._deployment.graph.depending_on(root, ignore=settled):
            keys = await self._replaced_by(state, replaced)
            if keys is not None:
                found.append((state, keys))
                replaced.add(state.urn)
        return found

    async def _replaced_by(self, state: ResourceState, replaced: set[str]) -> tuple[str, ...] | None:
        """The properties that replace a dependent; None if nothing does."""
        deployment = self._deployment
        if not state.custom or state.external:
            return None
        if state.provider and ProviderReference.parse(state.provider).urn in replaced:
            await deployment.ensure_provider(state)
            return ()
        if state.deleted_with in replaced:
            return ()
        touched = {
            key
            for key in state.inputs
            if any(urn in replaced for urn in state.property_dependencies.get(key, ()))
        }
        if not touched:
            return None
        if state.is_provider:
            await deployment.registry.same(state, checked=False)
        else:
            await deployment.ensure_provider(state)
        inputs = {key: UNKNOWN if key in touched else value for key, value in state.inputs.items()}
        provider = deployment.provider_of(state)
        diff = await diff_inputs(
            provider, state, state, inputs, deployment, state.ignore_changes, unknowns=True
        )
        diff = with_replace_on_changes(diff, state.replace_on_changes, has_init_errors=False)
        return diff.replace_keys if diff.replaces else None

    def cascades(self, urn: str) -> list[ResourceState]:
        """Those that say themselves that they go when a resource goes: replaceWith and deletedWith."""
        deployment = self._deployment
        found: dict[str, ResourceState] = {}
        for states in (deployment.news, deployment.olds):
            for state in states.values():
                if urn in state.replace_with or state.deleted_with == urn:
                    found.setdefault(state.urn, state)
        return list(found.values())

    # ------------------------------------------------------------ at the end

    async def at_the_end(self) -> tuple[list[Step], list[Step]]:  # noqa: C901 (one case per fate)
        """The steps for what the program did not ask for: those that stay, and the deletes.

        Raises:
            BailError: a delete would hit what was not targeted.
        """
        progress, deployment = self._progress, self._deployment
        allowed, forbidden = await self._limits()

        def deletable(state: ResourceState) -> bool:
            return state.urn in allowed if allowed is not None else state.urn not in forbidden

        sames: list[Step] = []
        deletes: list[Step] = []
        for original in deployment.resources:
            if original.view_of:
                continue
            if not deletable(original):
                if not progress.operated_on(original.urn):
                    sames.append(SameStep(original, original.copy(), untargeted=True))
                continue
            state = progress.refreshed.get(original, original)
            if state.delete:
                if state in self._deleted_early:
                    continue
                progress.deletes.add(state.urn)
                deletes.append(DeleteStep(state, progress.deletes, replacing=True))
            elif not progress.operated_on(state.urn):
                progress.deletes.add(state.urn)
                removed = RemovePendingReplaceStep(state) if state.pending_replacement else None
                deletes.append(removed or DeleteStep(state, progress.deletes))
            if state.urn in progress.deletes:
                await deployment.ensure_provider(state)
        for state in progress.to_delete:
            if deletable(state):
                progress.deletes.add(state.urn)
                deletes.append(DeleteStep(state, progress.deletes))
        self._refuse_untargeted(deletes)
        return sames, deletes

    def _refuse_untargeted(self, deletes: list[Step]) -> None:
        progress, deployment = self._progress, self._deployment
        targets = deployment.options.targets
        if not targets or deployment.options.target_dependents:
            return
        untargeted = [step.urn for step in deletes if step.urn not in targets]
        for urn in untargeted:
            text = (
                f"Resource '{urn}' will be destroyed but was not specified in --target list.\n"
                "Either include resource in --target list or pass --target-dependents to proceed."
            )
            deployment.error(text, urn)
            progress.saw_error = True
        if untargeted and not deployment.preview:
            raise BailError("delete untargeted resource")

    async def _limits(self) -> tuple[set[str] | None, set[str]]:
        """With --target, the only URNs that may be deleted; with --exclude, those that may not."""
        deployment = self._deployment
        options = deployment.options
        if options.targets:
            allowed = self._closure(options.targets, dependents=True)
            for urn in list(allowed):
                for state in deployment.all_olds.get(urn, ()):
                    allowed |= {other.urn for other, _ in await self.dependent_replacements(state)}
                allowed |= {state.urn for state in self.cascades(urn)}
            return allowed, set()
        if options.excludes:
            kept = self._closure(options.excludes, dependents=options.exclude_dependents, dependencies=True)
            return None, kept & deployment.olds.keys()
        return None, set()

    def _closure(self, roots: Targets, *, dependents: bool = False, dependencies: bool = False) -> set[str]:
        graph = self._graph()
        found: set[str] = set()
        frontier = [state for state in self._deployment.resources if state.urn in roots]
        while frontier:
            state = frontier.pop()
            if state.urn in found:
                continue
            found.add(state.urn)
            if dependencies:
                frontier += graph.dependencies_of(state)
            if dependents:
                frontier += graph.depending_on(state, ignore=found.__contains__, children=True)
        return found

    def _graph(self) -> DependencyGraph:
        """The old state's graph, with what a run of the program for its destruction has added."""
        progress, deployment = self._progress, self._deployment
        if not progress.to_delete and not progress.refreshed:
            return deployment.graph
        graph = DependencyGraph([*progress.to_delete, *deployment.resources])
        for old, new in progress.refreshed.items():
            if new not in graph:
                graph.alias(new, old)
        return graph

    def scheduled(self, deletes: list[Step]) -> list[list[Step]]:
        """Deletes in groups that may run at once, dependents before what they depend on."""
        by_state = {step.res: step for step in deletes}
        return [[by_state[state] for state in group] for group in self._graph().delete_levels(by_state)]

    def doomed_dependencies(self, failed: list[Step]) -> set[ResourceState]:
        """Return the resources that must stay because a dependent could not be deleted."""
        graph = self._graph()
        kept: set[ResourceState] = set()
        for step in failed:
            for state in (step.new, step.old):
                if state is not None and state in graph:
                    kept |= graph.transitive_dependencies_of(state)
        return kept

    async def refreshes(self) -> list[RefreshStep]:
        """Reads of what a program that was run for a refresh did not register."""
        progress, deployment = self._progress, self._deployment
        options = deployment.options
        steps = []
        targets, excludes = options.targets.copy(), options.excludes.copy()
        for state in deployment.resources:
            if state.view_of or progress.operated_on(state.urn):
                continue
            wanted = state.urn not in excludes if excludes else not targets or state.urn in targets
            if wanted:
                progress.refreshes.add(state.urn)
                steps.append(RefreshStep(state))
                await deployment.ensure_provider(state)
        return steps
