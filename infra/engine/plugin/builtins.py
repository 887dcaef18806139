"""The provider of the package `pulumi`, inside the engine: StackReference, Stash, and a few functions."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from infra.engine.plugin.diff import NO_CHANGES, Changes, Diff, replacing
from infra.engine.plugin.provider import Checked, CheckFailure, Invoked, Outcome, Provider, ProviderError
from infra.engine.resource import urn as urns
from infra.engine.resource import values
from infra.engine.resource.urn import STACK_REFERENCE_TYPE
from infra.engine.resource.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.engine.plugin.provider import Request
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties

_STASH: Final = "pulumi:index:Stash"
_INPUT: Final = {STACK_REFERENCE_TYPE: "name", _STASH: "input"}


class BuiltinProvider(Provider):
    """Resources and functions that the engine answers for.

    Args:
        stack_outputs: the outputs of a stack by its name; raises EngineError if there is none.
        resources: finds a resource of this run by its URN.
    """

    def __init__(
        self, stack_outputs: Callable[[str], Properties], resources: Callable[[str], ResourceState | None]
    ) -> None:
        self._stack_outputs, self._resources = stack_outputs, resources

    async def check_config(self, request: Request) -> Checked:  # noqa: ARG002
        """It has no configuration."""
        return Checked({})

    async def diff_config(self, request: Request) -> Diff:  # noqa: ARG002
        """It has no configuration."""
        return NO_CHANGES

    async def check(self, request: Request) -> Checked:
        """Each type has one input, and no other."""
        only = _input_of(request)
        for key in request.inputs:
            if key != only:
                return Checked({}, (CheckFailure(key, f'unknown property "{key}"'),))
        if only not in request.inputs:
            return Checked({}, (CheckFailure(only, f'missing required property "{only}"'),))
        name = request.inputs[only]
        if only == "name" and not isinstance(name, str) and name is not UNKNOWN:
            return Checked({}, (CheckFailure(only, 'property "name" must be a string'),))
        return Checked(request.inputs)

    async def diff(self, request: Request) -> Diff:
        """Another stack is another reference; a stash takes a new input."""
        only = _input_of(request)
        if values.equal(request.inputs.get(only), (request.old_inputs or {}).get(only)):
            return NO_CHANGES
        return replacing(only) if only == "name" else Diff(Changes.SOME, changed_keys=(only,))

    async def create(self, request: Request) -> Outcome:
        """Read the stack, or keep the value."""
        id_ = "" if request.preview else str(uuid.uuid4())
        if _input_of(request) == "name":
            return Outcome(id=id_, outputs=self._reference(request.inputs))
        value = request.inputs["input"]
        return Outcome(id=id_, outputs={"input": value, "output": value})

    async def update(self, request: Request) -> Outcome:
        """A stash shows the new input and keeps the first value."""
        return Outcome(
            outputs={"input": request.inputs["input"], "output": (request.old_outputs or {}).get("output")}
        )

    async def delete(self, request: Request) -> None:
        """There is nothing outside."""

    async def read(self, request: Request) -> Outcome:
        """Read the stack again."""
        if _input_of(request) != "name":
            if not request.old_inputs:
                raise ProviderError("stash can not be imported")
            return Outcome(id=request.id, inputs=request.old_inputs, outputs=request.old_outputs)
        inputs = request.old_inputs or {}
        if "name" not in inputs:
            raise ProviderError("stack reference can not be imported")
        return Outcome(id=request.id, inputs=inputs, outputs=self._reference(inputs))

    async def invoke(self, token: str, arguments: Properties, *, preview: bool) -> Invoked:  # noqa: ARG002
        """Read a stack's outputs, or a resource of this run."""
        if token == "pulumi:pulumi:readStackOutputs":  # noqa: S105 (a token of the protocol)
            return Invoked(self._reference(arguments))
        if token == "pulumi:pulumi:getResource":  # noqa: S105
            return Invoked(self._resource(str(arguments["urn"])))
        raise ProviderError(f"unrecognized function name: '{token}'")

    def _reference(self, inputs: Properties) -> Properties:
        name = inputs["name"]
        if name is UNKNOWN:
            return {"name": name, "outputs": UNKNOWN, "secretOutputNames": UNKNOWN}
        outputs = self._stack_outputs(name)
        secret = sorted(key for key, value in outputs.items() if values.has_secret(value))
        return {"name": name, "outputs": outputs, "secretOutputNames": secret}

    def _resource(self, urn: str) -> Properties:
        state = self._resources(urn)
        if state is None:
            raise ProviderError(f"unknown resource {urn}")
        return {"urn": urn, "id": state.id, "provider": state.provider, "state": state.outputs}


def _input_of(request: Request) -> str:
    type_ = urns.type_of(request.urn)
    if type_ not in _INPUT:
        raise ProviderError(f"unrecognized resource type '{type_}'")
    return _INPUT[type_]
