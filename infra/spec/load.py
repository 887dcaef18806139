"""From a YAML file to a checked part of the declaration, with every mistake at once."""

from __future__ import annotations

import difflib
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from infra import paths
from infra.errors import Problem, Problems, UserError
from infra.spec import checks, document
from infra.spec.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import ErrorDetails

    from infra.spec.document import Document, Loc

Model = TypeVar("Model", bound=BaseModel)


def load_site(name: str) -> Site:
    """Load `inventories/NAME/site.yaml`.

    Raises:
        UserError: there is no such site.
        Problems: the declaration has mistakes.
    """
    path = paths.inventory(name) / "site.yaml"
    if not path.is_file():
        known = sorted(folder.parent.name for folder in (paths.ROOT / "inventories").glob("*/site.yaml"))
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known) or 'none'}"
        raise UserError(f"there is no site `{name}`", where=f"inventories/{name}/site.yaml", hint=hint)
    return load(path)


def load(path: Path) -> Site:
    """Load and check a declaration.

    Raises:
        Problems: with all mistakes, each with file, line, path, message and hint.
    """
    return load_document(document.read(path))


def load_text(text: str, name: str = "site.yaml") -> Site:
    """Load a declaration from text; `name` stands for the file in messages."""
    return load_document(document.parse(text, name))


def load_document(source: Document) -> Site:
    """Check a parsed declaration; see `load`."""
    problems = list(source.problems)
    try:
        site = Site.model_validate(source.value if source.value is not None else {})
        distrusted: set[Loc] = set()
    except ValidationError as error:
        problems += _problems(error, source, Site)
        site, distrusted = _mended(source.value, Site, error)
    if site is not None:
        problems += [
            source.problem(mistake.loc, mistake.message, mistake.hint)
            for mistake in checks.mistakes(site)
            if not any(_touch(loc, bad) for loc in (mistake.loc, *mistake.depends) for bad in distrusted)
        ]
    if problems:
        raise Problems(list(dict.fromkeys(problems)))
    assert site is not None
    return site


