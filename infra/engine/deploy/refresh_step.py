"""Reading a resource of ours, to see what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.engine.deploy.provider_diff import diff_inputs
from infra.engine.deploy.step import WELL, Applied, Step, now, status_of
from infra.engine.events import Op
from infra.engine.plugin.diff import Changes, Diff
from infra.engine.plugin.provider import ProviderError, Request
from infra.engine.resource import values

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.engine.deploy.context import StepContext
    from infra.engine.resource.state import ResourceState


class RefreshStep(Step):
    """Read a resource of ours to see what became of it.

    Args:
        old: as the state has it.
        new: whose options are in force; the old one's without a program.
        internal: not for people to see (components, providers).
        on_done: told the refreshed state (None if it is gone); then it is recorded in the snapshot at once.
    """

    op = Op.REFRESH
    logical = False

    def __init__(
        self,
        old: ResourceState,
        new: ResourceState | None = None,
        *,
        internal: bool = False,
        on_done: Callable[[ResourceState | None, Exception | None], None] | None = None,
    ) -> None:
        super().__init__(old, new or old)
        self.internal, self._on_done = internal, on_done
        self._diff = Diff()
        self._gone = False

    @property
    def res(self) -> ResourceState:
        """The state that was read."""
        assert self.old is not None
        return self.old

    @property
    def persisted(self) -> bool:
        """Whether the snapshot takes its result at once."""
        return self._on_done is not None

    @property
    def result_op(self) -> Op:
        """Return the result of the refresh: deleted, changed or the same."""
        assert self.old is not None
        if self._gone:
            return Op.DELETE
        if self.new is self.old:
            return Op.SAME
        if self.old.external:
            same = self.new is not None and values.equal(self.old.outputs, self.new.outputs)
        else:
            same = self._diff.changes is Changes.NONE
        return Op.SAME if same else Op.UPDATE

    async def apply(self, deployment: StepContext) -> Applied:
        """Read it and compare."""
        try:
            return await self._apply(deployment)
        except ProviderError as error:
            if self._on_done is not None:
                self._on_done(None, error)
            return Applied(status_of(error), error)

    async def _apply(self, deployment: StepContext) -> Applied:
        old = self.res
        assert self.new is not None
        if not old.custom or old.is_provider or old.pending_replacement:
            if self._on_done is not None:
                self.new = old.copy()
            return WELL
        provider = deployment.provider_of(old)
        request = Request(
            old.urn,
            id=old.id,
            old_inputs=old.inputs,
            old_outputs=old.outputs,
            seconds=old.custom_timeouts.read,
        )
        found = await provider.read(request)
        if found.init_errors:
            listed = "\n* ".join(found.init_errors)
            deployment.warn(f"Refreshed resource is in an unhealthy state:\n* {listed}", old.urn)
        if not found.id or found.outputs is None:
            self._gone, self.new = True, None
            return WELL
        inputs = old.inputs if found.inputs is None else found.inputs
        new = self.new.copy(
            id=found.id,
            inputs=inputs,
            outputs=dict(found.outputs),
            init_errors=list(found.init_errors),
            refresh_before_update=found.refresh_before_update,
        )
        if not values.equal(inputs, old.inputs) or not values.equal(new.outputs, old.outputs):
            new.modified = now()
        if not old.external:
            # From what is there to what the state wants, seen from the other side.
            diff = await diff_inputs(provider, old, new, old.inputs, deployment, old.ignore_changes)
            self._diff = diff.inverted()
            self.diffs, self.detailed = self._diff.changed_keys, self._diff.detailed
        self.new = new
        return WELL

    def complete(self) -> None:
        """Tell who waits what was found."""
        if self._on_done is not None:
            self._on_done(self.new, None)
