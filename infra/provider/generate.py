"""Write what follows from the resource types: the classes that programs use, and the reference page.

`python -m infra.provider.generate` writes both; a test says when they are out of date.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
import typing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import jinja2

from infra import paths
from infra.process import run
from infra.provider.inputs import InputModel, is_model, item_kind, properties_of
from infra.provider.reference import page
from infra.provider.resources import registry
from infra.provider.schema import args_name, module_of
from infra.provider.settings import Settings

if typing.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.provider.inputs import Property
    from infra.provider.resources.resource_type import ResourceType

_WIDTH = 110
_OUTPUTS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_RUFF = Path(sys.executable).with_name("ruff")

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Arguments:
    """Class of arguments: `fields` with their types, `docs` what each means."""

    name: str
    base: str | None
    doc: str
    docs: Pairs
    fields: Pairs


@dataclass(frozen=True, slots=True)
class Resource:
    """Class of a resource: `outputs` with their types, `docs` what each means."""

    name: str
    token: str
    args: str
    doc: str
    docs: Pairs
    outputs: Pairs


@dataclass(frozen=True, slots=True)
class Module:
    """Classes of one module, and where the names that it uses come from."""

    arguments: list[Arguments] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    imports: Pairs = field(default_factory=list)


def list_files() -> dict[Path, str]:
    """Return path → text of every generated file."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        autoescape=False,  # noqa: S701 (Python, no HTML)
    )
    environment.filters |= {"docstring": _wrap_docstring, "attribute": _wrap_attribute}
    template = environment.get_template("module.py.j2")
    folder = paths.ROOT / "infra" / "components" / "resources"
    found = {
        folder / f"{name}.py": _lay_out(template.render(module=name, **_as_dict(module)))
        for name, module in _describe_modules().items()
    }
    return {**found, paths.ROOT / "docs" / "resources.md": page()}


def main() -> None:
    """Write the files whose text has changed, and name them."""
    for path, text in list_files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(paths.ROOT)}\n")


def _as_dict(module: Module) -> dict[str, Any]:
    return {"arguments": module.arguments, "resources": module.resources, "imports": module.imports}


def _describe_modules() -> dict[str, Module]:
    kinds = list(registry().values())
    models = dict.fromkeys(model for kind in kinds for model in walk_models(kind.inputs))
    modules: dict[str, Module] = {}
    for model in models:
        module = modules.setdefault(module_of(model), Module())
        module.arguments.append(_describe_arguments(model))
        _import(module, module_of(model), *_needs(model))
    for kind in kinds:
        name = kind.type_name.split(":")[1]
        module = modules.setdefault(name, Module())
        module.resources.append(_describe_resource(kind))
        _import(module, name, kind.inputs)
    modules["provider"] = Module([_describe_arguments(Settings, "ProviderArgs")])
    return modules


def _import(module: Module, name: str, *models: type[InputModel]) -> None:
    """Note where a module, by its name, gets arguments from that it uses and does not hold."""
    module.imports.extend(
        (args_name(model), module_of(model)) for model in models if module_of(model) != name
    )


def _needs(model: type[InputModel]) -> Iterator[type[InputModel]]:
    """Yield the models that a model inherits from, and those of the properties that it adds."""
    for base in model.__bases__:
        if is_model(base) and base is not InputModel:
            yield base
    for declared in _own(model).values():
        for kind in (declared.kind, item_kind(declared.kind)):
            if is_model(kind):
                yield kind


def walk_models(model: type[InputModel]) -> Iterator[type[InputModel]]:
    """Yield the models that a model is made of, and then itself."""
    for needed in _needs(model):
        yield from walk_models(needed)
    yield model


def _own(model: type[InputModel]) -> dict[str, Property]:
    """Return the properties that a model adds to those of its bases."""
    own = inspect.get_annotations(model)
    return {name: declared for name, declared in properties_of(model).items() if name in own}


def _describe_arguments(model: type[InputModel], name: str | None = None) -> Arguments:
    base = next(item for item in model.__bases__ if is_model(item))
    own = _own(model)
    return Arguments(
        name or args_name(model),
        None if base is InputModel else args_name(base),
        inspect.getdoc(model) or "",
        [(key, _write_meaning(item)) for key, item in own.items()],
        [(key, _type(item.kind) + ("" if item.required else " | None = None")) for key, item in own.items()],
    )


def _write_meaning(declared: Property) -> str:
    """Return what a property means, with its choices and whether it replaces."""
    kind = declared.kind
    choices = f" ({', '.join(kind)})" if isinstance(kind, type) and issubclass(kind, StrEnum) else ""
    return declared.doc + choices + ("; a change replaces the resource" if declared.replaces else "")


def _type(kind: Any) -> str:
    """Return the type of an argument."""
    if is_model(kind):
        return args_name(kind)
    inner = item_kind(kind)
    if inner is not None:
        return f"{'Mapping[str, ' if typing.get_origin(kind) is dict else 'Sequence['}{_type(inner)}]"
    return (
        f"pulumi.Input[{next(base.__name__ for base in (bool, int, float, str) if issubclass(kind, base))}]"
    )


def _describe_resource(kind: ResourceType[Any]) -> Resource:
    return Resource(
        type(kind).__name__,
        kind.type_name,
        args_name(kind.inputs),
        kind.doc,
        [(name, output.doc) for name, output in kind.outputs.items()],
        [(name, _output_type(output.schema)) for name, output in kind.outputs.items()],
    )


def _output_type(schema: Mapping[str, Any]) -> str:
    """Return the Python type of an output's schema."""
    if schema["type"] == "object":
        inner = schema.get("additionalProperties")
        return f"dict[str, {_output_type(inner) if inner else 'Any'}]"
    return _OUTPUTS[schema["type"]]


def _wrap_docstring(text: str) -> str:
    """Return the first sentence, and the others under it."""
    first, dot, rest = text.partition(". ")
    if not rest:
        return text
    lines = textwrap.wrap(rest, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([f"{first}{dot.strip()}", "", *lines])


def _wrap_attribute(text: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 12, break_on_hyphens=False
    )


def _lay_out(text: str) -> str:
    """Return Python as this repository lays it out, without the imports that it does not use."""
    rules = ["--select=F401,I", "--config=lint.isort.known-first-party=['infra']"]
    used = run([_RUFF, "check", "--isolated", "--fix-only", "--quiet", *rules, "-"], stdin=text).stdout
    return run([_RUFF, "format", "--isolated", f"--line-length={_WIDTH}", "-"], stdin=used).stdout


if __name__ == "__main__":
    main()
