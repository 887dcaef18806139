"""Compares a recording with what the Pulumi CLI did: one line for each difference."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = (
    "exit_code",
    "outcome",
    "changes",
    "operations",
    "calls",
    "diagnostics",
    "outputs",
    "state",
    "messages",
)
REPLIES = ("reply", "error", "init_errors")  # what our own provider said: no matter of the engine
CONFIGURING = ("CheckConfig", "Configure")
BY_CHANCE = ("Configure", "DiffConfig", "Invoke")
"""Calls whose order is chance where they follow one another: each Configure goes to a process of its own,
each DiffConfig is for another resource that changes to the provider, and Invokes come from threads."""


def compare(expected: dict[str, Any], actual: dict[str, Any], *, loose: bool = False) -> list[str]:
    """Every difference, in the order of the steps.

    Args:
        expected: a file of expected/.
        actual: what the recorder wrote; `trace` in a step is checked against the expected partial order.
        loose: leave out the wording of diagnostics, messages, why a step is done, and how often providers are
            configured.
    """
    found: list[str] = []
    names: dict[str, str] = {}
    ids: dict[str, str] = {}
    absent: set[str] = set()
    for index, (before, after) in enumerate(zip(expected["steps"], actual["steps"], strict=False)):
        where = f"step {index} {before['op']}"
        same_names(before, after, names)
        same_ids(before, after, ids)
        after = with_ids(renamed(after, names), ids)  # noqa: PLW2901 (the same step, comparable)
        after = same_format(before, after)  # noqa: PLW2901
        note_absent(before, after, absent)
        before = without(before, absent)  # noqa: PLW2901
        for part in PARTS:
            if part in before and not (loose and part == "messages"):
                left, right = slim(part, before[part], loose=loose), slim(part, after.get(part), loose=loose)
                differences(left, right, f"{where}: {part}", found)
        found.extend(f"{where}: {text}" for text in disorder(before, after))
    if len(expected["steps"]) != len(actual["steps"]):
        found.append(f"{len(expected['steps'])} steps expected, got {len(actual['steps'])}")
    return found


def same_names(expected: dict[str, Any], actual: dict[str, Any], names: dict[str, str]) -> None:
    """Learn which name each id of a provider has in the expected recording.

    Ids are numbered as they are first seen, which is chance where two providers are made at the same time.
    """

    def places(step: dict[str, Any]) -> dict[tuple[str, bool], str]:
        records = [one for one in step["state"]["resources"] if one["type"].startswith("pulumi:providers:")]
        many = Counter((one["urn"], one.get("delete", False)) for one in records)
        return {
            (urn, delete): one["id"]
            for one in records
            if many[urn := one["urn"], delete := one.get("delete", False)] == 1
        }

    left, right = places(expected), places(actual)
    for place in left.keys() & right.keys():
        names.setdefault(right[place], left[place])


def same_ids(expected: dict[str, Any], actual: dict[str, Any], ids: dict[str, str]) -> None:
    """Learn which id each object has in the expected recording, where its name stands in several URNs.

    Ids are NAME-n, n counting the creations of that name. Resources that do not depend on each other are
    registered from threads of their own, so their order is chance, with the CLI too.
    """

    def places(step: dict[str, Any]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        records = [one for one in step["state"]["resources"] if one.get("custom") and one.get("id")]
        many = Counter(one["urn"] for one in records)
        for one in records:
            name = one["urn"].rpartition("::")[2]
            if many[one["urn"]] == 1 and re.fullmatch(rf"{re.escape(name)}-\d+", one["id"]):
                found.setdefault(name, {})[one["urn"]] = one["id"]
        return found

    left, right = places(expected), places(actual)
    for name in left.keys() & right.keys():
        before, after = left[name], right[name]
        if before.keys() == after.keys() and sorted(before.values()) == sorted(after.values()):
            for urn, identity in after.items():
                ids.setdefault(identity, before[urn])


def with_ids(value: Any, ids: dict[str, str]) -> Any:
    """The value with ids by their expected names, also inside of texts."""
    other = {key: name for key, name in ids.items() if key != name}
    if not other:
        return value
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, other))})(?!\w)")

    return change_texts(value, lambda text: pattern.sub(lambda found: other[found[0]], text))


def change_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every text in it changed; keys stay."""
    if isinstance(value, dict):
        return {key: change_texts(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [change_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def note_absent(expected: dict[str, Any], actual: dict[str, Any], absent: set[str]) -> None:
    """Learn which resources are not there because the run stopped before they were asked for, as may be.

    A step's `chance` names resources that the program registers from another thread than the one that fails.
    """
    asked = actual.get("operations", {}).keys()
    absent.difference_update(asked)
    for urn in expected.get("operations", {}).keys() - asked:
        if urn.rpartition("::")[2] in expected.get("chance", ()):
            absent.add(urn)


def without(step: dict[str, Any], absent: set[str]) -> dict[str, Any]:
    """What is expected of a step if some resources are not there."""
    if not absent:
        return step
    out = dict(step)
    if step.get("changes"):
        left = Counter(step["changes"])
        left.subtract(one["op"] for urn in absent for one in step["operations"].get(urn, ()))
        out["changes"] = {op: count for op, count in left.items() if count}
    for part in step.keys() & {"operations", "calls"}:
        out[part] = {urn: many for urn, many in step[part].items() if urn not in absent}
    kept = [one for one in step["state"]["resources"] if one["urn"] not in absent]
    out["state"] = step["state"] | {"resources": kept}
    return out


def same_format(expected: dict[str, Any], actual: dict[str, Any]) -> dict[str, Any]:
    """A recording that does not know of features says version 3 for what is version 4 because of them."""
    state = actual["state"]
    if "features" not in state or "features" in expected["state"]:
        return actual
    plain = {key: value for key, value in state.items() if key != "features"}
    return actual | {"state": plain | {"version": 3}}


def renamed(value: Any, names: dict[str, str]) -> Any:
    """The value with ids of providers by their expected names."""

    def rename(text: str) -> str:
        head, mark, tail = text.partition("<id:")
        identity, _, rest = tail.partition(">")
        return head + names.get(whole := f"{mark}{identity}>", whole) + rest if mark else text

    return change_texts(value, rename)


def slim(part: str, value: Any, *, loose: bool) -> Any:  # noqa: PLR0911 (one for each part)
    """What of a part is compared."""
    if value is None:
        return None
    if part == "exit_code":
        return value != 0
    if part == "operations" and loose:
        return {urn: [{k: one[k] for k in ("op", "result")} for one in many] for urn, many in value.items()}
    if part == "state":
        return with_sorted_dependencies(value)
    if part == "calls":
        return slim_calls(value, loose=loose)
    if part == "diagnostics":
        errors = [one for one in value if one["severity"] == "error"]
        if loose:
            return sorted({one["urn"] for one in errors})
        return sorted(errors, key=lambda one: json.dumps(one, sort_keys=True))
    return value


def with_sorted_dependencies(state: dict[str, Any]) -> dict[str, Any]:
    """The state with dependencies in order of their names: the SDK sends them out of a set, in any order."""

    def ordered(one: dict[str, Any]) -> dict[str, Any]:
        out = dict(one)
        if "dependencies" in one:
            out["dependencies"] = sorted(one["dependencies"])
        if "propertyDependencies" in one:
            found = one["propertyDependencies"]
            out["propertyDependencies"] = {name: sorted(urns) for name, urns in found.items()}
        return out

    return state | {"resources": [ordered(one) for one in state["resources"]]}


def slim_calls(calls: dict[str, list[dict[str, Any]]], *, loose: bool) -> dict[str, list[dict[str, Any]]]:
    out = {}
    for urn, many in calls.items():
        kept = [
            {key: item for key, item in call.items() if key not in REPLIES}
            for call in many
            if not (loose and call["method"] in CONFIGURING)
        ]
        if kept or not loose:
            out[urn] = with_chance_sorted(kept)
    return out


def with_chance_sorted(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls, with those sorted whose order is chance."""
    out: list[dict[str, Any]] = []
    for method, group in groupby(calls, key=lambda call: call["method"]):
        run = list(group)
        out += sorted(run, key=lambda call: json.dumps(call, sort_keys=True)) if method in BY_CHANCE else run
    return out


def differences(left: Any, right: Any, path: str, found: list[str]) -> None:
    """Note where two values differ; `any` on the left is equal to everything."""
    if left == "any":
        return
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            if (key in left) != (key in right):
                word = "missing" if key in left else "not expected"
                found.append(f"{path}/{key}: {word}: {short(left.get(key, right.get(key)))}")
            else:
                differences(left[key], right[key], f"{path}/{key}", found)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            differences(one, other, f"{path}/{index}", found)
    elif left != right or isinstance(left, bool) != isinstance(right, bool):
        found.append(f"{path}: expected {short(left)}, got {short(right)}")


def disorder(expected: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    """Pairs of calls of which the first had not ended when the second started."""
    at = {entry: index for index, entry in enumerate(actual.get("trace", []))}
    late = len(at)
    return [
        f"order: {first} must end before {second} starts"
        for first, second in expected.get("order", [])
        if not at.get(f"end {first}", late) < at.get(f"start {second}", -1)
    ]


def short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:300]
