"""The kinds of steps on resources: same, create, update, delete, replace, read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.deploy.hooks import Hook
from infra.engine.deploy.step import WELL, Applied, Status, Step, now, status_of
from infra.engine.events import Op
from infra.engine.plugin.diff import NO_CHANGES, Diff
from infra.engine.plugin.provider import Outcome, ProviderError, Request, multi_error
from infra.engine.resource import values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.engine.deploy.context import StepContext
    from infra.engine.deploy.source_events import RegisterResourceEvent
    from infra.engine.resource.state import ResourceState


class DeleteProtectedError(ProviderError):
    """A protected resource was to be deleted."""

    def __init__(self, urn: str) -> None:
        super().__init__(
            f'resource "{urn}" cannot be deleted\n'
            "because it is protected. To unprotect the resource, either remove the `protect` flag from the "
            "resource in your Pulumi program and run `pulumi up`, or use the command:\n"
            f"`pulumi state unprotect '{urn}'`"
        )


class SameStep(Step):
    """Nothing to do, but for the state's own fields (options, dependencies)."""

    op = Op.SAME

    def __init__(
        self,
        old: ResourceState | None,
        new: ResourceState,
        registration: RegisterResourceEvent | None = None,
        *,
        untargeted: bool = False,
        skipped_create: bool = False,
    ) -> None:
        super().__init__(old or new.copy(), new, registration)
        self.untargeted, self.skipped_create = untargeted, skipped_create

    async def apply(self, deployment: StepContext) -> Applied:
        """Carry over what only the provider knows."""
        assert self.old is not None
        assert self.new is not None
        self.new.id, self.new.outputs = self.old.id, self.old.outputs
        if self.new.is_provider and not self.skipped_create and not self.untargeted:
            # Configured with the inputs it had: nothing that counts has changed.
            await deployment.registry.same(self.new.copy(inputs=self.old.inputs), checked=True)
        return WELL

    def complete(self) -> None:
        """Tell who waits; of a create that was left out, nothing is known."""
        if self.registration is not None and self.new is not None:
            self.registration.succeed(self.new, unknown=self.skipped_create)


class CreateStep(Step):
    """Make a resource, perhaps in the place of an old one."""

    op = Op.CREATE
    has_effect = True

    def __init__(
        self,
        registration: RegisterResourceEvent | None,
        new: ResourceState,
        *,
        replaced: ResourceState | None = None,
        diff: Diff = NO_CHANGES,
        pending_delete: bool = False,
    ) -> None:
        super().__init__(replaced, new, registration, diff=diff)
        self.pending_delete = pending_delete
        if replaced is not None:
            self.op, self.logical = Op.CREATE_REPLACEMENT, False

    async def apply(self, deployment: StepContext) -> Applied:
        """Make it."""
        new = self.res
        await deployment.hooks.run(Hook.BEFORE_CREATE, new, None)
        applied = WELL
        if new.custom:
            provider = deployment.provider_of(new)
            request = Request(
                new.urn,
                inputs=new.inputs,
                seconds=new.custom_timeouts.create,
                operation_id=self.operation_id,
                preview=deployment.preview,
            )
            outcome, applied = await _try_call(deployment, new, "create", lambda: provider.create(request))
            if outcome is None:
                return applied
            if outcome.certain:
                deployment.snapshot.acknowledge(self)
            new.id, new.outputs = outcome.id, dict(outcome.outputs or {})
            new.refresh_before_update = outcome.refresh_before_update
        new.created = new.modified = now()
        if self.old is not None and self.pending_delete:
            self.old.delete = True
        if new.custom and applied.error is None:
            await deployment.hooks.run_after(Hook.AFTER_CREATE, new, None)
        return applied


class UpdateStep(Step):
    """Change a resource in place."""

    op = Op.UPDATE
    has_effect = True

    def __init__(
        self,
        registration: RegisterResourceEvent | None,
        old: ResourceState,
        new: ResourceState,
        *,
        diff: Diff = NO_CHANGES,
        ignore: Sequence[str] = (),
    ) -> None:
        super().__init__(old, new, registration, diff=diff)
        self.ignore = ignore

    async def apply(self, deployment: StepContext) -> Applied:
        """Change it."""
        old, new = self.old, self.new
        assert old is not None
        assert new is not None
        new.id, new.created, new.modified = old.id, old.created, old.modified
        await deployment.hooks.run(Hook.BEFORE_UPDATE, new, old)
        applied = WELL
        if new.custom:
            provider = deployment.provider_of(new)
            request = Request(
                new.urn,
                id=old.id,
                inputs=new.inputs,
                old_inputs=old.inputs,
                old_outputs=old.outputs,
                seconds=new.custom_timeouts.update,
                ignore=self.ignore,
                operation_id=self.operation_id,
                preview=deployment.preview,
            )
            outcome, applied = await _try_call(
                deployment, new, "update", lambda: provider.update(request), old
            )
            if outcome is None:
                return applied
            new.outputs = dict(outcome.outputs or {})
            new.refresh_before_update = outcome.refresh_before_update
            new.modified = now()
            if applied.error is None:
                await deployment.hooks.run_after(Hook.AFTER_UPDATE, new, old)
            else:
                # What the provider made of the new inputs is not known: the next run must see a difference.
                new.inputs = dict(old.inputs)
        return applied


