"""A deployment with what it needs around it: plugins, policy packs, the monitor and the program."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from infra.engine.deploy.bail import BailError
from infra.engine.deploy.deployment import Deployment
from infra.engine.deploy.deployment_options import DeploymentOptions
from infra.engine.deploy.import_ import import_resources
from infra.engine.deploy.pending import settle_pending
from infra.engine.deploy.policy import Policy
from infra.engine.deploy.preflight import providers_of, refuse_delete_hooks
from infra.engine.deploy.provider_request import ProviderRequest, find_packages
from infra.engine.deploy.source_events import ProgramEndEvent
from infra.engine.events import DiagnosticEvent, Severity
from infra.engine.options import Operation, Options
from infra.engine.plugin.finder import Finder, is_ours
from infra.engine.plugin.plugins import CHANNEL_OPTIONS, PluginHost
from infra.engine.plugin.run_info import RunInfo
from infra.engine.program.engine_service import EngineService
from infra.engine.program.monitor import Monitor
from infra.engine.program.monitor_service import MonitorService
from infra.engine.program.program import ProgramProcess, find_required_providers, interpreter
from infra.engine.program.typecheck import check_types
from infra.engine.resource.stack_ref import ORGANIZATION, StackRef
from infra.engine.workspace.toolchain import Interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AsyncExitStack

    from infra.engine.backend.secrets import PassphraseCrypter
    from infra.engine.deploy.snapshot import SnapshotManager
    from infra.engine.events import Event
    from infra.engine.program.in_process import InProcessProgram
    from infra.engine.program.interrupts import Interrupts
    from infra.engine.resource.values import Properties
    from infra.engine.workspace.config import Configuration
    from infra.engine.workspace.project import Project


class DeploymentRun:
    """One operation on a stack whose state is known.

    Args:
        operation: what is done.
        project: the project.
        ref: the stack.
        options: how; `preview_only` holds for a preview too.
        emit: told every event.
        interrupts: what Ctrl-C does.

    Attributes:
        deployment: there when it is prepared.
    """

    deployment: Deployment

    def __init__(
        self,
        operation: Operation,
        project: Project,
        ref: StackRef,
        options: Options,
        *,
        emit: Callable[[Event], None],
        interrupts: Interrupts,
    ) -> None:
        self._operation, self._project, self._ref, self._options = operation, project, ref, options
        self._emit, self._interrupts = emit, interrupts
        self._runs_program = operation in (Operation.PREVIEW, Operation.UP) or options.run_program

    async def prepare(
        self,
        resources: AsyncExitStack,
        manager: SnapshotManager,
        config: Configuration,
        crypter: PassphraseCrypter,
        outputs_of: Callable[[str], Properties],
    ) -> None:
        """Make the deployment, and serve the engine to plugins and the program.

        Args:
            resources: closed at the end.
            manager: the state.
            config: the stack's configuration.
            crypter: opens its secrets.
            outputs_of: the outputs of a stack by its name.

        Raises:
            EngineError: the program's environment is not there, or its toolchain fails.
        """
        preview, project = self._options.preview_only, self._project
        options = DeploymentOptions.of(
            self._operation, self._options, preview=preview, always_refresh=project.always_refresh
        )
        self._engine = EngineService(self._emit)
        server = grpc.aio.server(options=CHANNEL_OPTIONS)
        engine_pb2_grpc.add_EngineServicer_to_server(self._engine, server)
        self._address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        self._python = Interpreter(self._options.python or sys.executable)
        if project.runtime == "python":
            # uv may have to bring the environment up to date first.
            self._python = await asyncio.to_thread(interpreter, project, self._python)
        host = self._host = PluginHost(
            Finder(project.plugins, self._python),
            project.program_folder,
            {"PULUMI_PROJECT": project.name, "PULUMI_STACK": self._ref.stack},
            self._line,
            in_process=self._options.in_process,
        )
        host.engine_address = self._address
        resources.push_async_callback(host.close)
        self.deployment = Deployment(
            project.name, self._ref.stack, options, manager, host, self._emit, outputs_of
        )
        resources.push_async_callback(self.deployment.registry.close)
        self._info = RunInfo(
            project=project.name,
            stack=self._ref.stack,
            organization=ORGANIZATION,
            preview=preview,
            parallel=options.parallel,
            config=config.texts(crypter),
            secret_keys=config.secret_keys,
            project_dir=project.folder,
            program_dir=project.program_folder,
        )
        self._package_config = lambda package: config.package(package, crypter)
        required: tuple[ProviderRequest, ...] = ()
        if self._runs_program or self._operation is Operation.IMPORT:
            required = await asyncio.to_thread(find_required_providers, self._python)
        self._known = find_packages(required, manager.base.resources)
        self._monitor = Monitor(self.deployment, self._info, self._package_config, self._known)
        self._monitor.address = self._address
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(MonitorService(self._monitor), server)
        await server.start()
        resources.push_async_callback(server.stop, None)
        resources.push_async_callback(self._monitor.close)

    async def run(self, resources: AsyncExitStack, manager: SnapshotManager) -> bool:
        """Do it.

        Returns:
            whether it went well.

        Raises:
            EngineError: the program or a policy pack cannot be started.
        """
        self._interrupts.watch(resources)
        if self._runs_program and not await self._ready_for_program():
            return False
        program = self._program() if self._runs_program else None
        if program is not None:
            for name, version in providers_of(manager.base):
                self._host.warm_up(name, version)

        def start() -> None:
            if program is not None:
                program.start(self._project.main)
            else:
                self.deployment.push(ProgramEndEvent())

        went_well = False
        try:
            result = await self._interrupts.stoppable(self._operate(manager, start))
            went_well = bool(result)
            if result is None:
                self._line("stopped at once; what was in flight is pending", Severity.ERROR)
        finally:
            self._engine.muted = not went_well
            self._monitor.abort()
            if program is not None:
                await program.finish(wait=5.0 if went_well else 0)
        return went_well

    async def _ready_for_program(self) -> bool:
        """Start the policy packs and check the program's types; False if people stop it."""
        first: list[Callable[[], Coroutine[None, None, None]]] = []
        if self._options.policy_packs:
            policy = self.deployment.policy = Policy(self._emit, self._options.preview_only)
            packs, configs = self._options.policy_packs, self._options.policy_pack_configs
            first.append(lambda: policy.load(self._host, packs, configs, self._info, self._python))
        if checker := self._project.runtime_options.get("typechecker"):
            folder = self._project.program_folder
            first.append(lambda: check_types(checker, self._python, folder, self._line))
        for one in first:
            if not self._interrupts.stopped:
                await self._interrupts.stoppable(one())
        return not self._interrupts.stopped

    def _program(self) -> ProgramProcess | InProcessProgram:
        """The program, in this process if that was asked for and its packages are ours."""
        python = self._python
        if self._options.in_process and is_ours(python.path):
            from infra.engine.program.in_process import InProcessProgram  # noqa: PLC0415 (needs greenlets)

            return InProcessProgram(self._monitor, self._engine, self._line, python.environment)
        return ProgramProcess(self._monitor, self._address, python, self._line)

    async def _operate(self, manager: SnapshotManager, start: Callable[[], None]) -> bool:
        try:
            if self._operation is Operation.IMPORT:
                specs, config = self._options.imports, self._package_config
                return await import_resources(self.deployment, specs, config, self._known)
            if self._operation is Operation.DESTROY and not self._options.run_program:
                refuse_delete_hooks(manager.base)
            if self._operation is Operation.REFRESH:
                settle_pending(manager, self._options)
            return await self.deployment.run(start)
        except BailError:
            return False

    def _line(self, text: str, severity: Severity) -> None:
        self._emit(DiagnosticEvent(text, severity))
