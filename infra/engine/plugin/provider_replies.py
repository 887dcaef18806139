"""Replies and errors of plugins as typed values, filled in where older plugins leave something out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc
from pulumi.runtime.proto import errors_pb2, provider_pb2, status_pb2

from infra.engine.errors import EngineError
from infra.engine.events import DiffKind, PropertyDiff
from infra.engine.plugin.diff import Changes, Diff
from infra.engine.plugin.provider import CheckFailure, ProviderError, multi_error
from infra.engine.resource import urn as urns
from infra.engine.resource import values
from infra.engine.resource.wire import Wire, from_struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.struct_pb2 import Struct  # type: ignore[attr-defined]

    from infra.engine.resource.values import Properties, Value


class PluginWire(Wire):
    """The wire to a plugin; what it does not take fails the call before it is made."""

    def struct(self, properties: Mapping[str, Value]) -> Struct:
        """Encode a property map.

        Raises:
            ProviderError: it holds what the plugin does not take.
        """
        try:
            return Wire.struct(self, properties)
        except EngineError as error:
            raise ProviderError(str(error)) from None


def properties_of(struct: Any) -> Properties:
    """Property values.

    Raises:
        ProviderError: one of them is not what its signature says; the call was made all the same.
    """
    try:
        return from_struct(struct)
    except EngineError as error:
        raise ProviderError(str(error), uncertain=True) from None


def failures_of(failures: Any) -> tuple[CheckFailure, ...]:
    """Check failures."""
    return tuple(CheckFailure(failure.property, failure.reason) for failure in failures)


_KINDS: Final = {
    provider_pb2.PropertyDiff.ADD: DiffKind.ADD,
    provider_pb2.PropertyDiff.ADD_REPLACE: DiffKind.ADD_REPLACE,
    provider_pb2.PropertyDiff.DELETE: DiffKind.DELETE,
    provider_pb2.PropertyDiff.DELETE_REPLACE: DiffKind.DELETE_REPLACE,
    provider_pb2.PropertyDiff.UPDATE: DiffKind.UPDATE,
    provider_pb2.PropertyDiff.UPDATE_REPLACE: DiffKind.UPDATE_REPLACE,
}


def diff_of(reply: provider_pb2.DiffResponse) -> Diff:
    """A diff."""
    detailed = None
    if reply.hasDetailedDiff:
        detailed = {
            path: PropertyDiff(_KINDS.get(item.kind, DiffKind.UPDATE), item.inputDiff)
            for path, item in reply.detailedDiff.items()
        }
    return Diff(
        Changes(reply.changes),
        tuple(reply.replaces),
        tuple(reply.stables),
        tuple(reply.diffs),
        detailed,
        reply.deleteBeforeReplace,
    )


_UNCERTAIN: Final = (
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNAVAILABLE,
)


def names_of(urn: str) -> dict[str, Any]:
    """The parts of a URN that requests carry beside it."""
    return {"urn": urn, "name": urns.name_of(urn), "type": urns.type_of(urn)}


def failure_of(error: Any) -> ProviderError:
    """A failed call."""
    code = error.code()
    told = errors_pb2.InputPropertiesError()
    wrong: list[CheckFailure] = []
    for detail in _details(error):
        if detail.Unpack(told):
            wrong += [CheckFailure(one.property_path, one.reason) for one in told.errors]
    return ProviderError(error.details() or code.name, uncertain=code in _UNCERTAIN, inputs=tuple(wrong))


def _details(error: Any) -> list[Any]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status()
            status.ParseFromString(value)  # type: ignore[no-untyped-call]
            return list(status.details)
    return []


def init_failure_of(error: Any) -> provider_pb2.ErrorResourceInitFailed | None:
    """The resource that a failed call left, if its initialisation is what failed."""
    for detail in _details(error):
        failure = provider_pb2.ErrorResourceInitFailed()
        if detail.Unpack(failure):
            return failure
    return None


def configure_failure_of(error: Any) -> ProviderError:
    """A failed Configure; missing settings are listed."""
    lines = []
    for detail in _details(error):
        missing = provider_pb2.ConfigureErrorMissingKeys()
        if detail.Unpack(missing):
            lines += [
                f'missing required configuration key "{key.name}": {key.description}\n'
                f"Set a value using the command `pulumi config set {key.name} <value>`."
                for key in missing.missingKeys
            ]
    return ProviderError(multi_error(lines)) if lines else failure_of(error)


def is_unimplemented(error: Any, method: str) -> bool:
    """Whether the plugin has no such call; old SDKs say so in words only."""
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return True
    return f"{method} is not implemented" in (error.details() or "").replace("is not yet", "is not")


def refuse_unknowns(properties: Properties | None) -> None:
    """Check that nothing in a reply is unknown.

    Raises:
        ProviderError: something is.
    """
    for key, value in (properties or {}).items():
        if values.has_unknown(value):
            raise ProviderError(f'unexpected unknown property value for "{key}"', uncertain=True)


def annotate(outputs: Properties | None, inputs: Mapping[str, Any] | None) -> None:
    """Mark outputs secret whose input was, for plugins that got them without the mark."""
    if not outputs or not inputs:
        return
    for key, value in inputs.items():
        if key not in outputs:
            continue
        output = outputs[key]
        if isinstance(output, dict) and isinstance(value, dict):
            annotate(output, value)
        elif not isinstance(output, values.Secret) and values.has_secret(value):
            outputs[key] = values.Secret(output)


def restore_assets(original: Properties | None, answer: Properties | None) -> None:
    """Give assets that the plugin knows by hash alone their contents again."""
    if not original or not answer:
        return
    known: dict[str, Any] = {}

    def collect(item: Any) -> bool:
        if isinstance(item, values.Asset | values.Archive) and item.hash:
            known[item.hash] = item
        return False

    def fill(item: Any) -> bool:
        if isinstance(item, values.Asset | values.Archive) and item.hash in known:
            full = known[item.hash]
            if type(full) is type(item) and item == type(item)(item.hash):
                for name in type(item).__dataclass_fields__:
                    setattr(item, name, getattr(full, name))
        return False

    values.contains(original, collect)
    if known:
        values.contains(answer, fill)
