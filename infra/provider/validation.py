"""Check of inputs against their model: every mistake at once, each with its path and in plain words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from infra.errors import UserError
from infra.provider.inputs import InputModel, apply_defaults, is_model, item_kind, properties_of
from infra.provider.properties import Unknown, join

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from infra.provider.inputs import Property

Model = TypeVar("Model", bound=InputModel)

_FORMS = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("more than", "gt"),
    "less_than": ("less than", "lt"),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One mistake in a resource's inputs."""

    path: str
    reason: str


def check(model: type[InputModel], given: Mapping[str, Any], failures: list[Failure]) -> dict[str, Any]:
    """Return plain inputs with defaults filled in; every mistake goes to `failures`. Unknown values pass."""
    inputs = apply_defaults(model, given)
    try:
        model.model_validate(inputs)
    except ValidationError as error:
        failures += _explain_all(model, error)
    return inputs


def build(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return the inputs that a state or checked inputs hold; other properties are passed over.

    Raises:
        UserError: the values do not fit the model, as a state that another version recorded may.
    """
    try:
        return model.model_validate(values, extra="ignore")
    except ValidationError as error:
        raise UserError(
            "; ".join(f"{item.path} {item.reason}" for item in _explain_all(model, error)),
            hint="its recorded inputs do not fit this version: run `up` to record them anew",
        ) from None


def _explain_all(model: type[InputModel], error: ValidationError) -> list[Failure]:
    found = error.errors(include_url=False)
    return [_explain(model, item) for item in found if not isinstance(item["input"], Unknown)]


def _explain(model: type[InputModel], error: ErrorDetails) -> Failure:
    """Return the failure for one of pydantic's errors."""
    location, is_key = error["loc"], error["loc"][-1:] == ("[key]",)
    if is_key:
        location = location[:-1]
    kind: Any = model
    owner, declared = model, None
    for part in location:
        if is_model(kind):
            owner, declared = kind, properties_of(kind).get(str(part))
            kind = declared.kind if declared else None
        else:
            kind = item_kind(kind)
    path = _write_path(location)
    if error["type"] == "extra_forbidden":
        return Failure(path, _suggest(str(location[-1]), owner))
    return Failure(path, _reason(error, kind, declared, is_key=is_key))


def _write_path(location: Sequence[int | str]) -> str:
    path = ""
    for part in location:
        path = f"{path}[{part}]" if isinstance(part, int) else join(path, part)
    return path


def _suggest(name: str, owner: type[InputModel]) -> str:
    known = properties_of(owner)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"it takes {', '.join(known)}"
    return f"is not a property of this resource; {hint}"


def _reason(error: ErrorDetails, kind: Any, declared: Property | None, *, is_key: bool) -> str:
    value, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"is required: {declared.doc}" if declared else "is required"
        case "string_pattern_mismatch":
            like = None if declared is None else declared.key_like if is_key else declared.like
            return f"`{value}` is not {like or 'of the form ' + context['pattern']}"
        case bound if bound in _BOUNDS:
            words, limit = _BOUNDS[bound]
            return f"must be {words} {context[limit]:.15g}, not {value:.15g}"
        case "value_error":
            return str(context["error"])
        case name if name.endswith(("_type", "_parsing")) or name in {"enum", "int_from_float"}:
            return f"must be {_form(kind)}, not {_show(value)}"
    said = error["msg"]
    return f"{said[:1].lower()}{said[1:]}, not {_show(value)}"


def _form(kind: Any) -> str:
    """Return what a value of a type looks like, in words."""
    if is_model(kind):
        return "an object"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return f"one of {', '.join(kind)}"
    if item_kind(kind) is not None:
        return "a list" if kind.__origin__ is tuple else "a map"
    return _FORMS.get(kind, "of another type")


def _show(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"`{value}`" if isinstance(value, str) else str(value).lower()
