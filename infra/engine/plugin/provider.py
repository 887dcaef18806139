"""Interface of a provider, whether a plugin or one of the engine's own: calls with typed values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi.runtime.proto import provider_pb2

    from infra.engine.plugin.diff import Diff
    from infra.engine.resource.values import Properties

OPERATION_ID: Final = "x-pulumi-operation-id"
"""gRPC metadata key of Create, Update and Delete: an id of the operation that stays the same when it is tried
again after a crash, so that a provider that knows it can answer with what it did the first time. Such a
provider says so by the same key and value in its reply's trailing metadata; others do not see it."""


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """Why an input is not allowed; an empty property means the resource as a whole."""

    property: str
    reason: str


class ProviderError(Exception):
    """A call failed.

    Args:
        message: the provider's words.
        uncertain: whether the call may have had an effect all the same.
        inputs: what is wrong in the inputs, by their paths.
    """

    def __init__(
        self, message: str, *, uncertain: bool = False, inputs: tuple[CheckFailure, ...] = ()
    ) -> None:
        super().__init__(message)
        self.uncertain, self.inputs = uncertain, inputs


class DiffUnavailableError(ProviderError):
    """The provider is not configured yet (its inputs are unknown), so it cannot compare."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Inputs as the provider wants them, or why not."""

    inputs: Properties
    failures: tuple[CheckFailure, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a create, read or update.

    `outputs` None means that there is nothing (a read of what does not exist). With `init_errors` the
    resource exists but is not well.
    """

    id: str = ""
    outputs: Properties | None = None
    inputs: Properties | None = None
    init_errors: tuple[str, ...] = ()
    refresh_before_update: bool = False
    certain: bool = False
    """The provider knows operation ids: whether this was a second try makes no difference."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """Result of a function, or why it could not be called; the dependencies are those of a Call."""

    outputs: Properties
    failures: tuple[CheckFailure, ...] = ()
    dependencies: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Constructed:
    """A remote component as its provider made it."""

    urn: str
    outputs: Properties
    dependencies: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """Arguments of a call about a resource; each call reads only what it needs.

    Attributes:
        urn: the resource.
        id: its id, once it has one.
        inputs: the new inputs.
        old_inputs: the inputs it had; None where there are none to speak of (an import).
        old_outputs: its state; None likewise.
        ignore: property paths of ignoreChanges.
        seconds: how long it may take; 0 means the provider's own limit.
        seed: random bytes for names, the same in preview and update of a plan.
        operation_id: see `OPERATION_ID`.
        preview: nothing may be changed; values may be unknown.
    """

    urn: str
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    old_inputs: Properties | None = field(default_factory=dict)
    old_outputs: Properties | None = field(default_factory=dict)
    ignore: Sequence[str] = ()
    seconds: float = 0
    seed: bytes = b""
    operation_id: str = ""
    preview: bool = False


class Provider:
    """Interface of a provider; those inside the engine implement it themselves."""

    async def check_config(self, request: Request) -> Checked:
        """Check a provider resource's inputs."""
        raise NotImplementedError

    async def diff_config(self, request: Request) -> Diff:
        """Compare a provider resource's inputs."""
        raise NotImplementedError

    def configure(self, urn: str, id_: str, inputs: Properties) -> None:
        """Start to configure; calls that need it wait for it, and fail if it fails."""

    async def check(self, request: Request) -> Checked:
        """Check a resource's inputs."""
        raise NotImplementedError

    async def diff(self, request: Request) -> Diff:
        """Compare a resource's inputs with what is there."""
        raise NotImplementedError

    async def create(self, request: Request) -> Outcome:
        """Make a resource."""
        raise NotImplementedError

    async def read(self, request: Request) -> Outcome:
        """See what is there."""
        raise NotImplementedError

    async def update(self, request: Request) -> Outcome:
        """Change a resource in place."""
        raise NotImplementedError

    async def delete(self, request: Request) -> None:
        """Remove a resource."""
        raise NotImplementedError

    async def invoke(self, token: str, arguments: Properties, *, preview: bool) -> Invoked:
        """Call a function."""
        raise NotImplementedError

    async def call(self, request: provider_pb2.CallRequest, arguments: Properties) -> Invoked:
        """Call a method; the request lacks nothing but the arguments."""
        raise NotImplementedError

    async def construct(self, request: provider_pb2.ConstructRequest, inputs: Properties) -> Constructed:
        """Make a remote component; the request lacks nothing but the inputs."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of it."""


def multi_error(messages: Sequence[str]) -> str:
    """Several errors as one text, in the CLI's form."""
    head = "1 error occurred:" if len(messages) == 1 else f"{len(messages)} errors occurred:"
    return head + "".join(f"\n\t* {message}" for message in messages) + "\n\n"
