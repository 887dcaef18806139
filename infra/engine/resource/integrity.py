"""Whether a snapshot holds together: order, references, identities. And how to put it right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.engine.errors import EngineError
from infra.engine.resource import urn as urns
from infra.engine.resource.graph import post_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Record = dict[str, Any]
"""A resource as it stands in a checkpoint."""


class IntegrityError(EngineError):
    """A snapshot contradicts itself. `problems` holds one sentence for each contradiction."""

    def __init__(self, problems: Sequence[str], where: str = "the snapshot") -> None:
        self.problems = tuple(problems)
        shown = "".join(f"\n  {problem}" for problem in self.problems[:10])
        more = f"\n  and {len(problems) - 10} more" if len(problems) > 10 else ""
        super().__init__(f"{where} is not consistent:{shown}{more}")


def check(resources: Sequence[Record], where: str = "the snapshot") -> None:
    """Check that the resources may stand in a checkpoint.

    Raises:
        IntegrityError: they may not.
    """
    problems = list(problems_of(resources))
    if problems:
        raise IntegrityError(problems, where)


def problems_of(resources: Iterable[Record]) -> Iterator[str]:
    """Each contradiction in words: a reference to what does not stand before it, a URN twice, ..."""
    seen: set[str] = set()
    live: set[str] = set()
    providers: set[str] = set()
    for record in resources:
        urn = record.get("urn", "")
        yield from _own_problems(record)
        reference = record.get("provider")
        if reference and reference not in providers:
            yield f"{urn}: its provider {reference} does not stand before it"
        for kind, target in references(record):
            if target not in seen:
                yield f"{urn}: its {kind} {target} does not stand before it"
        if not record.get("delete"):
            if urn in live:
                yield f"duplicate resource {urn}"
            live.add(urn)
        seen.add(urn)
        if urns.is_provider_type(record.get("type", "")):
            providers.add(f"{urn}::{record.get('id', '')}")


def _own_problems(record: Record) -> Iterator[str]:
    urn = record.get("urn", "")
    try:
        parsed = urns.Urn.parse(urn)
    except ValueError as error:
        yield str(error)
        return
    type_ = record.get("type") or parsed.type
    if type_ != parsed.type and "::" not in type_:  # a type without a module cannot be told from the name
        yield f"{urn}: its type is {type_}, not that of its URN"
    if record.get("id") and not record.get("custom"):
        yield f"{urn}: has an id ({record['id']}) although it is not a custom resource"
    if urns.is_provider_type(parsed.type) and not record.get("id"):
        yield f"{urn}: is a provider without an id"


def references(record: Record) -> Iterator[tuple[str, str]]:
    """Every URN that a resource refers to but its provider's, with the word for the kind of reference."""
    if record.get("parent"):
        yield "parent", record["parent"]
    for urn in record.get("dependencies") or ():
        yield "dependency", urn
    for name, targets in (record.get("propertyDependencies") or {}).items():
        for urn in targets or ():
            yield f"dependency (of the property {name})", urn
    if record.get("deletedWith"):
        yield "deletedWith", record["deletedWith"]
    for urn in record.get("replaceWith") or ():
        yield "replaceWith", urn


def sort(resources: Sequence[Record]) -> list[Record]:
    """The resources, each after all it refers to; otherwise in the order they had.

    Where a URN stands for several states (replaced ones wait for their deletion), a live resource goes after
    the live one, and one to be deleted after one to be deleted. A circle is left as it is: `check` names it.
    """
    places: dict[str, list[int]] = {}
    providers: dict[str, int] = {}
    for index, record in enumerate(resources):
        places.setdefault(record["urn"], []).append(index)
        if urns.is_provider_type(record.get("type", "")):
            providers[f"{record['urn']}::{record.get('id', '')}"] = index

    def before(index: int) -> Iterator[int]:
        record = resources[index]
        if record.get("provider") in providers:
            yield providers[record["provider"]]
        for _, urn in references(record):
            found = places.get(urn, [])
            alike = [i for i in found if bool(resources[i].get("delete")) == bool(record.get("delete"))]
            yield from alike or found

    return [resources[index] for index in post_order(range(len(resources)), before)]


def repair(resources: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """Put a snapshot right as far as nothing is lost by it: the order, and references to what is gone.

    Returns:
        the resources, and what was done, one sentence each. A resource whose provider is gone stays: only a
        person can say what manages it now, so `check` may still fail.
    """
    done: list[str] = []
    present = {record["urn"] for record in resources}
    mended = [_without(record, present, done) for record in resources]
    ordered = sort(mended)
    if [record["urn"] for record in ordered] != [record["urn"] for record in mended]:
        done.append("put the resources in the order of their dependencies")
    return ordered, done


def _without(record: Record, present: set[str], done: list[str]) -> Record:
    """The record without references to URNs that are not present."""
    missing = {urn for _, urn in references(record)} - present
    if not missing:
        return record
    done.extend(f"{record['urn']}: forgot its reference to {urn}, which is gone" for urn in sorted(missing))
    out = dict(record)
    for key in ("parent", "deletedWith"):
        if out.get(key) in missing:
            del out[key]
    for key in ("dependencies", "replaceWith"):
        if key in out:
            out[key] = [urn for urn in out[key] or () if urn not in missing]
            if not out[key]:
                del out[key]
    if "propertyDependencies" in out:
        out["propertyDependencies"] = {
            name: [urn for urn in targets or () if urn not in missing]
            for name, targets in (out["propertyDependencies"] or {}).items()
        }
    return out


def dependents_of(resources: Iterable[Record], urn: str) -> list[str]:
    """The URNs of resources that refer to this one in any way, its provider's resources among them."""
    return [
        record["urn"]
        for record in resources
        if record["urn"] != urn
        and (
            any(target == urn for _, target in references(record))
            or record.get("provider", "").rpartition("::")[0] == urn
        )
    ]


def deployment_problems(deployment: Mapping[str, Any]) -> list[str]:
    """The contradictions of a whole deployment."""
    return list(problems_of(deployment.get("resources") or ()))
