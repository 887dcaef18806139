"""Variables of roles: what an operator may set, its default, and its type.

`defaults/main.yml` and `meta/argument_specs.yml` are Ansible's own files, in Ansible's own forms. Names begin
with the role's name, as is the custom; so nothing else may.
"""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.errors import Problems
from infra.roles.folders import load_each
from infra.spec import document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from infra.errors import Problem
    from infra.spec.document import Document

DEFAULTS = "defaults/main.yml"
SPECS = "meta/argument_specs.yml"
TYPES = {"bool": bool, "dict": dict, "float": float, "int": int, "list": list, "str": str}
"""Types of options, which values have; Ansible has more (`path`, `raw`)."""
OLD_BOOLEANS = {"yes", "no", "on", "off", "y", "n"}
"""Words that YAML 1.1, which Ansible reads, takes for true or false."""


class RoleVariables(NamedTuple):
    """Variables of one role.

    Attributes:
        defaults: value by name.
        options: Ansible's argument specification by name.
    """

    defaults: Mapping[str, Any]
    options: Mapping[str, Mapping[str, Any]]


@cache
def role_variables(site: str | None = None) -> Mapping[str, RoleVariables]:
    """Load the variables of all roles, by role: those of the product, then of the site's own.

    Raises:
        Problems: every mistake of every file.
    """
    return load_each(load_variables, site)


def load_variables(folder: Path) -> RoleVariables:
    """Load the variables of one role's folder; a role without such files has none.

    Raises:
        Problems: every mistake, with file and line.
    """
    defaults, specs = (
        document.read(folder / name) if (folder / name).is_file() else document.parse("", name)
        for name in (DEFAULTS, SPECS)
    )
    problems = [*defaults.problems, *specs.problems]
    values = defaults.value if isinstance(defaults.value, dict) else {}
    if not isinstance(defaults.value, dict | None):
        problems.append(defaults.problem((), "is no mapping", "write `NAME: VALUE` lines"))
    at = ("argument_specs", "main", "options")
    options: Any = specs.value
    for word in at:
        options = options.get(word) if isinstance(options, dict) else None
    options = options if isinstance(options, dict) else {}
    problems += _mistakes(folder.name, defaults, values, options)
    problems += [
        specs.problem((*at, name), f"{DEFAULTS} has no `{name}`", "give it a default there")
        for name in options.keys() - values.keys()
    ]
    for name in options.keys() & values.keys():
        problems += _option_mistakes(name, values[name], options[name], specs, at)
    if problems:
        raise Problems(problems)
    return RoleVariables(values, options)


def _mistakes(
    role: str, defaults: Document, values: Mapping[str, Any], options: Mapping[str, Any]
) -> Iterator[Problem]:
    for name, value in values.items():
        if not name.startswith(f"{role}_"):
            hint = f"call it {role}_{name}"
            yield defaults.problem((name,), f"`{name}` does not begin with `{role}_`", hint)
        elif name not in options:
            yield defaults.problem((name,), f"{SPECS} has no option `{name}`", "say there what it is")
        if value is None:
            yield defaults.problem((name,), f"`{name}` has no value", "a default is what the role writes")
        if isinstance(value, str) and value.lower() in OLD_BOOLEANS:
            yield defaults.problem(
                (name,), f"Ansible reads `{value}` as true or false", "write true, false, or quote it twice"
            )


def _option_mistakes(
    name: str, default: Any, option: Any, specs: Document, at: tuple[str, ...]
) -> Iterator[Problem]:
    here = (*at, name)
    if not isinstance(option, dict) or option.get("type") not in TYPES:
        yield specs.problem(here, f"`{name}` has no type", f"`type:` is one of {', '.join(TYPES)}")
        return
    if type(default) is not TYPES[option["type"]]:
        yield specs.problem((*here, "type"), f"the default {default!r} is of another type", "make them agree")
    if option.get("default") != default:
        yield specs.problem(
            (*here, "default"), f"the default is {default!r} in {DEFAULTS}", "write the same here"
        )
    if not option.get("description"):
        yield specs.problem(here, f"`{name}` has no description", "say in a line what it does")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the known word that is most like one, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known) or 'none'}"
