"""Taking over a resource that exists: read it, and have it in the state as if it had been made here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from infra.engine.deploy.step import WELL, Applied, Status, Step, now
from infra.engine.events import Op
from infra.engine.plugin.diff import ignoring
from infra.engine.plugin.provider import ProviderError, Request
from infra.engine.resource.urn import STACK_TYPE, package_of, type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.engine.deploy.context import StepContext
    from infra.engine.deploy.source_events import RegisterResourceEvent
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties


class ImportStep(Step):
    """Read what is to be taken over.

    Args:
        registration: who asked, if the program did (the `import` option).
        new: the state as wanted; `import_id` says what to read.
        ignore: ignoreChanges.
        replaced: what stands under that URN until now.
        on_done: told the state that was read, so that it can be compared with what is wanted.
        properties: of the import command: told apart in a message only, since the CLI keeps all inputs.
    """

    op = Op.IMPORT

    def __init__(
        self,
        registration: RegisterResourceEvent | None,
        new: ResourceState,
        ignore: Sequence[str] = (),
        *,
        replaced: ResourceState | None = None,
        on_done: Callable[[ResourceState | None, Exception | None], None] | None = None,
        properties: Sequence[str] = (),
    ) -> None:
        super().__init__(None, new, registration)
        self.replaced, self._ignore, self._on_done, self._properties = replaced, ignore, on_done, properties
        if replaced is not None:
            self.op, self.logical = Op.IMPORT_REPLACEMENT, False

    @property
    def _by_command(self) -> bool:
        return self._on_done is None

    async def apply(self, deployment: StepContext) -> Applied:
        """Read it."""
        try:
            return await self._apply(deployment)
        except ProviderError as error:
            if self._on_done is not None:
                self._on_done(None, error)
            return Applied(Status.UNKNOWN if error.uncertain else Status.OK, error)

    async def _apply(self, deployment: StepContext) -> Applied:
        new = self.res
        if self._by_command:
            if new.urn in deployment.olds:
                raise ProviderError(f"resource '{new.urn}' already exists")
            if type_of(new.parent) != STACK_TYPE and new.parent not in deployment.news:
                raise ProviderError(f"unknown parent '{new.parent}' for resource '{new.urn}'")
        if not new.custom:
            new.created = new.modified = now()
            self.old = new.copy(created="", modified="")
            return WELL
        provider = deployment.provider_of(new)
        found = await provider.read(
            Request(
                new.urn, id=new.import_id, old_inputs=None, old_outputs=None, seconds=new.custom_timeouts.read
            )
        )
        if found.outputs is None:
            raise ProviderError(f"resource '{new.id or new.import_id}' does not exist")
        if found.inputs is None:
            plugin = package_of(new.type)
            text = f"provider does not support importing resources; please try updating the '{plugin}' plugin"
            raise ProviderError(text)
        new.init_errors = list(found.init_errors)
        new.id = found.id or new.import_id
        new.outputs = dict(found.outputs)
        new.refresh_before_update = found.refresh_before_update
        new.created = new.modified = now()
        self.old = new.copy(
            inputs=found.inputs, additional_secret_outputs=[], aliases=[], created="", modified=""
        )
        if self._by_command:
            await self._keep_inputs(deployment, found.inputs)
            return WELL
        new.inputs, _ = ignoring(list(self._ignore), found.inputs, found.inputs)
        if self.replaced is not None:
            self.replaced.delete = True
        return WELL

    async def _keep_inputs(self, deployment: StepContext, inputs: Properties) -> None:
        """Let the provider see the inputs; what it does not like is only said."""
        new = self.res
        new.import_id = ""
        new.inputs = inputs
        request = Request(
            new.urn,
            inputs=new.inputs,
            old_inputs=inputs,
            seed=os.urandom(32),
            preview=deployment.preview,
        )
        checked = await deployment.provider_of(new).check(request)
        if checked.failures:
            reason = (
                "Try specifying a different set of properties to import with in the future."
                if self._properties
                else f"This is almost certainly a bug in the `{package_of(new.type)}` provider."
            )
            deployment.warn(
                f"One or more imported inputs failed to validate. {reason} The import will still proceed, "
                "but you will need to edit the generated code after copying it into your program.",
                new.urn,
            )
            for failure in checked.failures:
                about = f"property {failure.property}" if failure.property else "it"
                deployment.warn(
                    f"{new.type} resource '{new.name}': {about} has a problem: {failure.reason}", new.urn
                )

    def complete(self) -> None:
        """Tell who compares what was read with what is wanted, or who waits."""
        if self._on_done is not None:
            self._on_done(self.new, None)
        else:
            super().complete()
