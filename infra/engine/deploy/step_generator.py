"""The step generator: from what the program asks for and what the state has, to steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from infra.engine.deploy.aliases import AliasBook
from infra.engine.deploy.bail import BailError
from infra.engine.deploy.context import PlanContext
from infra.engine.deploy.continuation import ContinueEvent
from infra.engine.deploy.decision import Decision
from infra.engine.deploy.deletes import DeletePlanner
from infra.engine.deploy.deployment_options import Mode
from infra.engine.deploy.generator_progress import GeneratorProgress, report_check_failures
from infra.engine.deploy.import_step import ImportStep
from infra.engine.deploy.refresh_step import RefreshStep
from infra.engine.deploy.steps import CreateStep, ReadStep, ReplaceStep, SameStep
from infra.engine.deploy.targeting import Targeting
from infra.engine.deploy.update_planner import UpdatePlanner
from infra.engine.errors import EngineError
from infra.engine.plugin.diff import Diff, ignoring
from infra.engine.plugin.provider import Request
from infra.engine.resource import urn as urns
from infra.engine.resource.goal import Goal, ReadGoal
from infra.engine.resource.urn import STACK_TYPE, ProviderReference

if TYPE_CHECKING:
    from infra.engine.deploy.continuation import SourceEvent
    from infra.engine.deploy.policy import Policy
    from infra.engine.deploy.source_events import RegisterResourceEvent
    from infra.engine.deploy.step import Step
    from infra.engine.plugin.provider import Provider
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties


class GeneratorContext(PlanContext, Protocol):
    """Part of a deployment that the generator needs beyond what its planners do.

    Attributes:
        expected: decisions that wait for a step.
        policy: the stack's policy packs, if any.
    """

    expected: int
    policy: Policy | None

    def push(self, event: SourceEvent) -> None:
        """Put something in the deployment's queue."""


