"""A deployment: the loop that takes what the program asks for, one by one, and carries out what follows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from infra.engine.deploy.bail import BailError
from infra.engine.deploy.continuation import ContinueEvent
from infra.engine.deploy.executor import StepExecutor
from infra.engine.deploy.finish import finish_program
from infra.engine.deploy.hooks import Hooks
from infra.engine.deploy.pending import pending_warning
from infra.engine.deploy.refresh import refresh
from infra.engine.deploy.reporter import Reporter
from infra.engine.deploy.source_events import (
    ProgramEndEvent,
    RegisterResourceEvent,
    RegisterResourceOutputsEvent,
    WakeEvent,
)
from infra.engine.deploy.step_generator import StepGenerator
from infra.engine.errors import EngineError
from infra.engine.events import DiagnosticEvent, Severity
from infra.engine.plugin.builtins import BuiltinProvider
from infra.engine.plugin.provider import ProviderError
from infra.engine.plugin.provider_registry import ProviderRegistry
from infra.engine.resource import urn as urns
from infra.engine.resource.graph import DependencyGraph
from infra.engine.resource.urn import ProviderReference

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from infra.engine.deploy.continuation import SourceEvent
    from infra.engine.deploy.deployment_options import DeploymentOptions
    from infra.engine.deploy.policy import Policy
    from infra.engine.deploy.snapshot import SnapshotManager
    from infra.engine.deploy.step import Step
    from infra.engine.events import Event
    from infra.engine.plugin.plugins import PluginHost
    from infra.engine.plugin.provider import Provider
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.targets import Targets
    from infra.engine.resource.values import Properties


class Deployment:
    """One run over one stack.

    Args:
        project: the project's name.
        stack: the stack's.
        options: how.
        snapshot: the state, and where its changes are recorded.
        host: starts plugins.
        emit: takes events.
        stack_outputs: reads another stack's outputs.
    """

    def __init__(  # noqa: PLR0917 (named by its one caller)
        self,
        project: str,
        stack: str,
        options: DeploymentOptions,
        snapshot: SnapshotManager,
        host: PluginHost,
        emit: Callable[[Event], None],
        stack_outputs: Callable[[str], Properties],
    ) -> None:
        self.project, self.stack, self.options, self.snapshot = project, stack, options, snapshot
        self.preview = options.preview
        self._emit = emit
        self.reporter = Reporter(
            emit, preview=options.preview, refresh=options.refresh, only=options.refresh_only
        )
        self.hooks = Hooks(preview=options.preview, warn=self.warn, report=self._report)
        self.registry = ProviderRegistry(host, BuiltinProvider(stack_outputs, self.find))
        self.policy: Policy | None = None
        self.news: dict[str, ResourceState] = {}
        self.reads: dict[str, ResourceState] = {}
        self.expected = 0
        """Decisions that wait for a step."""
        self._events: asyncio.Queue[SourceEvent] = asyncio.Queue()
        self.executor: StepExecutor | None = None
        self._skipped: set[str] = set()
        self.cancelled = False
        self.index(snapshot.base.resources)

    def index(self, resources: list[ResourceState]) -> None:
        """Take the old state in."""
        self.resources = resources
        self.graph = DependencyGraph(resources)
        self.olds: dict[str, ResourceState] = {}
        self.all_olds: dict[str, list[ResourceState]] = {}
        for state in resources:
            self.all_olds.setdefault(state.urn, []).append(state)
            if not state.delete:
                if state.urn in self.olds:
                    raise EngineError(f"the state has the resource {state.urn} twice")
                self.olds[state.urn] = state

    # ------------------------------------------------------------ what others ask of it

    def push(self, event: SourceEvent) -> None:
        """Put something in the queue."""
        self._events.put_nowait(event)

    def wake(self) -> None:
        """Let the loop see that it was cancelled."""
        self._events.put_nowait(WakeEvent())

    def find(self, urn: str) -> ResourceState | None:
        """A resource of this run."""
        return self.news.get(urn) or self.reads.get(urn)

    def provider_of(self, state: ResourceState) -> Provider:
        """The provider of a resource.

        Raises:
            ProviderError: it is not there.
        """
        if state.is_provider:
            return self.registry
        provider = self.registry.get(state.provider) if state.provider else None
        if provider is None:
            raise ProviderError(f"unknown provider '{state.provider}' for resource {state.urn}")
        return provider

    async def ensure_provider(self, state: ResourceState) -> None:
        """Have the provider of a resource ready, out of the old state if nothing registered it.

        Raises:
            EngineError: not found, or it cannot be started.
        """
        if not state.provider or self.registry.get(state.provider) is not None:
            return
        urn, id_ = ProviderReference.parse(state.provider)
        found = next((one for one in self.all_olds.get(urn, ()) if one.id == id_), None)
        trouble = f"could not load provider for resource {state.urn}"
        if found is None:
            raise EngineError(f"{trouble}: could not find provider {state.provider}")
        try:
            await self.registry.same(found, checked=False)
        except (EngineError, ProviderError) as error:
            raise EngineError(f"{trouble}: could not create provider {state.provider}: {error}") from error

    def info(self, message: str, urn: str = "") -> None:
        """Say something."""
        self._emit(DiagnosticEvent(message, Severity.INFO, urn))

    def warn(self, message: str, urn: str = "") -> None:
        """Warn."""
        self._emit(DiagnosticEvent(message, Severity.WARNING, urn))

    def error(self, message: str, urn: str = "") -> str:
        """Say that something is wrong; returns the message, to raise it with."""
        self._emit(DiagnosticEvent(message, Severity.ERROR, urn))
        return message

    def _report(self, message: str, urn: str) -> None:
        self.error(message, urn)

    def cancel(self) -> None:
        """People want it to stop: finish what is in flight, start nothing more."""
        self.cancelled = True
        if self.executor is not None:
            self.executor.cancel()

    # ------------------------------------------------------------ running

    async def run(self, start: Callable[[], None]) -> bool:  # noqa: PLR0911 (a run has many ends)
        """Run with a program (or with nothing, for a destroy) as the source.

        Args:
            start: starts the program, whose registrations come by `push`.

        Returns:
            Whether it went well; what went wrong was told as diagnostics.
        """
        options = self.options
        if not await self._prepare():
            return False
        if options.refresh_only and not options.refresh_with_program:
            return True
        generator = StepGenerator(self, options.mode, refresh=options.refresh_with_program)
        self.executor = executor = StepExecutor(self, options.parallel)
        if self.cancelled:
            executor.cancel()
        start()
        bailed = not await self._loop(generator, executor)
        await executor.wait()
        bad = (
            bailed or executor.failure is not None or generator.progress.saw_error or self.hooks.failed_after
        )
        try:
            await executor.finish_stack(failed=bad)
        except EngineError as error:
            self.error(str(error))
            return False
        if bailed:
            return False
        if self.policy is not None:
            if executor.failure is None:
                await self.policy.check_stack(self)
            generator.progress.saw_error = generator.progress.saw_error or self.policy.saw_error
        if executor.failure is not None or generator.progress.saw_error or self.hooks.failed_after:
            self.report_result("failed")
            return False
        if self.cancelled:
            self.report_result("canceled")
            return False
        return True

    async def _prepare(self) -> bool:
        """Read what is to be read before the program starts; whether it may start."""
        options = self.options
        pending = self.snapshot.base.pending_operations
        went_well = True
        if options.refresh:
            went_well = options.refresh_with_program or await refresh(self)
        elif any(state.refresh_before_update for state in self.resources):
            went_well = await refresh(self, asked_for=True)  # their providers did
        elif pending and not self.preview:
            self.warn(pending_warning(pending))
        return went_well and not self.tell_unknown(options.replace_targets)

    async def _loop(self, generator: StepGenerator, executor: StepExecutor) -> bool:
        """Take events until the program is through and everything that it asked for is decided.

        Returns:
            False if the run had to be broken off.
        """
        finished = False
        while True:
            event = await self._events.get()
            if executor.cancelled:
                return True
            try:
                if isinstance(event, ProgramEndEvent):
                    if event.error is not None:
                        if event.error:
                            self.error(event.error)
                        executor.cancel()
                        return False
                    finished = True
                else:
                    await self._handle(event, generator, executor)
                if finished and not self.expected:
                    await finish_program(self, generator, executor)
                    return True
            except BailError:
                executor.cancel()
                return False
            except (EngineError, ProviderError) as error:
                self.error(str(error).strip(), _urn_of(event, generator))
                executor.cancel()
                return False

    async def _handle(self, event: SourceEvent, generator: StepGenerator, executor: StepExecutor) -> None:
        if isinstance(event, RegisterResourceOutputsEvent):
            await executor.register_outputs(event)
            return
        if isinstance(event, RegisterResourceEvent):
            steps = await generator.generate(event)
        elif isinstance(event, ContinueEvent):
            steps = await event.decide()
        else:
            return
        if executor.failed_steps:
            steps = self._without_dependents(steps, executor)
        await executor.execute_serial(steps)

    def _without_dependents(self, steps: list[Step], executor: StepExecutor) -> list[Step]:
        """Leave out what rests upon something that failed."""
        failed = {step.urn for step in executor.failed_steps} | self._skipped
        kept = []
        for step in steps:
            if any(urn in failed for urn in step.res.dependency_urns()):
                step.skip()
                failed.add(step.urn)
                self._skipped.add(step.urn)
            else:
                kept.append(step)
        return kept

    # ------------------------------------------------------------ messages

    def tell_unknown(self, targets: Targets, known: Container[str] = ()) -> bool:
        """Say which targets are neither in the old state nor known otherwise; whether there are any."""
        unknown = [urn for urn in targets.literals if urn not in self.all_olds and urn not in known]
        for urn in unknown:
            hint = "" if "$" in urn else " Did you forget to escape $ in your shell?"
            self.error(f"Target '{urn}' could not be found in the stack.{hint}")
        return bool(unknown)

    def report_result(self, message: str) -> None:
        """Say how it ended, if not well."""
        self.error(f"{'preview' if self.preview else 'update'} {message}")


def _urn_of(event: SourceEvent, generator: StepGenerator) -> str:
    """The resource that an event is about, for the message of an error."""
    if isinstance(event, RegisterResourceEvent):
        goal = event.goal
        deployment = generator.deployment
        return urns.make(deployment.stack, deployment.project, goal.parent, goal.type, goal.name)
    return event.urn if isinstance(event, ContinueEvent | RegisterResourceOutputsEvent) else ""
