"""The end of a program: what it did not register is deleted, or read in a refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.deploy.bail import BailError
from infra.engine.deploy.deployment_options import Mode
from infra.engine.deploy.refresh import rebuild

if TYPE_CHECKING:
    from infra.engine.deploy.executor import StepExecutor
    from infra.engine.deploy.refresh import RefreshContext
    from infra.engine.deploy.step_generator import StepGenerator
    from infra.engine.resource.state import ResourceState


async def finish_program(
    deployment: RefreshContext, generator: StepGenerator, executor: StepExecutor
) -> None:
    """Delete what the program did not register, or read it in a refresh.

    Raises:
        BailError: a target is neither in the state nor was it registered.
        EngineError: a step cannot be decided.
    """
    unknown = deployment.tell_unknown(deployment.options.targets, generator.progress.urns)
    await executor.wait()
    if deployment.resources:
        if generator.mode is Mode.REFRESH:
            await _refresh_rest(deployment, generator, executor)
        else:
            await _delete_rest(generator, executor)
    if unknown:
        raise BailError("one or more targets could not be found in the stack")


async def _delete_rest(generator: StepGenerator, executor: StepExecutor) -> None:
    try:
        sames, deletes = await generator.planner.at_the_end()
    except BailError:
        return  # told; then the run ends as a failure without a bail, as the CLI does
    task = await executor.execute_serial(sames)
    if task is not None:
        await task
    kept: set[ResourceState] = set()
    seen = 0
    for group in generator.planner.scheduled(deletes):
        if len(executor.failed_steps) > seen:
            kept |= generator.planner.doomed_dependencies(executor.failed_steps[seen:])
            seen = len(executor.failed_steps)
        await executor.execute_parallel(step for step in group if step.res not in kept)


async def _refresh_rest(deployment: RefreshContext, generator: StepGenerator, executor: StepExecutor) -> None:
    steps = await generator.planner.refreshes()
    await executor.execute_parallel(steps)
    await executor.wait()
    rebuild(deployment, steps)
