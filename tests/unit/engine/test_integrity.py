"""What a snapshot may not say, the order it stands in, and what a repair does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.engine.resource import integrity

if TYPE_CHECKING:
    import random

pytestmark = pytest.mark.unit

STACK = "urn:pulumi:dev::suite::pulumi:pulumi:Stack::suite-dev"
PROVIDER = "urn:pulumi:dev::suite::pulumi:providers:conf::default"


def urn(name: str) -> str:
    return f"urn:pulumi:dev::suite::conf:index:Res::{name}"


def resource(name: str, **more: object) -> dict:
    return {"urn": urn(name), "custom": True, "id": f"{name}-1", "type": "conf:index:Res", **more}


PROVIDER_RECORD = {"urn": PROVIDER, "custom": True, "id": "uuid", "type": "pulumi:providers:conf"}


def test_a_good_snapshot_has_no_problem() -> None:
    integrity.check([
        {"urn": STACK, "custom": False, "type": "pulumi:pulumi:Stack"},
        PROVIDER_RECORD,
        resource("a", parent=STACK, provider=f"{PROVIDER}::uuid"),
        resource("a", delete=True, parent=STACK),
        resource("b", dependencies=[urn("a")], propertyDependencies={"x": [urn("a")], "y": []}),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([resource("b", dependencies=[urn("a")]), resource("a")], "its dependency"),
        ([resource("b", parent=urn("a")), resource("a")], "its parent"),
        ([resource("b", deletedWith=urn("a"))], "its deletedWith"),
        ([resource("b", replaceWith=[urn("a")])], "its replaceWith"),
        ([resource("b", propertyDependencies={"x": [urn("a")]})], "of the property x"),
        ([resource("a"), resource("a")], "duplicate resource"),
        ([resource("a", provider=f"{PROVIDER}::uuid")], "its provider"),
        ([PROVIDER_RECORD, resource("a", provider=f"{PROVIDER}::another")], "its provider"),
        ([resource("a") | {"custom": False}], "has an id"),
        ([{"urn": PROVIDER, "custom": True, "type": "pulumi:providers:conf"}], "provider without an id"),
        ([resource("a") | {"type": "conf:index:Other"}], "not that of its URN"),
        ([{"urn": "nonsense"}], "is not a URN"),
    ],
)  # fmt: skip
def test_each_contradiction_is_named(records: list[dict], said: str) -> None:
    with pytest.raises(integrity.IntegrityError, match=said):
        integrity.check(records)


def test_all_contradictions_are_named_at_once() -> None:
    with pytest.raises(integrity.IntegrityError) as raised:
        integrity.check([resource("b", parent=urn("x")), resource("c", parent=urn("y"))], "the state")
    assert len(raised.value.problems) == 2
    assert str(raised.value).startswith("the state is not consistent:\n  " + urn("b"))


@st.composite
def graphs(draw: st.DrawFn) -> list[dict]:
    """Resources in a good order, with all kinds of references to earlier ones."""
    count = draw(st.integers(0, 12))
    records: list[dict] = [PROVIDER_RECORD]
    for index in range(count):
        earlier = [urn(str(i)) for i in range(index)]
        some = st.lists(st.sampled_from(earlier), max_size=3, unique=True) if earlier else st.just([])
        one = resource(str(index), provider=f"{PROVIDER}::uuid", dependencies=draw(some))
        one["propertyDependencies"] = {"p": draw(some)}
        if earlier and draw(st.booleans()):
            one["parent"] = draw(st.sampled_from(earlier))
        if earlier and draw(st.booleans()):
            one["deletedWith"] = draw(st.sampled_from(earlier))
        records.append(one)
    return records


@given(graphs(), st.randoms(use_true_random=False))
def test_sorting_puts_any_order_right(records: list[dict], chance: random.Random) -> None:
    shuffled = list(records)
    chance.shuffle(shuffled)
    ordered = integrity.sort(shuffled)
    assert list(integrity.problems_of(ordered)) == []
    assert sorted(one["urn"] for one in ordered) == sorted(one["urn"] for one in records)


@given(graphs())
def test_sorting_leaves_a_good_order_alone(records: list[dict]) -> None:
    assert integrity.sort(records) == records


def test_sorting_a_long_chain_needs_no_recursion() -> None:
    count = 5_000
    chain = [resource(str(i), dependencies=[urn(str(i + 1))] if i < count else []) for i in range(count + 1)]
    assert [one["urn"] for one in integrity.sort(chain)] == [urn(str(i)) for i in range(count, -1, -1)]


@given(graphs(), st.data())
def test_repair_forgets_references_to_what_is_gone(records: list[dict], data: st.DataObject) -> None:
    kept = [PROVIDER_RECORD] + [one for one in records[1:] if data.draw(st.booleans())]
    mended, done = integrity.repair(kept)
    assert list(integrity.problems_of(mended)) == []
    assert len(mended) == len(kept)
    if list(integrity.problems_of(kept)):
        assert done


def test_repair_does_not_invent_a_provider() -> None:
    mended, _ = integrity.repair([resource("a", provider=f"{PROVIDER}::uuid")])
    assert "its provider" in next(integrity.problems_of(mended))


def test_dependents_are_found_by_every_kind_of_reference() -> None:
    records = [
        PROVIDER_RECORD,
        resource("a", provider=f"{PROVIDER}::uuid"),
        resource("b", parent=urn("a")),
        resource("c", dependencies=[urn("a")]),
        resource("d", deletedWith=urn("a")),
        resource("e"),
    ]
    assert integrity.dependents_of(records, urn("a")) == [urn("b"), urn("c"), urn("d")]
    assert integrity.dependents_of(records, PROVIDER) == [urn("a")]