class StepGenerator:
    """Decides. One registration at a time, in the order they come.

    Args:
        deployment: whose options, old state and providers count.
        mode: what the program is run for.
        refresh: read each resource before deciding about it.
    """

    def __init__(
        self, deployment: GeneratorContext, mode: Mode = Mode.UPDATE, *, refresh: bool = False
    ) -> None:
        self.deployment, self.mode, self._refresh = deployment, mode, refresh
        self.progress = progress = GeneratorProgress(AliasBook(deployment.stack, deployment.project))
        self.planner = DeletePlanner(progress, deployment)
        self.targeting = Targeting(progress, deployment)
        self.updates = UpdatePlanner(progress, deployment, self.targeting, self.planner)

    # ------------------------------------------------------------ registrations

    async def generate(self, registration: RegisterResourceEvent) -> list[Step]:
        """The steps for a registration.

        Raises:
            BailError, EngineError, ProviderError: the run cannot go on.
        """
        goal = registration.goal
        urn = self._new_urn(goal)
        if isinstance(goal, ReadGoal):
            return self._generate_read(registration, goal, urn)
        old, invalid, alias = self._find_old(urn, goal)
        new = goal.new_state(urn)
        if alias:
            new.aliases = [alias]
        if old is not None:
            new.created, new.modified = old.created, old.modified
            new.refresh_before_update = old.refresh_before_update
        if new.is_provider:
            self.progress.providers[urn] = new
            if alias:
                self.progress.providers[alias] = new
        decision = Decision(registration, goal, old, new, invalid)
        if old is not None and self._refresh and self.targeting.includes(old):
            return [self._refresh_first(decision, old)]
        return await self._after_refresh(decision)

    def _new_urn(self, goal: Goal | ReadGoal) -> str:
        if goal.parent and goal.parent not in self.progress.urns:
            raise EngineError(f"could not find parent resource {goal.parent}")
        urn = urns.make(self.deployment.stack, self.deployment.project, goal.parent, goal.type, goal.name)
        if urn in self.progress.urns:
            text = f"Duplicate resource URN '{urn}'; try giving it a unique name"
            raise BailError(self.deployment.error(text, urn))
        self.progress.urns.add(urn)
        return urn

    def _find_old(self, urn: str, goal: Goal | ReadGoal) -> tuple[ResourceState | None, bool, str]:
        """The old state of a resource, whether its aliases conflict, and the alias it was found under."""
        invalid = False
        given = goal.aliases if isinstance(goal, Goal) else ()
        candidates = self.progress.aliases.candidates(goal.name, goal.type, goal.parent, given)
        taker = self.progress.aliases.new_of.get(urn)
        if taker is not None:
            invalid = True
            text = f"Duplicate resource URN '{urn}' conflicting with alias on resource with URN '{taker}'"
            self.deployment.error(text, urn)
        for candidate in (urn, *candidates):
            old = self.deployment.olds.get(candidate)
            if old is None:
                continue
            if candidate == urn:
                return old, invalid, ""
            others = [urn] if candidate in self.progress.urns else []
            if candidate in self.progress.aliases.new_of:
                others.append(self.progress.aliases.new_of[candidate])
            for other in others:
                invalid = True
                self.deployment.error(
                    f"Duplicate resource alias '{candidate}' applied to resource with URN '{urn}' "
                    f"conflicting with resource with URN '{other}'",
                    urn,
                )
            self.progress.aliases.new_of[candidate] = urn
            self.progress.aliases.old_of[urn] = candidate
            self.deployment.registry.register_alias(urn, candidate)
            return old, invalid, candidate
        return None, invalid, ""

    def _generate_read(self, registration: RegisterResourceEvent, goal: ReadGoal, urn: str) -> list[Step]:
        old, _, alias = self._find_old(urn, goal)
        new = goal.new_state(urn)
        new.aliases = [alias] if alias else []
        if not new.id:
            raise EngineError(f"Expected an ID for {urn}")
        if old is not None and not old.external and old.id != new.id:
            # What we own is let go of, and what was read takes its place.
            self.progress.replaces.add(urn)
            return [ReadStep(registration, old, new, replacing=True), ReplaceStep(old, new)]
        if self.mode is Mode.DESTROY:
            self.progress.to_delete.append(new)
        self.progress.reads.add(urn)
        return [ReadStep(registration, old, new)]

    def _refresh_first(self, decision: Decision, old: ResourceState) -> Step:
        """Read the old state first; the rest of the decision follows when that is done."""
        new = decision.new
        self.progress.refreshes.add(new.urn)
        self.deployment.expected += 1

        def done(state: ResourceState | None, error: Exception | None) -> None:
            decision.old = state
            if state is not None:
                self.deployment.graph.alias(state, old)
                self.progress.refreshed[old] = state

            async def decide() -> list[Step]:
                self.deployment.expected -= 1
                if error is not None:
                    raise BailError(str(error))
                return await self._after_refresh(decision)

            self.deployment.push(ContinueEvent(decide, new.urn))

        return RefreshStep(old, new, internal=not new.custom or new.is_provider, on_done=done)

    async def _after_refresh(  # noqa: PLR0911 (each mode has its own ends)
        self, decision: Decision
    ) -> list[Step]:
        registration, goal, old, new = decision.registration, decision.goal, decision.old, decision.new
        managed = goal.custom and not new.is_provider
        if self.mode is Mode.REFRESH and (managed or self.targeting.rests_on_skipped(new)):
            if old is None:
                return [self._left_out(registration, new)]
            registration.succeed(old)
            return []
        if self.mode is Mode.DESTROY:
            if self.targeting.rests_on_skipped(new):
                new.outputs = old.outputs if old is not None else {}
                return [self._left_out(registration, new)]
            if managed:
                if old is None:
                    return [self._left_out(registration, new)]
                self.progress.sames.add(new.urn)
                self.progress.to_delete.append(new)
                new.inputs = old.inputs
                return [SameStep(old, new, registration)]
            self.progress.to_delete.append(new)
        decision.provider = await self._provider_for(new)
        decision.recreating = new.urn in self.progress.deletes
        if goal.custom and goal.import_id:
            known = (old.import_id or old.id) if old is not None and not old.external else None
            if known != goal.import_id:
                return self.targeting.validated(self._import_first(decision))
        return self.targeting.validated(await self._decide(decision))

    def _left_out(self, registration: RegisterResourceEvent, new: ResourceState) -> Step:
        self.progress.leave_out(new.urn)
        return SameStep(None, new, registration, skipped_create=True)

    def _import_first(self, decision: Decision) -> list[Step]:
        """Read what is to be imported first; then decide as if it had been in the state all along."""
        goal, new = decision.goal, decision.new
        self.progress.imports.add(new.urn)
        self.deployment.expected += 1

        def done(read: ResourceState | None, error: Exception | None) -> None:
            async def decide() -> list[Step]:
                self.deployment.expected -= 1
                if error is not None or read is None:
                    return []
                again = goal.new_state(new.urn)
                again.aliases, again.created, again.modified = read.aliases, read.created, read.modified
                again.refresh_before_update, again.replacement_trigger = read.refresh_before_update, None
                decision.old, decision.new = read, again
                return self.targeting.validated(await self._decide(decision))

            self.deployment.push(ContinueEvent(decide, new.urn))

        replaced = None if decision.recreating else decision.old
        step = ImportStep(decision.registration, new, goal.ignore_changes, replaced=replaced, on_done=done)
        return [step] if replaced is None else [step, ReplaceStep(replaced, new)]

    # ------------------------------------------------------------ deciding

    async def _decide(  # noqa: C901 (the order of the questions is the protocol)
        self, decision: Decision
    ) -> list[Step]:
        registration, goal, old, new = decision.registration, decision.goal, decision.old, decision.new
        urn = new.urn
        inputs = new.inputs
        if old is not None:
            inputs, failed = ignoring(goal.ignore_changes, old.inputs, inputs)
            if failed:
                listed = ", ".join(failed)
                self.deployment.info(
                    f'cannot ignore changes in added or removed elements of the path: "{listed}"', urn
                )
        implicit = new.is_provider or new.type == STACK_TYPE
        targeted = implicit or self.targeting.includes(new)
        if targeted:
            new.inputs = await self._checked(decision, inputs)
            self.targeting.queue_untargeted(new)
        elif decision.provider is not None:
            new.inputs = old.inputs if old is not None else {}
        else:
            new.inputs = inputs
        if self.deployment.policy is not None:
            found_bad = await self.deployment.policy.check(self.deployment, new, goal)
            decision.invalid = found_bad or decision.invalid
        if decision.invalid:
            raise BailError(f"resource {urn} is invalid")
        if decision.recreating:
            assert old is not None
            self.progress.deletes.discard(urn)
            self.progress.replaces.add(urn)
            diff = Diff(replace_keys=self.planner.replace_keys.get(urn, ()))
            return [ReplaceStep(old, new), CreateStep(registration, new, replaced=old, diff=diff)]
        if old is not None and old.external:
            self.progress.creates.add(urn)
            create = CreateStep(registration, new, replaced=old, pending_delete=True)
            return [create, ReplaceStep(old, new)]
        self.targeting.grow(new, targeted=targeted)
        if old is None:
            if not targeted:
                return [self._left_out(registration, new)]
            self.progress.creates.add(urn)
            return [CreateStep(registration, new)]
        if not targeted:
            return self.targeting.untargeted_same(registration, old, new)
        return await self.updates.plan(decision, old)

    async def _checked(self, decision: Decision, inputs: Properties) -> Properties:
        """The inputs as the provider wants them; what it does not allow is told."""
        old, new, provider = decision.old, decision.new, decision.provider
        if provider is None:
            return inputs
        fresh = decision.recreating or old is None or old.external or self.targeting.replaces(new.urn, old)
        request = Request(
            new.urn,
            inputs=decision.goal.properties if fresh else inputs,
            old_inputs={} if fresh or old is None else old.inputs,
            seed=decision.seed,
            preview=self.deployment.preview,
        )
        checked = await provider.check(request)
        decision.invalid = report_check_failures(self.deployment, new, checked.failures) or decision.invalid
        return checked.inputs

    # ------------------------------------------------------------ helpers

    async def _provider_for(self, new: ResourceState) -> Provider | None:
        """The provider of a resource that is being registered.

        Raises:
            BailError: not found.
        """
        if not new.custom:
            return None
        if new.is_provider:
            return self.deployment.registry
        provider = self.deployment.registry.get(new.provider)
        if provider is not None:
            return provider
        reference = ProviderReference.parse(new.provider)
        old = self.deployment.olds.get(reference.urn)
        if old is None or old.id != reference.id:
            text = f"unknown provider '{new.provider}' for resource '{new.urn}'"
            raise BailError(self.deployment.error(text, new.urn))
        await self.deployment.ensure_provider(new)
        self.targeting.queue_same(old)
        return self.deployment.provider_of(new)
