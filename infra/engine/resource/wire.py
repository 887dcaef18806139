"""Property values on the wire: protobuf's Struct, as each peer can take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.struct_pb2 import NULL_VALUE, Struct  # type: ignore[attr-defined]
from google.protobuf.struct_pb2 import Value as WireValue  # type: ignore[attr-defined]

from infra.engine.errors import EngineError
from infra.engine.resource import urn as urns
from infra.engine.resource.signatures import (
    UNKNOWN_TEXTS,
    asset_fields,
    byte_string_fields,
    number,
    reference_fields,
    special,
)
from infra.engine.resource.values import (
    OUTPUT,
    SECRET,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_TEXT,
    OutputValue,
    Properties,
    ResourceReference,
    Secret,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def from_struct(struct: Struct) -> Properties:
    """The properties of a protobuf Struct; null properties stay."""
    return {key: from_wire(value) for key, value in struct.fields.items()}


def from_wire(value: WireValue) -> Value:
    """One protobuf value."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text in UNKNOWN_TEXTS else text
    if kind == "number_value":
        return number(value.number_value)
    if kind == "struct_value":
        fields = value.struct_value.fields
        plain = {key: from_wire(item) for key, item in fields.items()}
        return special(plain) if SIGNATURE in plain else plain
    if kind == "list_value":
        return [from_wire(item) for item in value.list_value.values]
    if kind == "bool_value":
        return value.bool_value
    return None


@dataclass(frozen=True, slots=True)
class Wire:
    """How values are put on the wire for one peer; what it does not accept is sent in its plain form."""

    secrets: bool = True
    outputs: bool = False
    references: bool = True
    unknowns: bool = True
    asset_contents: bool = True
    """Without it, assets are sent by their hash alone."""
    byte_strings: bool = False

    def struct(self, properties: Mapping[str, Value]) -> Struct:
        """Encode a property map.

        Raises:
            EngineError: it holds a string that is not UTF-8, and the peer takes none.
        """
        out = Struct()
        fields = out.fields
        for key, value in properties.items():
            if self.unknowns or not _is_unknown(value):
                self._put(fields[key], value)
        return out

    def value(self, value: Value) -> WireValue:
        """Encode one value."""
        out = WireValue()
        self._put(out, value)
        return out

    def _put(self, out: WireValue, value: Value) -> None:  # noqa: C901, PLR0912 (one case per type)
        if isinstance(value, str):
            out.string_value = value
        elif value is None:
            out.null_value = NULL_VALUE
        elif isinstance(value, bool):
            out.bool_value = value
        elif isinstance(value, int | float):
            out.number_value = value
        elif isinstance(value, dict):
            fields = out.struct_value.fields
            out.struct_value.SetInParent()
            for key, item in value.items():
                if self.unknowns or not _is_unknown(item):
                    self._put(fields[key], item)
        elif isinstance(value, list):
            out.list_value.SetInParent()
            add = out.list_value.values.add
            for item in value:
                if self.unknowns or not _is_unknown(item):
                    self._put(add(), item)
        elif value is UNKNOWN:
            out.string_value = UNKNOWN_TEXT
        elif isinstance(value, Secret):
            if self.secrets:
                self._put(out, {SIGNATURE: SECRET, "value": value.value})
            else:
                self._put(out, value.value)
        elif isinstance(value, OutputValue):
            self._put_output(out, value)
        elif isinstance(value, ResourceReference):
            self._put_reference(out, value)
        elif isinstance(value, bytes):
            self._put_byte_string(out, value)
        elif self.asset_contents:
            self._put(out, asset_fields(value))
        else:
            self._put(out, asset_fields(type(value)(value.hash)))

    def _put_output(self, out: WireValue, value: OutputValue) -> None:
        if not self.outputs:
            self._put(out, Secret(value.value) if value.secret else value.value)
            return
        fields: dict[str, Any] = {SIGNATURE: OUTPUT}
        if value.value is not UNKNOWN:
            fields["value"] = value.value
        if value.secret:
            fields["secret"] = True
        if value.dependencies:
            fields["dependencies"] = list(value.dependencies)
        self._put(out, fields)

    def _put_byte_string(self, out: WireValue, value: bytes) -> None:
        if not self.byte_strings:
            raise EngineError("a property is a string that is not UTF-8, which the receiver does not support")
        self._put(out, byte_string_fields(value))

    def _put_reference(self, out: WireValue, value: ResourceReference) -> None:
        if not self.references:
            self._put(out, value.urn if value.id is None else value.id)
            return
        fields = reference_fields(value)
        if not value.package_version:
            del fields["packageVersion"]
        if value.urn.count("::") >= 3:
            fields |= {"name": urns.name_of(value.urn), "type": urns.type_of(value.urn)}
        self._put(out, fields)


def wire_for(request: Any) -> Wire:
    """Return the encoding that a program's request accepts in its answer."""
    return Wire(
        request.acceptSecrets, references=request.acceptResources, byte_strings=request.accepts_byte_string
    )


def _is_unknown(value: Value) -> bool:
    while isinstance(value, Secret | OutputValue):
        value = value.value
    return value is UNKNOWN
