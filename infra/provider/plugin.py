"""The provider: Pulumi's requests, answered by the resource type they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.provider.experimental import provider as api

from infra.errors import UserError
from infra.provider import differences
from infra.provider.failures import InitFailed
from infra.provider.properties import has_unknown, plain_map, wrap_map
from infra.provider.resources import registry
from infra.provider.resources.resource_type import Runtime
from infra.provider.settings import Settings
from infra.provider.validation import build, check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi.provider.experimental.property_value import PropertyValue

    from infra.provider.differences import Change
    from infra.provider.resources.resource_type import CreateResult, ResourceType
    from infra.provider.validation import Failure

VERSION = "0.1.0"
READ_LIMIT_S = 30.0
"""A refresh asks about what should be there: a controller silent for so long is a fault, no wait."""

_DETAIL = {
    (differences.Kind.ADD, False): api.PropertyDiffKind.ADD,
    (differences.Kind.ADD, True): api.PropertyDiffKind.ADD_REPLACE,
    (differences.Kind.DELETE, False): api.PropertyDiffKind.DELETE,
    (differences.Kind.DELETE, True): api.PropertyDiffKind.DELETE_REPLACE,
    (differences.Kind.UPDATE, False): api.PropertyDiffKind.UPDATE,
    (differences.Kind.UPDATE, True): api.PropertyDiffKind.UPDATE_REPLACE,
}


class Gigasite(api.Provider):
    """The package `gigasite`.

    Args:
        make_runtime: makes the drivers' surroundings from the configuration; tests put their own drivers in.
    """

    def __init__(self, make_runtime: Callable[[Settings], Runtime] = Runtime) -> None:
        self._make_runtime = make_runtime
        self._runtime: Runtime | None = None

    @property
    def runtime(self) -> Runtime:
        """The configured surroundings."""
        if self._runtime is None:
            raise UserError("the provider `gigasite` is not configured", hint="give it `site`")
        return self._runtime

    async def get_schema(self, request: api.GetSchemaRequest) -> api.GetSchemaResponse:
        """The package's schema, made from the resource types."""
        del request
        from infra.provider.schema import package_schema  # noqa: PLC0415 (only tools ask for it)

        return api.GetSchemaResponse(package_schema(VERSION))

    async def check_config(self, request: api.CheckRequest) -> api.CheckResponse:
        """Check the provider's configuration; all mistakes at once."""
        failures: list[Failure] = []
        given = _numbers(plain_map(request.new_inputs))
        version = given.pop("version", None)
        inputs = check(Settings, given, failures)
        if version is not None:
            inputs["version"] = version
        return _checked(inputs, failures)

    async def diff_config(self, request: api.DiffRequest) -> api.DiffResponse:
        """Another site or driver is another world: everything in it is made anew."""
        changes = differences.changes(
            Settings, _numbers(plain_map(request.old_state)), _numbers(plain_map(request.new_inputs))
        )
        return _difference(changes, stables=[])

    async def configure(self, request: api.ConfigureRequest) -> api.ConfigureResponse:
        """Take the configuration. Secrets are declined: no resource takes one, the engine keeps marks."""
        failures: list[Failure] = []
        given = _numbers(plain_map(request.args))
        given.pop("version", None)
        inputs = check(Settings, given, failures)
        if failures:
            raise UserError(
                "; ".join(f"{item.path} {item.reason}" for item in failures), where="provider gigasite"
            )
        if not has_unknown(inputs):
            self._runtime = self._make_runtime(build(Settings, inputs))
        return api.ConfigureResponse(
            accept_secrets=False, supports_preview=True, accept_resources=False, accept_outputs=False
        )

    async def check(self, request: api.CheckRequest) -> api.CheckResponse:
        """Check a resource's inputs and fill in defaults; all mistakes at once, each with its path."""
        kind = _kind(request.type)
        failures: list[Failure] = []
        given = plain_map(request.new_inputs)
        inputs = check(kind.inputs, given, failures)
        kind.check(inputs, failures)
        return _checked(inputs if failures else kind.apply_defaults(inputs), failures)

    async def diff(self, request: api.DiffRequest) -> api.DiffResponse:
        """Compare the recorded state with checked inputs, to the last property."""
        kind = _kind(request.type)
        state, inputs = plain_map(request.old_state), plain_map(request.new_inputs)
        changes = differences.changes(kind.inputs, state, inputs)
        return _difference(
            kind.drift(state, inputs) | changes, stables=[], delete_before_replace=kind.delete_before_replace
        )

    async def create(self, request: api.CreateRequest) -> api.CreateResponse:
        """Make or adopt; in a preview, tell what can be told."""
        kind, inputs = _kind(request.type), plain_map(request.properties)
        if request.preview:
            return api.CreateResponse("", _wrap(kind, {**inputs, **kind.preview(inputs, None, {})}))
        declared: Any = build(kind.inputs, inputs)
        made = await kind.create(self.runtime, declared, self._limit(request.timeout))
        resource_id = kind.identify(self.runtime, declared)
        return api.CreateResponse(resource_id, _kept(kind, resource_id, inputs, made))

    async def update(self, request: api.UpdateRequest) -> api.UpdateResponse:
        """Converge to new inputs; in a preview, tell what can be told."""
        kind, state, inputs = _kind(request.type), plain_map(request.olds), plain_map(request.news)
        changes = kind.drift(state, inputs) | differences.changes(kind.inputs, state, inputs)
        if request.preview:
            told = kind.preview(inputs, state, changes)
            if self._runtime is not None and not has_unknown(inputs):
                await kind.admit(self._runtime, build(kind.inputs, inputs), state, changes)
            return api.UpdateResponse(_wrap(kind, {**inputs, **told}))
        declared: Any = build(kind.inputs, inputs)
        made = await kind.update(self.runtime, declared, state, changes, self._limit(request.timeout))
        return api.UpdateResponse(_kept(kind, request.resource_id, inputs, made))

    async def read(self, request: api.ReadRequest) -> api.ReadResponse:
        """Read the resource; an empty id if it is gone."""
        kind, state = _kind(request.type), plain_map(request.properties)
        limit = min(READ_LIMIT_S, self._limit(0))
        seen = await kind.read(self.runtime, request.resource_id, state, limit)
        if seen is None:
            return api.ReadResponse("")
        properties = {**seen.inputs, **seen.outputs}
        if seen.faults:
            raise InitFailed(request.resource_id, _wrap(kind, properties), wrap_map(seen.inputs), seen.faults)
        return api.ReadResponse(request.resource_id, _wrap(kind, properties), wrap_map(seen.inputs))

    async def delete(self, request: api.DeleteRequest) -> None:
        """Remove what a create made."""
        kind, state = _kind(request.type), plain_map(request.properties)
        await kind.delete(self.runtime, build(kind.inputs, state), state, self._limit(request.timeout))

    async def cancel(self) -> None:
        """Have operations that wait for a machine give up; what they did is found again by the next run."""
        if self._runtime is not None:
            self._runtime.cancelled.set()

    def _limit(self, timeout: float) -> float:
        """The custom timeout of a request, else the configured one, in seconds."""
        return timeout or self.runtime.settings.timeout


