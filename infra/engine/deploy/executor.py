"""The step executor: runs chains of steps, tells the snapshot and the display, stops when one fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from infra.engine.deploy.context import StepContext
from infra.engine.deploy.hooks import Hook
from infra.engine.deploy.step import Applied, Status, Step
from infra.engine.deploy.steps import CreateStep, DeleteProtectedError, SameStep, UpdateStep
from infra.engine.errors import EngineError
from infra.engine.events import Op
from infra.engine.plugin.provider import ProviderError
from infra.engine.resource import values
from infra.engine.resource.urn import STACK_TYPE, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.engine.deploy.reporter import Reporter
    from infra.engine.deploy.snapshot import SnapshotManager
    from infra.engine.deploy.source_events import RegisterResourceOutputsEvent
    from infra.engine.resource.state import ResourceState


class ExecutorContext(StepContext, Protocol):
    """Part of a deployment that the executor needs beyond what its steps do.

    Attributes:
        reads: states that the program read, by URN.
    """

    @property
    def snapshot(self) -> SnapshotManager: ...  # noqa: D102 (see StepContext)
    @property
    def reporter(self) -> Reporter: ...  # noqa: D102
    @property
    def reads(self) -> dict[str, ResourceState]: ...  # noqa: D102

    def wake(self) -> None:
        """Let the deployment's loop see that it was cancelled."""


