"""Property values: both encodings, secrets, and what equality means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.engine.resource import value_json, values, wire
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


keys = st.text(min_size=1, max_size=5).filter(lambda key: key != SIGNATURE)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
special = st.recursive(
    plain
    | st.just(UNKNOWN)
    | st.builds(Asset, st.text(max_size=4), text=st.text(max_size=4))
    | st.builds(ResourceReference, st.just("urn:pulumi:a::b::c:d:E::f"), st.none() | st.just("id")),
    lambda inner: (
        inner.map(Secret)
        | st.lists(inner, max_size=2)
        | st.dictionaries(keys, inner, max_size=2)
        | st.dictionaries(keys, st.builds(Asset, st.just("h"), text=st.text(max_size=3)), max_size=2).map(
            lambda inside: Archive("x", inside)
        )
    ),
    max_leaves=6,
)


@given(special)
def test_wire_round_trip(value: object) -> None:
    normal = value_json.value_from_json(value_json.value_to_json(value, Rot13()), Rot13())
    assert values.equal(wire.from_wire(Wire().value(value)), normal)


@given(plain)
def test_checkpoint_round_trip_of_plain_values(value: object) -> None:
    assert (
        value_json.value_from_json(json.loads(json.dumps(value_json.value_to_json(value, None))), None)
        == value
    )


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