def _kind(token: str) -> ResourceType[Any]:
    """The resource type of a URN's type, which can have its parents' types before it."""
    name = token.rpartition("$")[2]
    kind = registry().get(name)
    if kind is None:
        raise UserError(
            f"`{name}` is not a resource type of gigasite", hint=f"there are {', '.join(registry())}"
        )
    return kind


def _wrap(kind: ResourceType[Any], properties: Mapping[str, Any]) -> dict[str, PropertyValue]:
    """All properties of a resource for a response, secret outputs marked."""
    return wrap_map(properties, [name for name, output in kind.outputs.items() if output.secret])


def _checked(inputs: Any, failures: list[Failure]) -> api.CheckResponse:
    found = [api.CheckFailure(item.path, f"{item.path} {item.reason}") for item in failures]
    return api.CheckResponse(wrap_map(inputs), found)


def _kept(
    kind: ResourceType[Any], resource_id: str, inputs: Mapping[str, Any], made: CreateResult
) -> dict[str, PropertyValue]:
    """The new state; raises if parts of the resource failed."""
    state = _wrap(kind, {**inputs, **made.outputs})
    if made.faults:
        raise InitFailed(resource_id, state, wrap_map(inputs), made.faults)
    return state


def _difference(
    changes: Mapping[str, Change], stables: list[str], *, delete_before_replace: bool = False
) -> api.DiffResponse:
    top = sorted({path.partition(".")[0].partition("[")[0] for path in changes})
    replaces = sorted(path for path, change in changes.items() if change.replaces)
    return api.DiffResponse(
        changes=bool(changes),
        replaces=replaces,
        stables=stables,
        diffs=top,
        delete_before_replace=delete_before_replace and bool(replaces),
        detailed_diff={
            path: api.PropertyDiff(_DETAIL[change.kind, change.replaces], input_diff=not change.drift)
            for path, change in changes.items()
        },
    )


def _numbers(config: dict[str, Any]) -> dict[str, Any]:
    """Configuration set with `pulumi config` is text: numbers are read from it."""
    return {
        key: _number(value) if key in ("latency", "failure_rate", "timeout") else value
        for key, value in config.items()
    }


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