class StepExecutor:
    """Executes.

    Args:
        deployment: whose steps.
        parallel: chains at once; 0 means no limit.
        ignore_errors: go on after a failure (a refresh, an import).
    """

    def __init__(self, deployment: ExecutorContext, parallel: int, *, ignore_errors: bool = False) -> None:
        self._deployment, self._ignore_errors = deployment, ignore_errors
        self._slots = asyncio.Semaphore(parallel) if parallel else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._awaiting_outputs: dict[str, Step] = {}
        self.cancelled = False
        self.failure: Exception | None = None
        self.failed_steps: list[Step] = []
        self.stack_outputs: RegisterResourceOutputsEvent | None = None

    def cancel(self) -> None:
        """Start nothing more."""
        self.cancelled = True
        self._deployment.wake()

    async def execute_serial(self, chain: list[Step]) -> asyncio.Task[None] | None:
        """Start a chain as soon as there is room for it."""
        if self.cancelled or not chain:
            return None
        if self._slots is not None:
            await self._slots.acquire()
        if self._stopped():  # meanwhile
            self._release()
            return None
        task = asyncio.ensure_future(self._run(chain))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)  # it starts now: what fails in the meantime stops only what comes after it
        return task

    def _stopped(self) -> bool:
        return self.cancelled

    def _release(self) -> None:
        if self._slots is not None:
            self._slots.release()

    async def execute_parallel(self, steps: Iterable[Step]) -> None:
        """Run steps at once, to the end of the last."""
        tasks = [await self.execute_serial([step]) for step in steps]
        running = [task for task in tasks if task is not None]
        if running:
            await asyncio.wait(running)

    async def wait(self) -> None:
        """Wait for what is in flight."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, chain: list[Step]) -> None:
        try:
            for index, step in enumerate(chain):
                if self.cancelled:
                    return
                if not await self._step(step):
                    self._give_up(chain[index + 1 :])
                    return
        except EngineError as error:
            # The journal or a plugin: nothing more can be done safely.
            self._deployment.error(str(error))
            self._stop(error)
        finally:
            self._release()

    async def _step(self, step: Step) -> bool:
        """Run one step; whether the chain may go on."""
        deployment = self._deployment
        deployment.reporter.started(step)
        await deployment.snapshot.begin(step)
        try:
            applied = await step.apply(deployment)
        except ProviderError as error:
            applied = Applied(Status.UNKNOWN if error.uncertain else Status.OK, error)
        except EngineError as error:
            applied = Applied(Status.UNKNOWN, error)
        self._settle(step, applied)
        await deployment.snapshot.unlock(step.new)
        deployment.reporter.ended(step, applied)
        lost = isinstance(applied.error, EngineError) and bool(step.operation_id)
        if not lost:  # of an operation whose plugin died, the begin stays: its outcome is not known
            deployment.snapshot.end(step, success=applied.error is None or applied.status is Status.PARTIAL)
        if applied.error is None:
            step.complete()
            if deployment.hooks.failed_after and not deployment.options.continue_on_error:
                self.cancel()
            return True
        self._stop(applied.error, step)
        return False

    def _give_up(self, steps: list[Step]) -> None:
        """Answer for the rest of a chain: if the run goes on, the program waits for it."""
        for step in steps if self.failed_steps and not self.cancelled else ():
            step.fail()
            self.failed_steps.append(step)

    def _settle(self, step: Step, applied: Applied) -> None:
        """Mark secrets in the outputs, and note who is there now."""
        deployment = self._deployment
        if applied.error is None and step.logical and step.new is not None:
            self._awaiting_outputs[step.urn] = step
        if step.new is None or step.op is Op.REPLACE:
            return
        state = step.new
        for key in state.additional_secret_outputs:
            if key == "id":
                text = "The 'id' property cannot be made secret. See pulumi/pulumi#2717 for more details."
                deployment.warn(text, step.urn)
        secret = set(state.additional_secret_outputs) - {"id"}
        secret |= {key for key, value in state.inputs.items() if isinstance(value, values.Secret)}
        for key in secret & state.outputs.keys():
            if not isinstance(state.outputs[key], values.Secret):
                state.outputs[key] = values.Secret(state.outputs[key])
        known = deployment.reads if step.op in (Op.READ, Op.READ_REPLACEMENT) else deployment.news
        known[state.urn] = state

    def _stop(self, error: Exception, step: Step | None = None) -> None:
        """Note a failure."""
        self.failure = self.failure or error
        if self._ignore_errors:
            return
        go_on = self._deployment.options.continue_on_error or isinstance(error, DeleteProtectedError)
        if go_on and step is not None:
            step.fail()
            self.failed_steps.append(step)
        else:
            self.cancel()

    # ------------------------------------------------------------ outputs of components

    async def register_outputs(self, outputs: RegisterResourceOutputsEvent) -> None:
        """Take in a component's outputs; those of the stack wait for the end.

        Raises:
            EngineError: no such resource is waiting for them.
        """
        if type_of(outputs.urn) == STACK_TYPE:
            self.stack_outputs = outputs
            outputs.done()
            return
        await self._take_outputs(outputs, merge=False)
        outputs.done()

    async def finish_stack(self, *, failed: bool) -> None:
        """Set the stack's outputs; after a failure, over the old ones."""
        if self.stack_outputs is not None:
            await self._take_outputs(self.stack_outputs, merge=failed)

    async def _take_outputs(self, outputs: RegisterResourceOutputsEvent, *, merge: bool) -> None:
        deployment = self._deployment
        step = self._awaiting_outputs.pop(outputs.urn, None)
        if step is None:
            raise EngineError(f"cannot complete a resource '{outputs.urn}' whose registration isn't pending")
        if isinstance(step, SameStep) and step.skipped_create:
            return
        state, old = step.res, deployment.olds.get(outputs.urn)
        before = old.outputs if old is not None else {}
        state.outputs = {**before, **outputs.outputs} if merge else outputs.outputs
        if not state.custom and isinstance(step, CreateStep):
            await deployment.hooks.run_after(Hook.AFTER_CREATE, state, None)
        elif not state.custom and isinstance(step, UpdateStep):
            await deployment.hooks.run_after(Hook.AFTER_UPDATE, state, step.old)
        deployment.reporter.outputs(step)
        await deployment.snapshot.unlock(state)
        deployment.snapshot.outputs(state, old)
        if deployment.hooks.failed_after and not deployment.options.continue_on_error:
            self.cancel()