def _touch(one: Loc, other: Loc) -> bool:
    """Whether one location lies in the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def validated(path: Path, model: type[Model]) -> Model:
    """Load a file of one type, such as a catalog entry.

    Raises:
        Problems: with all mistakes.
    """
    source = document.read(path)
    try:
        part = model.model_validate(source.value)
    except ValidationError as error:
        raise Problems(source.problems + _problems(error, source, model)) from error
    if source.problems:
        raise Problems(source.problems)
    return part


_MESSAGES = {
    "missing": ("required key is missing", None),
    "int_type": ("is not a whole number", "write it without quotes, unit and fraction"),
    "int_from_float": ("is not a whole number", None),
    "int_parsing": ("is not a whole number", "write it without quotes, unit and fraction"),
    "float_type": ("is not a number", None),
    "float_parsing": ("is not a number", None),
    "bool_type": ("is neither true nor false", None),
    "bool_parsing": ("is neither true nor false", None),
    "string_type": ("is not text", "put it in quotes"),
    "list_type": ("is not a list", "write one `- item` a line"),
    "tuple_type": ("is not a list", "write one `- item` a line"),
    "dict_type": ("is not a mapping", "write `key: value` lines"),
    "model_type": ("is not a mapping", "write `key: value` lines"),
    "model_attributes_type": ("is not a mapping", "write `key: value` lines"),
    "dataclass_type": ("is not a mapping", "write `key: value` lines"),
    "too_short": ("is empty", "give at least one"),
}


def _problems(error: ValidationError, source: Document, model: type[BaseModel]) -> list[Problem]:
    found: dict[Loc, Problem] = {}
    for detail in error.errors(include_url=False):
        loc = _real(detail["loc"], source.value)
        message, hint = _words(detail, model, source)
        problem = source.problem(loc, message, hint)
        # A value that fits no branch of a choice is one mistake; the first branch's message is the clearest.
        found.setdefault(loc, problem)
    return list(found.values())


def _real(loc: tuple[str | int, ...], value: object) -> Loc:
    """A pydantic location without the names of union branches, which are in no file."""
    result: list[str | int] = []
    for index, step in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(value, dict) and isinstance(step, str):
            if step in value:
                value = value[step]
            elif not last or not _is_name(step):
                continue
            result.append(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
            result.append(step)
    return tuple(result)


def _is_name(step: str) -> bool:
    return step.replace("_", "").isalnum() and step == step.lower()


def _words(detail: ErrorDetails, model: type[BaseModel], source: Document) -> tuple[str, str | None]:
    kind, message = detail["type"], detail["msg"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        key = str(detail["loc"][-1])
        known = _keys(model, detail["loc"][:-1])
        near = difflib.get_close_matches(key, known, 1, 0.6)
        return f"unknown key `{key}`", (
            f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(sorted(known))}"
        )
    if kind in _MESSAGES:
        text, hint = _MESSAGES[kind]
        if kind == "missing":
            return f"required key `{detail['loc'][-1]}` is missing", hint
        shown = detail["input"]
        return (f"{shown!r} {text}" if isinstance(shown, (str, int, float)) else text), hint
    if kind == "literal_error":
        expected = str(context.get("expected", ""))
        options = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
        near = difflib.get_close_matches(str(detail["input"]), options, 1, 0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"one of {', '.join(options)}"
        return f"{detail['input']!r} is not a choice", hint
    if kind == "string_pattern_mismatch":
        example = _hint_example(model, _real(detail["loc"], source.value))
        hint = f"write it like `{example}`" if example else f"the form is {context.get('pattern')}"
        return f"{detail['input']!r} does not have the right form", hint
    if kind.startswith(("greater_than", "less_than")):
        bound = context.get("ge", context.get("gt", context.get("le", context.get("lt"))))
        word = {"greater_than_equal": "less than", "greater_than": "not more than", "less_than_equal": "more than",
                "less_than": "not less than"}[kind]  # fmt: skip
        return f"{detail['input']} is {word} {bound}", None
    text, _, hint_text = message.partition("|")
    return text[:1].lower() + text[1:], hint_text or None


def _keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """Known keys of the model at a location, found by walking the types."""
    current: list[type[BaseModel]] = [model]
    for step in loc:
        following: list[type[BaseModel]] = []
        for candidate in current:
            if isinstance(step, str) and step in candidate.model_fields:
                following += _models(candidate.model_fields[step].annotation)
        current = following or current
    return [key for candidate in current for key in candidate.model_fields]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in {typing.Union, types.UnionType, tuple, list, dict, typing.Annotated}:
        return [model for part in typing.get_args(annotation) for model in _models(part)]
    return []


def _mended(value: Any, model: type[Model], error: ValidationError) -> tuple[Model | None, set[Loc]]:
    """The declaration with each wrong value replaced by its type's example, so that other checks can go on.

    Returns:
        It, and the locations that were replaced (what depends on them is not to be trusted); or None.
    """
    import copy  # noqa: PLC0415 (only on the way to an error)

    value = copy.deepcopy(value) if isinstance(value, dict) else {}
    replaced: set[Loc] = set()
    for _ in range(6):
        for detail in error.errors(include_url=False):
            loc = _real(detail["loc"], value)
            replaced.add(loc)
            _mend(value, loc, detail, model)
        try:
            return model.model_validate(value), replaced
        except ValidationError as again:
            error = again
    return None, replaced


def _mend(value: Any, loc: Loc, detail: ErrorDetails, model: type[BaseModel]) -> None:
    if not loc:
        return
    for step in loc[:-1]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return
    last = loc[-1]
    if detail["type"] == "extra_forbidden" and isinstance(value, dict):
        value.pop(last, None)
        return
    example = _example(model, loc)
    if example is None:
        if isinstance(value, dict):
            value.pop(last, None)
        elif isinstance(value, list) and isinstance(last, int) and last < len(value):
            del value[last]
    elif isinstance(value, dict) or (isinstance(value, list) and isinstance(last, int) and last < len(value)):
        value[last] = example


def _example(model: type[BaseModel], loc: Loc) -> Any:
    """A minimal valid value for a location, from the type's JSON Schema; None if the key can be left out."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})

    def resolve(part: Any) -> Any:
        while isinstance(part, dict) and "$ref" in part:
            part = definitions[part["$ref"].rsplit("/", 1)[1]]
        if isinstance(part, dict) and "anyOf" in part:
            part = resolve(next((p for p in part["anyOf"] if p.get("type") != "null"), part["anyOf"][0]))
        return part

    def minimal(part: Any) -> Any:
        raw, part = part, resolve(part)
        for form in (raw, part):
            if form.get("examples"):
                return form["examples"][0]
        if "enum" in part:
            return part["enum"][0]
        if "const" in part:
            return part["const"]
        if part.get("type") == "object":
            return {key: minimal(part["properties"][key]) for key in part.get("required", ())}
        return {"string": "x", "integer": 1, "number": 1.0, "boolean": False, "array": []}.get(
            part.get("type")
        )

    found = _walk(schema, loc, resolve)
    if found is None:
        return None
    required, part = found
    return minimal(part) if required or isinstance(loc[-1], int) else None


def _hint_example(model: type[BaseModel], loc: Loc) -> Any:
    """The first example that the type at a location gives."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})

    def resolve(part: Any) -> Any:
        while isinstance(part, dict) and "$ref" in part:
            part = definitions[part["$ref"].rsplit("/", 1)[1]]
        if isinstance(part, dict) and "anyOf" in part:
            part = resolve(next((p for p in part["anyOf"] if p.get("type") != "null"), part["anyOf"][0]))
        return part

    found = _walk(schema, loc, resolve)
    examples = resolve(found[1]).get("examples") if found else None
    return examples[0] if examples else None


def _walk(schema: Any, loc: Loc, resolve: Callable[[Any], Any]) -> tuple[bool, Any] | None:
    """Whether a location is required, and its part of a JSON Schema."""
    required, part = False, resolve(schema)
    for step in loc:
        part = resolve(part)
        if isinstance(step, int):
            items = part.get("items") or (part.get("prefixItems") or [{}])[0]
            required, part = False, items
        elif step in part.get("properties", {}):
            required, part = step in part.get("required", ()), part["properties"][step]
        elif isinstance(part.get("additionalProperties"), dict):
            required, part = False, part["additionalProperties"]
        else:
            return None
    return required, part
