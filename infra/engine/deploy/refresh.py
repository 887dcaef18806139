"""Refresh: read what is in the state, and make what was found the old state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from infra.engine.deploy.context import PlanContext
from infra.engine.deploy.executor import ExecutorContext, StepExecutor
from infra.engine.deploy.refresh_step import RefreshStep
from infra.engine.deploy.snapshot import drop_dangling_references
from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.engine.resource.state import ResourceState


class RefreshContext(PlanContext, ExecutorContext, Protocol):
    """Part of a deployment that a refresh needs.

    Attributes:
        executor: what runs its steps, for whoever cancels the run.
        cancelled: whether somebody did.
    """

    executor: StepExecutor | None
    cancelled: bool

    def index(self, resources: list[ResourceState]) -> None:
        """Make these the old state."""

    def report_result(self, message: str) -> None:
        """Report how the run ended, if not well."""


async def refresh(deployment: RefreshContext, *, asked_for: bool = False) -> bool:
    """Read the old state again.

    Args:
        deployment: whose.
        asked_for: only what its provider wants to have read before each update.

    Returns:
        Whether all of it could be read.
    """
    options = deployment.options
    if not deployment.resources:
        return True
    if deployment.tell_unknown(options.targets) or deployment.tell_unknown(options.excludes):
        return False
    steps = []
    try:
        for state in _select_states(deployment, asked_for=asked_for):
            await deployment.ensure_provider(state)
            steps.append(RefreshStep(state))
    except EngineError as error:
        deployment.error(str(error))
        return False
    deployment.executor = executor = StepExecutor(deployment, options.parallel, ignore_errors=True)
    await executor.execute_parallel(steps)
    await executor.wait()
    rebuild(deployment, steps)
    if executor.failure is not None:
        deployment.report_result("failed")
        return False
    if deployment.cancelled:
        deployment.report_result("canceled")
        return False
    return True


def _select_states(deployment: RefreshContext, *, asked_for: bool) -> Iterable[ResourceState]:
    options = deployment.options
    targets, excludes = options.targets.copy(), options.excludes.copy()
    for state in list(deployment.resources):
        if state.view_of or (asked_for and not state.refresh_before_update):
            continue
        if excludes:
            if state.urn in excludes:
                continue
            if options.exclude_dependents and any(urn in excludes for urn in state.dependency_urns()):
                excludes.add(state.urn)
                continue
        elif targets and state.urn not in targets:
            if not options.target_dependents or not any(urn in targets for urn in state.dependency_urns()):
                continue
            targets.add(state.urn)
        yield state


def rebuild(deployment: RefreshContext, steps: Iterable[RefreshStep]) -> None:
    """Make what refreshes found the old state."""
    found: dict[ResourceState, ResourceState | None] = {step.res: step.new for step in steps}
    resources = [found.get(state, state) for state in deployment.resources]
    rebuilt = drop_dangling_references([state for state in resources if state is not None])
    deployment.index(rebuilt)
    deployment.snapshot.rebuilt(found, rebuilt)
