"""A run from its start to its end: lock, state, deployment, and what is kept of it."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from infra.engine.backend.backend import FileBackend
from infra.engine.backend.journal import Journal
from infra.engine.backend.refresher import CheckpointRefresher
from infra.engine.backend.secrets import crypter_for
from infra.engine.backend.stack_files import UpdateInfo
from infra.engine.deploy.import_ import refuse_ambiguous
from infra.engine.deploy.preflight import find_protected
from infra.engine.deploy.snapshot import SnapshotManager
from infra.engine.deployment_run import DeploymentRun
from infra.engine.errors import EngineError
from infra.engine.events import (
    CancelEvent,
    DiagnosticEvent,
    Op,
    PreludeEvent,
    Severity,
    StdoutEvent,
    SummaryEvent,
)
from infra.engine.masking import SecretFilter
from infra.engine.options import Operation, Options, Result
from infra.engine.program.interrupts import Interrupts
from infra.engine.resource import integrity
from infra.engine.resource.stack_ref import StackRef
from infra.engine.resource.state import ENGINE_VERSION, SecretsProvider, Snapshot
from infra.engine.resource.targets import Targets
from infra.engine.workspace.project import backend_url
from infra.engine.workspace.project_file import load_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.engine.backend.checkpoint import Checkpoint
    from infra.engine.backend.journal import Begun
    from infra.engine.backend.secrets import PassphraseCrypter
    from infra.engine.deploy.deployment import Deployment
    from infra.engine.events import Event
    from infra.engine.resource.values import Properties
    from infra.engine.workspace.config import Configuration
    from infra.engine.workspace.project import Project

AUTONAMING = "pulumi:autonaming"
_UNCHANGING = {Op.SAME, Op.READ, Op.READ_DISCARD, Op.READ_REPLACEMENT}
_KINDS = {Operation.UP: "update", Operation.IMPORT: "resource-import"}


def run_session(
    operation: Operation, project_dir: Path, stack: str, options: Options, on_event: Callable[[Event], None]
) -> Result:
    """See `infra.engine.run`."""
    project = load_project(project_dir)
    session = Session(operation, project, stack, options, on_event)
    factory = None
    if options.in_process:
        from infra.engine.program.in_process import Loop  # noqa: PLC0415 (needs greenlets)

        factory = Loop
    with asyncio.Runner(loop_factory=factory) as runner:
        result = runner.run(session.run())
    if session.deaf is not None:
        raise session.deaf
    return result


class Session:
    """One run.

    Attributes:
        deaf: what the listener failed with, if it did (for example: nobody reads our output any more).
    """

    def __init__(
        self,
        operation: Operation,
        project: Project,
        stack: str,
        options: Options,
        on_event: Callable[[Event], None],
    ) -> None:
        self._operation, self._project, self._options, self._on_event = operation, project, options, on_event
        self._backend = FileBackend(backend_url(project))
        self._ref = StackRef.parse(stack, project.name)
        self._dry = operation is Operation.PREVIEW or options.preview_only
        self._deployment: Deployment | None = None
        self._interrupts = Interrupts(self._interrupted, self._give_up)
        self.deaf: Exception | None = None
        self._secrets = SecretFilter()

    def _emit(self, event: Event) -> None:
        """Tell the listener; one that fails is told nothing more, and the run ends as if interrupted."""
        if self.deaf is not None:
            return
        try:
            self._on_event(self._secrets.event(event))
        except Exception as error:  # noqa: BLE001 (raised again when what is in flight is saved)
            self.deaf = error
            if self._deployment is not None:
                self._deployment.cancel()

    async def run(self) -> Result:
        """Run.

        Raises:
            EngineError: it could not start.
        """
        with self._backend.locked(self._ref):
            recovery = self._backend.recover(self._ref)
            begun = recovery.begun if recovery else ()
            checkpoint = self._backend.read(self._ref)
            settings = self._project.settings(self._ref.stack, self._options.settings_file)
            config = self._project.configuration(
                settings,
                self._ref.stack,
                self._options.config,
                validate=(self._runs_program or self._operation is Operation.IMPORT)
                and not self._options.skip_config_validation,
            )
            if AUTONAMING in config.values:
                raise EngineError(
                    f"the configuration sets {AUTONAMING}, which this engine does not do",
                    hint="use the Pulumi CLI (`--engine pulumi`)",
                )
            crypter = crypter_for(checkpoint.deployment.get("secrets_providers"), settings.encryption_salt)
            snapshot = Snapshot.from_json(checkpoint.deployment, crypter)
            self._check_targets(snapshot)
            if self._options.exclude_protected:
                kept = find_protected(snapshot)
                if kept and len(kept) == len(snapshot.resources):
                    text = (
                        f"There were no unprotected resources to destroy. There are still {len(kept)} "
                        "protected resources associated with this stack."
                    )
                    self._emit(StdoutEvent(text))
                    return Result(None, {})
                self._options = replace(self._options, excludes=(*self._options.excludes, *kept))
            return await self._run(checkpoint, snapshot, config, crypter, begun)

    @property
    def _runs_program(self) -> bool:
        return self._operation in (Operation.PREVIEW, Operation.UP) or self._options.run_program

    def _check_targets(self, snapshot: Snapshot) -> None:
        """A destroy, a refresh and an import know what they are about before they start."""
        refuse_ambiguous(self._options.imports)
        if self._operation not in (Operation.DESTROY, Operation.REFRESH):
            return
        known = {state.urn for state in snapshot.resources}
        for urn in (*Targets(self._options.targets).literals, *Targets(self._options.excludes).literals):
            if urn not in known:
                raise EngineError(f"no resource named '{urn}' found")

    async def _run(
        self,
        checkpoint: Checkpoint,
        snapshot: Snapshot,
        config: Configuration,
        crypter: PassphraseCrypter,
        begun: tuple[Begun, ...],
    ) -> Result:
        started = time.time()
        journal: Journal | None = None
        if not self._dry:
            journal = Journal(self._backend.files(self._ref).journal, checkpoint.content, begun)
            _note_salt(journal, checkpoint, crypter)
        manager = SnapshotManager(snapshot, journal, crypter, begun)
        self._emit(PreludeEvent(config.shown()))
        failure = ""
        went_well = False
        refresher: CheckpointRefresher | None = None
        async with AsyncExitStack() as resources:
            if journal is not None:
                own, base = self._backend.files(self._ref), checkpoint.deployment
                refresher = resources.enter_context(CheckpointRefresher(own, journal, base))
            try:
                went_well = await self._deploy(resources, manager, config, crypter)
            except EngineError as error:
                failure = self._secrets.text(str(error))
                self._emit(DiagnosticEvent(failure, Severity.ERROR))
        if refresher is not None and refresher.failure:
            text = f"the checkpoint was not refreshed while this ran: {refresher.failure}"
            self._emit(DiagnosticEvent(text, Severity.WARNING))
        deployment = self._deployment
        changes = dict(deployment.reporter.changes) if deployment else {}
        corrupt = deployment.reporter.maybe_corrupt if deployment else False
        outcome = "succeeded" if went_well else "failed"
        policy = deployment.policy if deployment else None
        packs = policy.shown if policy else {}
        seconds = int(time.time() - started)
        self._emit(SummaryEvent(self._dry, seconds, changes, outcome, corrupt, packs))
        result = manager.snapshot()
        if journal is not None:
            self._save(result, crypter, journal)
            self._remember(started, outcome, changes, config)
        self._emit(CancelEvent())
        outputs = self._secrets.value(result.stack_resource.outputs) if result.stack_resource else {}
        return Result(outcome, changes, outputs, self._exit_code(changes, went_well=went_well), failure)

    def _exit_code(self, changes: dict[Op, int], *, went_well: bool) -> int:
        if self._interrupts.count and not went_well:
            return 130
        if not went_well:
            return 1
        unexpected = self._options.expect_no_changes and changes.keys() - _UNCHANGING
        return 7 if unexpected else 0

    def _save(self, result: Snapshot, crypter: PassphraseCrypter, journal: Journal) -> None:
        """Put the new state into place."""
        if not crypter.is_new:
            result.secrets_provider = SecretsProvider(crypter.state["type"], crypter.state["state"])
        deployment = result.to_json(crypter)
        if not crypter.is_new:
            deployment["secrets_providers"] = crypter.state
        records = deployment.get("resources") or []
        if any(True for _ in integrity.problems_of(records)):
            deployment["resources"], _ = integrity.repair(records)
        self._backend.finish(self._ref, journal, deployment)

    def _remember(self, started: float, outcome: str, changes: dict[Op, int], config: Configuration) -> None:
        """Keep a line in the stack's history."""
        info = UpdateInfo(
            kind=_KINDS.get(self._operation, str(self._operation)),
            start_time=int(started),
            end_time=int(time.time()),
            result=outcome,
            changes={str(op): count for op, count in changes.items()},
            message=self._options.message,
            config=config.stored(),
            environment={"exec.kind": "embedded", "pulumi.version": ENGINE_VERSION},
        )
        self._backend.add_history(self._ref, info)

    async def _deploy(
        self,
        resources: AsyncExitStack,
        manager: SnapshotManager,
        config: Configuration,
        crypter: PassphraseCrypter,
    ) -> bool:
        """Do it; whether it went well."""
        self._secrets = SecretFilter(config.secrets(crypter))
        run = DeploymentRun(
            self._operation,
            self._project,
            self._ref,
            replace(self._options, preview_only=self._dry),
            emit=self._emit,
            interrupts=self._interrupts,
        )
        await run.prepare(
            resources, manager, config, crypter, lambda name: self._stack_outputs(name, crypter)
        )
        self._deployment = run.deployment
        if self.deaf is not None:
            run.deployment.cancel()
        return await run.run(resources, manager)

    def _interrupted(self) -> None:
        if self._deployment is not None:
            text = "interrupted: finishing what is in flight; interrupt again to stop at once"
            self._emit(DiagnosticEvent(text, Severity.WARNING))
            self._deployment.cancel()

    def _give_up(self) -> NoReturn:
        """End the process: the program in it does not."""
        text = "the program catches every interrupt; stopped with it, and its lock and journal are left"
        self._emit(DiagnosticEvent(f"{text}: clear them with `cancel`", Severity.ERROR))
        os._exit(130)

    def _stack_outputs(self, name: str, crypter: PassphraseCrypter) -> Properties:
        """The outputs of another stack of this backend, or of ours as it was."""
        ref = StackRef.parse(name, self._project.name)
        if not self._backend.exists(ref):
            raise EngineError(f'unknown stack "{ref}"')
        deployment = self._backend.read(ref).deployment
        other = crypter if ref == self._ref else crypter_for(deployment.get("secrets_providers"))
        found = Snapshot.from_json(deployment, other).stack_resource
        return found.outputs if found else {}


def _note_salt(journal: Journal, checkpoint: Checkpoint, crypter: PassphraseCrypter) -> None:
    """Record the salt before any ciphertext: what a killed run leaves can be read by it alone."""
    if crypter.is_new:
        crypter.on_new_salt = lambda state: journal.note(secrets_providers=state)
    elif not checkpoint.deployment.get("secrets_providers"):
        journal.note(secrets_providers=crypter.state)
