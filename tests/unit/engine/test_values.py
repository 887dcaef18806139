"""Property values: both encodings, secrets, and what equality means."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.engine import EngineError
from infra.engine.backend import journal
from infra.engine.backend.checkpoint import encode_checkpoint, parse_checkpoint
from infra.engine.resource import json_text, value_json, values, wire
from infra.engine.resource.stack_ref import StackRef
from infra.engine.resource.state import ResourceState
from infra.engine.resource.values import (
    SECRET,
    SIGNATURE,
    UNKNOWN,
    Archive,
    Asset,
    OutputValue,
    ResourceReference,
    Secret,
)
from infra.engine.resource.wire import Wire

pytestmark = pytest.mark.unit


class Rot13:
    """A crypter for tests; counts what it is asked."""

    def __init__(self) -> None:
        self.encrypted = 0

    def encrypt(self, plaintext: str) -> str:
        self.encrypted += 1
        return f"{self.encrypted}:{plaintext[::-1]}"

    def decrypt(self, ciphertext: str) -> str:
        return ciphertext.partition(":")[2][::-1]


# What the wire can carry: each double, each UTF-8 string, strings of other bytes, and the special values. A
# secret holds no secret: at rest, those inside one lose their mark.
URN = st.just("urn:pulumi:a::b::c:d:E::f")
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5).filter(
    lambda key: key != SIGNATURE
)
doubles = (
    st.floats()
    | st.sampled_from(
        [-0.0, 0.0, 1e21, 1e20, 2.0**53, 2.0**53 + 2, 5e-324, 1.7976931348623157e308, 1e-7, -1e300]
    )
    | st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack(">d", struct.pack(">Q", bits))[0])
)
leaves = (
    st.none() | st.booleans() | doubles | text | st.just(UNKNOWN)
    | st.binary(max_size=8).filter(lambda raw: "\ufffd" in raw.decode(errors="replace"))
    | st.builds(Asset, text, text=text)
    | st.builds(Asset, text, path=text.filter(bool))
    | st.builds(Asset, text, uri=text.filter(bool))
    | st.builds(ResourceReference, URN, st.none() | st.just(UNKNOWN) | text.filter(bool), text)
    | st.builds(Archive, text, st.dictionaries(keys, st.builds(Asset, text, text=text), max_size=2))
)  # fmt: skip


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        inner,
        lambda part: st.lists(part, max_size=3) | st.dictionaries(keys, part, max_size=3),
        max_leaves=6,
    )


special = nested(leaves | nested(leaves).map(Secret))
CARRIES_ALL = Wire(byte_strings=True)


def fingerprint(value: Any) -> Any:  # noqa: PLR0911 (one per type)
    """The value with its type, doubles by their bits; what the checkpoint does not tell apart is made one."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return struct.pack(">d", value)
    if isinstance(value, dict):
        return {key: fingerprint(item) for key, item in value.items()}
    if isinstance(value, list):
        return [fingerprint(item) for item in value]
    if isinstance(value, Secret):
        return "secret", fingerprint(value.value)
    if isinstance(value, Archive):
        inside = {key: fingerprint(item) for key, item in (value.assets or {}).items()}
        return "archive", value.hash, inside, value.path, value.uri
    if isinstance(value, Asset):
        return "asset", value.hash, value.text or "", value.path or "", value.uri or ""
    return type(value), value


