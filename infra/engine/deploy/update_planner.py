"""Plans for an existing resource: same, update, or a replacement in either order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.deploy.bail import BailError
from infra.engine.deploy.generator_progress import report_check_failures
from infra.engine.deploy.provider_diff import diff_inputs
from infra.engine.deploy.steps import CreateStep, DeleteStep, ReplaceStep, SameStep, UpdateStep
from infra.engine.errors import EngineError
from infra.engine.plugin.diff import Changes, Diff, replacing, with_replace_on_changes
from infra.engine.plugin.go_text import go_text
from infra.engine.plugin.provider import DiffUnavailableError, Request
from infra.engine.plugin.provider_registry import without_internal
from infra.engine.resource import values
from infra.engine.resource.urn import ProviderReference

if TYPE_CHECKING:
    from infra.engine.deploy.context import PlanContext
    from infra.engine.deploy.decision import Decision
    from infra.engine.deploy.deletes import DeletePlanner
    from infra.engine.deploy.generator_progress import GeneratorProgress
    from infra.engine.deploy.step import Step
    from infra.engine.deploy.targeting import Targeting
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Value


class UpdatePlanner:
    """Decides for a step progress.

    Args:
        progress: what the generator has decided so far.
        deployment: whose old state and options count.
        targeting: which resources take part.
        deletes: plans what must be deleted before a replacement.
    """

    def __init__(
        self,
        progress: GeneratorProgress,
        deployment: PlanContext,
        targeting: Targeting,
        deletes: DeletePlanner,
    ) -> None:
        self._progress, self._deployment = progress, deployment
        self._targeting, self._deletes = targeting, deletes

    async def plan(self, decision: Decision, old: ResourceState) -> list[Step]:
        """Decide about an existing resource: same, update or replace."""
        progress, deployment = self._progress, self._deployment
        registration, goal, new = decision.registration, decision.goal, decision.new
        if not deployment.preview and values.has_unknown(new.replacement_trigger):
            text = f"replacement trigger contains unknowns for {new.urn}"
            progress.saw_error = True
            raise BailError(deployment.error(text, new.urn))
        triggered = _triggers(old.replacement_trigger, new.replacement_trigger)
        if triggered:
            diff = Diff(Changes.SOME)
        else:
            try:
                diff = await self._diff(decision, old)
            except DiffUnavailableError as error:
                deployment.warn(str(error), new.urn)
                diff = Diff(Changes.SOME)
        diff = with_replace_on_changes(diff, goal.replace_on_changes, has_init_errors=bool(old.init_errors))
        changed = diff.changes is Changes.SOME or old.pending_replacement
        if changed and (diff.replaces or triggered or old.pending_replacement):
            return await self._replace(decision, old, diff)
        if changed or old.init_errors:
            progress.updated.add(new.urn)
            return [UpdateStep(registration, old, new, diff=diff, ignore=goal.ignore_changes)]
        if new.urn in progress.imports:
            registration.succeed(old)
            return []
        progress.sames.add(new.urn)
        return [SameStep(old, new, registration)]

    async def _diff(self, decision: Decision, old: ResourceState) -> Diff:
        progress, new, provider = self._progress, decision.new, decision.provider
        if self._targeting.replaces(new.urn, old):
            return replacing("id")
        if any(urn in progress.replaces for urn in new.replace_with):
            return replacing("replaceWith")
        if new.deleted_with in progress.replaces:
            return replacing("deletedWith")
        if await self._provider_changed(old, new):
            return replacing("provider")
        if provider is None:
            return Diff(Changes.NONE if values.equal(old.inputs, new.inputs) else Changes.SOME)
        ignore = decision.goal.ignore_changes
        return await diff_inputs(provider, new, old, new.inputs, self._deployment, ignore)

    async def _provider_changed(self, old: ResourceState, new: ResourceState) -> bool:
        """Whether the change of a resource's provider forces a replacement: the new provider says so."""
        if old.provider == new.provider:
            return False
        if not old.provider or not new.provider:
            return True
        before, after = ProviderReference.parse(old.provider), ProviderReference.parse(new.provider)
        if self._progress.aliases.new_of.get(before.urn) == after.urn:
            return False
        deployment = self._deployment
        provider = deployment.registry.get(new.provider)
        old_state, new_state = deployment.olds.get(before.urn), self._progress.providers.get(after.urn)
        if provider is None or old_state is None or new_state is None:
            raise EngineError(f'failed to resolve provider reference: "{old.provider}"')
        request = Request(
            after.urn,
            inputs=without_internal(new_state.inputs),
            old_inputs=without_internal(old_state.inputs),
            old_outputs=old_state.outputs,
        )
        return (await provider.diff_config(request)).replaces

    async def _replace(self, decision: Decision, old: ResourceState, diff: Diff) -> list[Step]:
        progress, deployment = self._progress, self._deployment
        registration, goal, new, urn = decision.registration, decision.goal, decision.new, decision.urn
        self._refuse(decision, old, diff)
        progress.replaces.add(urn)
        if decision.provider is not None and not self._targeting.replaces(urn, old):
            request = Request(urn, inputs=goal.properties, seed=decision.seed, preview=deployment.preview)
            checked = await decision.provider.check(request)
            if report_check_failures(deployment, new, checked.failures):
                raise BailError(f"resource {urn} has check errors")
            new.inputs = checked.inputs
        first = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            first = goal.delete_before_replace
        if not first:
            create = CreateStep(registration, new, replaced=old, diff=diff, pending_delete=True)
            return [create, ReplaceStep(old, new, diff=diff)]
        steps = await self._deletes.delete_dependents_first(old, urn)
        await deployment.ensure_provider(old)
        if not old.pending_replacement:
            progress.deletes.add(old.urn)
            steps.append(DeleteStep(old, progress.deletes, replacing=True, pending_replacement=True))
        create = CreateStep(registration, new, replaced=old, diff=diff)
        return [*steps, ReplaceStep(old, new, diff=diff), create]

    def _refuse(self, decision: Decision, old: ResourceState, diff: Diff) -> None:
        """Say where a replacement is not allowed; a preview goes on to show it.

        Raises:
            BailError, EngineError: it is not, and this is no preview.
        """
        deployment, new = self._deployment, decision.new
        if old.protect and new.protect and not deployment.options.ignore_protect:
            self._progress.saw_error = True
            text = deployment.error(
                f'unable to replace resource "{new.urn}"\n'
                "as it is currently marked for protection. To unprotect the resource, "
                "remove the `protect` flag from the resource in your Pulumi "
                "program and run `pulumi up`",
                new.urn,
            )
            if not deployment.preview:
                raise BailError(text)
        if decision.goal.import_id:
            changes = [
                f"{key}: {go_text(old.inputs.get(key))} => {go_text(new.inputs.get(key))}"
                for key in diff.replace_keys
            ]
            text = (
                "previously-imported resources that still specify an ID may not be replaced; "
                "please remove the `import` declaration from your program;\n" + "\n".join(changes)
            )
            if not deployment.preview:
                raise EngineError(text)
            deployment.warn(text, new.urn)


def _triggers(old: Value, new: Value) -> bool:
    """Whether a change of the replacement trigger replaces: a value where there was none does not."""
    old, new = values.unwrap(old), values.unwrap(new)
    if values.has_unknown(old) or values.has_unknown(new):
        return True
    return old is not None and new is not None and not values.equal(old, new)
