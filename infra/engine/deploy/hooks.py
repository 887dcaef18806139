"""Resource hooks: the program's own functions, run before and after operations, or when one fails."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from infra.engine.plugin.provider import ProviderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.engine.resource.state import ResourceState

RETRY_LIMIT: Final = 100
"""How often error hooks may ask for another try of one operation; the CLI's limit."""


class Hook(StrEnum):
    """When a hook runs; the values are the state's."""

    BEFORE_CREATE = "BeforeCreate"
    AFTER_CREATE = "AfterCreate"
    BEFORE_UPDATE = "BeforeUpdate"
    AFTER_UPDATE = "AfterUpdate"
    BEFORE_DELETE = "BeforeDelete"
    AFTER_DELETE = "AfterDelete"
    ON_ERROR = "OnError"


HOOK_FIELDS: Final = {
    Hook.BEFORE_CREATE: "before_create",
    Hook.AFTER_CREATE: "after_create",
    Hook.BEFORE_UPDATE: "before_update",
    Hook.AFTER_UPDATE: "after_update",
    Hook.BEFORE_DELETE: "before_delete",
    Hook.AFTER_DELETE: "after_delete",
    Hook.ON_ERROR: "on_error",
}
"""What the protocol calls them where it binds names to them."""


@dataclass(frozen=True, slots=True)
class _Registered:
    function: HookFunction
    in_preview: bool
    lenient: bool


class Hooks:
    """The hooks that the program registered, by name.

    Args:
        preview: then only hooks run that said so.
        warn: told (message, urn).
        report: told (message, urn) of a hook that failed after the operation itself went well.
    """

    def __init__(
        self, *, preview: bool, warn: Callable[[str, str], None], report: Callable[[str, str], None]
    ) -> None:
        self._preview, self._warn, self._report = preview, warn, report
        self._hooks: dict[str, _Registered] = {}
        self._error_hooks: dict[str, ErrorHookFunction] = {}
        self.failed_after = False

    def register(self, name: str, function: HookFunction, *, in_preview: bool, lenient: bool = False) -> None:
        """Take a hook in.

        Args:
            name: by which resources ask for it.
            function: what it does.
            in_preview: whether it is run in previews too.
            lenient: whether its failure is only a warning.

        Raises:
            ValueError: there is one of that name.
        """
        if name in self._hooks:
            raise ValueError(f'resource hook already registered for name "{name}"')
        self._hooks[name] = _Registered(function, in_preview, lenient)

    def register_error(self, name: str, function: ErrorHookFunction) -> None:
        """Take an error hook in.

        Raises:
            ValueError: there is one of that name.
        """
        if name in self._error_hooks:
            raise ValueError(f'error hook already registered for name "{name}"')
        self._error_hooks[name] = function

    async def run(self, hook: Hook, new: ResourceState | None, old: ResourceState | None) -> None:
        """Run what a resource has for a moment before its operation.

        Raises:
            ProviderError: one failed, so the operation must not be done.
        """
        state = new or old
        assert state is not None
        for name in state.resource_hooks.get(hook, ()):
            known = self._hooks.get(name)
            if known is None:
                raise ProviderError(f'hook "{name}" was not registered')
            if self._preview and not known.in_preview:
                continue
            try:
                await known.function(hook, new, old)
            except ProviderError as error:
                if known.lenient:
                    self._warn(f'{hook} hook "{name}" failed: {error}', state.urn)
                    continue
                moment = "before" if hook.startswith("Before") else "after"
                raise ProviderError(f'{moment} hook "{name}" failed: {error}') from None

    async def run_after(self, hook: Hook, new: ResourceState | None, old: ResourceState | None) -> None:
        """Run what a resource has for after its operation; a failure fails the run, not the resource."""
        state = new or old
        assert state is not None
        if hook not in state.resource_hooks:
            return
        try:
            await self.run(hook, new, old)
        except ProviderError as error:
            self._report(str(error), state.urn)
            self.failed_after = True

    async def retries(
        self, state: ResourceState, old: ResourceState | None, operation: str, failures: list[str]
    ) -> bool:
        """Whether a failed operation shall be tried again."""
        names = state.resource_hooks.get(Hook.ON_ERROR, ())
        if not names:
            return False
        again = False
        for name in names:
            if name not in self._error_hooks:
                raise ProviderError(f'error hook "{name}" was not registered')
            try:
                again = await self._error_hooks[name](state, old, operation, failures) or again
            except ProviderError as error:
                text = f'error hooks execution failed: error hook "{name}" failed: {error}'
                raise ProviderError(text) from None
        if again and len(failures) >= RETRY_LIMIT:
            self._warn(f"maximum number of error hook retries ({RETRY_LIMIT}) reached", state.urn)
            return False
        if again:
            tries = f"({len(failures)}/{RETRY_LIMIT})"
            self._warn(f"retrying {operation} due to on-error hook request {tries}", state.urn)
        return again


if TYPE_CHECKING:
    HookFunction = Callable[[Hook, ResourceState | None, ResourceState | None], Awaitable[None]]
    ErrorHookFunction = Callable[[ResourceState, ResourceState | None, str, list[str]], Awaitable[bool]]
