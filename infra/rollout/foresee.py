"""Changes of machines' configuration before they happen, from one declaration to another."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from infra.plan import summary
from infra.render.deployment import render_files
from infra.render.facts import machine_facts
from infra.rollout.compare import Change, Group, group_alike
from infra.rollout.inventory.facts import site_of_plan
from infra.rollout.outputs import machine_outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.plan import Plan
    from infra.rollout.inventory.facts import SiteOfMachines

MOST = 400
"""Machines of a site whose files are rendered here; a large site's head alone takes seconds, since it knows
every machine, and `gigasite apply --plan` compares what machines have, by wave."""


def between(before: Plan, after: Plan) -> tuple[Group, ...] | None:
    """Files of machines that are in both plans and differ, grouped by equal change; None of a large site."""
    if max(summary(plan)["nodes"] for plan in (before, after)) > MOST:
        return None
    one, two = site_of_plan(before), site_of_plan(after)
    found: dict[str, tuple[Change, ...]] = {}
    for name in sorted(one.pod_of.keys() & two.pod_of.keys()):
        changes = tuple(_changes(_files(one, name), _files(two, name)))
        if changes:
            found[name] = changes
    return tuple(group_alike(found))


def _files(source: SiteOfMachines, name: str) -> dict[str, tuple[str | None, str]]:
    """Content (None for secrets and folders), and mode and owners, by path."""
    facts = machine_facts(source.machine(name), source.peers, source.common)
    return {
        file.path: (file.text, f"{file.mode} {file.owner} {file.group}")
        for file in render_files(facts, source.whole, source.role_variables(facts))
    }


def _changes(
    before: Mapping[str, tuple[str | None, str]], after: Mapping[str, tuple[str | None, str]]
) -> Iterator[Change]:
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if new is None:
            yield Change(path, "is no longer deployed")
        elif old is not None and old[0] == new[0]:
            yield Change(path, f"is {old[1]}, will be {new[1]}")
        elif new[0] is None:
            yield Change(path, "is new")
        else:
            lines = difflib.unified_diff(
                ((old[0] or "") if old else "").splitlines(), new[0].splitlines(),
                path if old else "/dev/null", path, lineterm="", n=0,
            )  # fmt: skip
            yield Change(path, "\n".join(lines))


def machines_there(site: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Machines that can be asked for their files, and those that are not made or only simulated."""
    known = machine_outputs(site)
    there = [name for name in names if name in known and known[name].get("driver", "redfish") != "simulated"]
    left = set(names) - set(there)
    return there, [name for name in names if name in left]