def strict(content: str | bytes) -> Any:
    """JSON as everyone else reads it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(content, parse_constant=refuse)


@given(special)
def test_every_value_of_the_wire_comes_back_from_journal_checkpoint_and_export(value: object) -> None:
    carried = wire.from_struct(CARRIES_ALL.struct({"value": value}))
    assert fingerprint(carried["value"]) == fingerprint(value)
    state = ResourceState("urn:pulumi:dev::p::a:b:C::n", "a:b:C", True, "id", carried, carried)
    line = journal._encode({"kind": "end", "put": {"n": state.to_json(Rot13())}})
    records, _ = journal.decode(line)
    strict(line.partition(b" ")[2])
    content = encode_checkpoint(StackRef("p", "dev"), {"resources": [records[0]["put"]["n"]]})
    strict(content)
    record = parse_checkpoint(content, Path()).resources[0]
    exported = json_text.write({"deployment": {"resources": [record]}}, indent=4)
    strict(exported)
    record = json_text.parse(exported)["deployment"]["resources"][0]
    read = ResourceState.from_json(record, Rot13())
    for properties in (read.inputs, read.outputs):
        assert fingerprint(properties["value"]) == fingerprint(value)
        assert fingerprint(wire.from_struct(CARRIES_ALL.struct(properties))) == fingerprint(properties)


@given(nested(leaves))
def test_every_value_in_a_secret_comes_back_from_its_plaintext(value: object) -> None:
    secret = Secret(wire.from_wire(CARRIES_ALL.value(value)))
    strict(value_json.secret_text(secret))
    crypter = Rot13()
    written = value_json.value_to_json(secret, crypter)
    shown = {SIGNATURE: SECRET, "plaintext": value_json.secret_text(secret)}
    for read in (value_json.value_from_json(written, crypter), value_json.value_from_json(shown, None)):
        assert fingerprint(read) == fingerprint(Secret(value))


# Text of the CLI, from SerializePropertyValue and Go's encoding/json; NaN has the bits of Go's math.NaN().
FLOAT = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c"
BYTES = "803fd3297a5875dc03ca845dda5d2a98"
OF_THE_CLI = {
    "-0": "8000000000000000",
    "0": "0000000000000000",
    "1e+21": "444b1ae4d6e2ef50",
    "100000000000000000000": "4415af1d78b58c40",
    "9007199254740993": "4340000000000000",
    "5e-324": "0000000000000001",
    f'{{"{SIGNATURE}":"{FLOAT}","value":"7ff8000000000001"}}': "7ff8000000000001",
    f'{{"{SIGNATURE}":"{FLOAT}","value":"7ff0000000000000"}}': "7ff0000000000000",
    f'{{"{SIGNATURE}":"{FLOAT}","value":"fff0000000000000"}}': "fff0000000000000",
}


@pytest.mark.parametrize("form", OF_THE_CLI)
def test_numbers_are_read_as_the_cli_writes_them(form: str) -> None:
    value = value_json.value_from_json(json_text.parse(form), None)
    assert struct.pack(">d", value).hex() == OF_THE_CLI[form]
    again = json_text.write(value_json.value_to_json(value, None))
    assert json_text.parse(again) == json_text.parse(form) or form == "9007199254740993"
    assert (
        struct.pack(">d", value_json.value_from_json(json_text.parse(again), None)).hex() == OF_THE_CLI[form]
    )


def test_numbers_that_json_lacks_are_written_as_the_cli_does() -> None:
    assert value_json.value_to_json(math.inf, None) == {SIGNATURE: FLOAT, "value": "7ff0000000000000"}
    assert value_json.value_to_json(-math.inf, None) == {SIGNATURE: FLOAT, "value": "fff0000000000000"}
    assert value_json.value_to_json(math.nan, None) == {SIGNATURE: FLOAT, "value": "7ff8000000000000"}
    assert value_json.secret_text(Secret([math.inf])) == (
        f'[{{"{SIGNATURE}":"{FLOAT}","value":"7ff0000000000000"}}]'
    )


def test_strings_that_are_not_utf_8_are_written_as_the_cli_does() -> None:
    assert value_json.value_to_json(b"\xff\x00", None) == {SIGNATURE: BYTES, "value": "/wA="}
    content = encode_checkpoint(
        StackRef("p", "dev"),
        {
            "resources": [
                ResourceState("urn:pulumi:dev::p::a:b:C::n", "a:b:C", True, "i", {"v": [b"\xff"]}).to_json(
                    Rot13()
                )
            ]
        },
    )
    assert strict(content)["features"] == ["byteString"]
    assert strict(content)["version"] == 4
    assert parse_checkpoint(content, Path()).features == ("byteString",)


def test_strings_that_are_not_utf_8_are_not_sent_to_whom_does_not_take_them() -> None:
    with pytest.raises(EngineError, match="not UTF-8"):
        Wire().struct({"a": [b"\xff"]})


def test_an_empty_text_is_left_out_as_the_cli_does_and_is_one_when_read() -> None:
    written = value_json.value_to_json(Asset("", text=""), None)
    assert written == {SIGNATURE: values.ASSET}
    assert value_json.value_from_json(written, None) == Asset("", text="")


@pytest.mark.parametrize(
    "malformed",
    [
        {SIGNATURE: "unheard-of"},
        {SIGNATURE: SECRET},
        {SIGNATURE: SECRET, "value": "as on the wire"},
        {SIGNATURE: FLOAT},
        {SIGNATURE: FLOAT, "value": "x"},
        {SIGNATURE: FLOAT, "value": "-1"},
        {SIGNATURE: BYTES},
        {SIGNATURE: BYTES, "value": 1},
        {SIGNATURE: BYTES, "value": "!"},
        {SIGNATURE: values.REFERENCE},
        {SIGNATURE: values.REFERENCE, "urn": "u", "id": 1},
        {SIGNATURE: values.ASSET, "text": 1},
        {SIGNATURE: values.ARCHIVE, "assets": [1]},
        {SIGNATURE: values.ARCHIVE, "assets": {"a": 1}},
    ],
)
def test_what_is_not_what_its_signature_says_is_refused(malformed: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match=r"malformed|unexpected|unrecognized|not an asset"):
        value_json.value_from_json(malformed, None)


def test_integral_numbers_have_no_fraction() -> None:
    assert repr(wire.from_wire(Wire().value(2.0))) == "2"
    assert repr(wire.from_wire(Wire().value(2.5))) == "2.5"
    assert repr(wire.from_wire(Wire().value(1e22))) == "1e+22"


def test_secrets_keep_their_ciphertext() -> None:
    crypter = Rot13()
    written = value_json.to_json({"a": Secret({"k": [1]})}, crypter)
    read = value_json.from_json(written, crypter)
    assert value_json.to_json(read, crypter) == written
    assert crypter.encrypted == 1
    fresh = {"a": Secret({"k": [1]}), "b": Secret("new")}
    values.keep_ciphertexts(read, fresh)
    again = value_json.to_json(fresh, crypter)
    assert again["a"] == written["a"]
    assert again["b"]["ciphertext"] != written["a"]["ciphertext"]


def test_secrets_inside_a_secret_lose_their_mark_at_rest() -> None:
    assert value_json.secret_text(Secret({"a": Secret("x")})) == '{"a":"x"}'


def test_peers_that_accept_less_get_plain_forms() -> None:
    value = {"s": Secret("x"), "r": ResourceReference("urn:u", "id-1"), "o": OutputValue(1, secret=True)}
    bare = Wire(secrets=False, references=False).struct(value)
    assert wire.from_struct(bare) == {"s": "x", "r": "id-1", "o": 1}
    marked = wire.from_struct(Wire().struct(value))
    assert marked["o"] == Secret(1)
    rich = wire.from_struct(Wire(outputs=True).struct(value))
    assert rich["o"] == OutputValue(1, secret=True)


def test_unknowns_are_left_out_where_they_may_not_be() -> None:
    known = Wire(unknowns=False)
    value = {"a": UNKNOWN, "b": [1, UNKNOWN, 2], "c": {"d": Secret(UNKNOWN)}}
    assert wire.from_struct(known.struct(value)) == {"b": [1, 2], "c": {}}


def test_assets_are_sent_without_contents_where_only_the_hash_matters() -> None:
    sent = wire.from_struct(Wire(asset_contents=False).struct({"a": Asset("h", text="long")}))
    assert sent == {"a": Asset("h")}


def test_equality_looks_through_secrets_and_keeps_booleans_apart() -> None:
    assert values.equal({"a": Secret(1)}, {"a": 1})
    assert not values.equal(True, 1)
    assert values.equal(Asset("h", text="x"), Asset("h", path="y"))


def test_show_secrets_export_can_be_read() -> None:
    exported = {SIGNATURE: SECRET, "plaintext": '"open"'}
    assert value_json.value_from_json(exported, None) == Secret("open")


def test_outputs_are_downgraded_for_the_state() -> None:
    value = {"a": OutputValue(UNKNOWN), "b": OutputValue("x", secret=True, dependencies=("urn",))}
    assert values.downgrade_outputs(value) == {"a": UNKNOWN, "b": Secret("x")}
    assert values.dependencies_of(value) == ["urn"]