class DeleteStep(Step):
    """Remove a resource, or the old one of a replacement."""

    op = Op.DELETE
    has_effect = True

    def __init__(
        self,
        old: ResourceState,
        deletions: set[str],
        *,
        replacing: bool = False,
        pending_replacement: bool = False,
    ) -> None:
        super().__init__(old, None)
        self._deletions = deletions
        self._pending_replacement = pending_replacement
        self.replacing = replacing
        if replacing:
            self.op = Op.DISCARD_REPLACED if old.external else Op.DELETE_REPLACED
            self.logical = False
        elif old.external:
            self.op = Op.READ_DISCARD

    async def apply(self, deployment: StepContext) -> Applied:
        """Remove it."""
        old = self.res
        await deployment.hooks.run(Hook.BEFORE_DELETE, None, old)
        if old.protect and not self.replacing and not deployment.options.ignore_protect:
            return Applied(Status.OK, DeleteProtectedError(old.urn))
        kept = old.external or old.retain_on_delete or old.deleted_with in self._deletions
        if old.custom and not deployment.preview and not kept:
            provider = deployment.provider_of(old)
            request = Request(
                old.urn,
                id=old.id,
                old_inputs=old.inputs,
                old_outputs=old.outputs,
                seconds=old.custom_timeouts.delete,
                operation_id=self.operation_id,
            )

            async def delete() -> Outcome:
                await provider.delete(request)
                return Outcome()

            outcome, applied = await _try_call(deployment, old, "delete", delete, old)
            if outcome is None:
                return applied
        if self._pending_replacement:
            old.pending_replacement = True
        await deployment.hooks.run_after(Hook.AFTER_DELETE, None, old)
        return WELL


class RemovePendingReplaceStep(Step):
    """Forget a resource that was deleted for a replacement which the program no longer asks for."""

    op = Op.REMOVE_PENDING_REPLACE
    logical = False

    def __init__(self, old: ResourceState) -> None:
        super().__init__(old, None)

    async def apply(self, deployment: StepContext) -> Applied:  # noqa: ARG002 (there is nothing outside)
        """Nothing but the record of it."""
        return WELL


class ReplaceStep(Step):
    """That a resource is replaced, as one change to people; its parts are steps of their own."""

    op = Op.REPLACE

    async def apply(self, deployment: StepContext) -> Applied:  # noqa: ARG002
        """Nothing but the record of it."""
        return WELL

    def complete(self) -> None:
        """Its parts tell who waits."""


class ReadStep(Step):
    """Read a resource that is not ours."""

    op = Op.READ

    def __init__(
        self,
        registration: RegisterResourceEvent,
        old: ResourceState | None,
        new: ResourceState,
        *,
        replacing: bool = False,
    ) -> None:
        super().__init__(old, new, registration)
        self.replacing = replacing
        if replacing:
            self.op, self.logical = Op.READ_REPLACEMENT, False

    async def apply(self, deployment: StepContext) -> Applied:
        """Read it."""
        new = self.res
        applied = WELL
        if new.id == values.UNKNOWN_TEXT:
            new.outputs = {}
        else:
            provider = deployment.provider_of(new)
            request = Request(
                new.urn, id=new.id, old_inputs=new.inputs, old_outputs=new.inputs,
                seconds=new.custom_timeouts.read,
            )  # fmt: skip
            outcome, applied = await _try_call(deployment, new, "read", lambda: provider.read(request))
            if outcome is None:
                return applied
            if outcome.outputs is None:
                return Applied(Status.OK, ProviderError(f"resource '{new.id}' does not exist"))
            new.outputs, new.id = dict(outcome.outputs), outcome.id or new.id
        if self.old is not None:
            self.old.delete = self.old.delete or self.replacing
            new.created, new.modified = self.old.created, self.old.modified
            same = values.equal(self.old.inputs, new.inputs) and values.equal(self.old.outputs, new.outputs)
            new.modified = new.modified if same else now()
        return applied


async def _try_call(
    deployment: StepContext,
    state: ResourceState,
    operation: str,
    attempt: Callable[[], object],
    old: ResourceState | None = None,
) -> tuple[Outcome | None, Applied]:
    """Make a provider's call, again where an error hook asks for it.

    Returns:
        What it left (None if nothing), and how it ended.
    """
    failures: list[str] = []
    while True:
        try:
            outcome: Outcome = await attempt()  # type: ignore[misc]
        except ProviderError as error:
            outcome, applied = None, Applied(status_of(error), error)  # type: ignore[assignment]
        else:
            if not outcome.init_errors:
                return outcome, WELL
            state.init_errors = list(outcome.init_errors)
            applied = Applied(Status.PARTIAL, ProviderError(multi_error(outcome.init_errors)))
        failures.append(str(applied.error))
        if not await deployment.hooks.retries(state, old, operation, failures):
            return outcome, applied
