"""Facts to text: each kind of switch is printed once, and each switch is that text with its values in it.

Templates only print, so a value that goes in comes out as it is: a kind is printed with marks in place of its
values, and the text between the marks is the same for all its switches. A template that computed with a
value, or asked about it, would break this; the tests compare with jinja2, which prints each switch by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import jinja2
import minijinja

from infra.errors import UserError
from infra.render.network.facts import HEAD, VALUES, build
from infra.render.templates import TEMPLATES
from infra.spec import catalog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.render.network.collecting import Switch
    from infra.render.network.facts import Common, Profile, SwitchFacts

FOLDER = TEMPLATES / "switches"
_OPEN, _CLOSE = "\ue000", "\ue001"
"""Around the number of a value: private characters (Unicode, U+E000 to U+F8FF), which no name has."""
_VALUE = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")

_CAUSE = re.compile(r"^(?:caused by: )?(.*) \(in (.+):([0-9]+)\)$", re.MULTILINE)
"""The engine's own words for an error: the first is the outermost."""

Files = dict[str, str]
"""File on the switch → its text."""


@cache
def environment() -> minijinja.Environment:
    """The fast engine, set up as the reference is (`reference`)."""
    engine = minijinja.Environment(
        loader=_source, undefined_behavior="strict", trim_blocks=True, keep_trailing_newline=True
    )
    engine.auto_escape_callback = lambda _: False
    return engine


@cache
def reference() -> jinja2.Environment:
    """Jinja itself, which the tests hold the fast engine against."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (configuration files, never HTML)
    )


def _source(name: str) -> str | None:
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


Engine = Callable[[str, Mapping[str, object]], str]
"""Renders a template of `templates/switches` with some facts."""


def render(template: str, facts: Mapping[str, object]) -> str:
    """Print facts through a template of `templates/switches` by the fast engine.

    Raises:
        UserError: the template is missing or wrong.
    """
    try:
        return environment().render_template(template, **facts, template=f"switches/{template}")
    except minijinja.TemplateError as error:
        raise _innermost_message(error, template) from error


def slow(template: str, facts: Mapping[str, object]) -> str:
    """The same by the reference engine."""
    return reference().get_template(template).render(**facts, template=f"switches/{template}")


def print_facts(facts: SwitchFacts, engine: Engine = render) -> Files:
    """All files of one switch.

    Raises:
        UserError: a template is missing or wrong.
    """
    known = {"switch": mapping(facts)}
    files = catalog.system(facts.system).files
    return {file: engine(f"{facts.system}/{template}", known) for file, template in files.items()}


def mapping(facts: Any) -> dict[str, Any]:
    """Facts as templates take them: as `dataclasses.asdict` has them, without copying every text."""
    kind: Any = type(facts)
    return {name: _plain(getattr(facts, name)) for name in _names(kind)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return mapping(value) if is_dataclass(value) else value


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _innermost_message(error: minijinja.TemplateError, path: str) -> UserError:
    """The innermost cause: a template that includes another knows only that the other failed."""
    causes = _CAUSE.findall(str(error)) or [(error.message, path, 1)]
    message, name, line = causes[-1]
    where = f"templates/switches/{name}:{line}"
    return UserError(str(message), where=where, hint="see infra/render/network/facts.py")


def print_switches(switches: Iterable[Switch], common: Common) -> Iterator[tuple[str, Files]]:
    """Name and files of each switch, in their order."""
    kinds: dict[int, tuple[Profile, dict[str, _Text]]] = {}
    for switch in switches:
        # By identity: a profile's hash asks all its ports, and switches of a tier share the object.
        known = kinds.get(id(switch.profile))
        if known is None:
            known = kinds[id(switch.profile)] = switch.profile, print_kind(switch.profile, common)
        kind = known[1]
        values = switch.values
        yield switch.name, {file: text.filled(values) for file, text in kind.items()}


def print_kind(profile: Profile, common: Common) -> dict[str, _Text]:
    """Render the files that all switches of a kind have in common."""
    number = HEAD + sum(VALUES[port.other] for port in profile.ports)
    marks = [f"{_OPEN}{index}{_CLOSE}" for index in range(number)]
    return {file: _Text(text) for file, text in print_facts(build(profile, marks, common)).items()}


class _Text:
    """A text with numbered gaps."""

    __slots__ = ("pieces", "values_of")

    def __init__(self, text: str) -> None:
        self.pieces: list[str] = _VALUE.split(text)
        numbers = [int(index) for index in self.pieces[1::2]]
        # itemgetter is the fastest, but gives no tuple for one number.
        self.values_of = itemgetter(*numbers) if len(numbers) > 1 else _each(numbers)

    def filled(self, values: tuple[str, ...]) -> str:
        pieces = self.pieces.copy()
        pieces[1::2] = self.values_of(values)
        return "".join(pieces)


def _each(numbers: list[int]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    return lambda values: tuple(values[number] for number in numbers)
