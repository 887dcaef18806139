"""A project, and the configuration that it and a stack's settings make together."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.engine.errors import EngineError
from infra.engine.workspace.config import Configuration, ConfigValue, is_sealed, parse_key
from infra.engine.workspace.home import current_backend
from infra.engine.workspace.stack_settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


TYPES: Final = ("string", "integer", "boolean", "array", "object")


@dataclass(frozen=True, slots=True)
class PluginPath:
    """A plugin that the project names by its folder or executable."""

    kind: str
    name: str
    path: Path
    version: str = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A configuration key that the project declares.

    Attributes:
        name: the key as it is declared.
        key: with its namespace.
        type: one of string, integer, boolean, array, object; empty if not declared.
        items: the declaration of an array's items.
        default: what it is where the stack says nothing; None if the stack must say something.
        secret: the stack's value must be encrypted.
    """

    name: str
    key: str
    type: str = ""
    items: Mapping[str, Any] | None = None
    default: Any = None
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """A project file.

    Attributes:
        folder: where it lies.
        file: the project file itself.
        name: the project.
        runtime: the language, of which the embedded engine runs `python`.
        runtime_options: `virtualenv` and the like.
        main: the program's folder or file.
        backend_url: the backend that the project itself asks for, or empty.
        declarations: its configuration keys.
        plugins: plugins by path.
        always_refresh: refresh before each operation.
        settings_folder: where Pulumi.STACK.yaml files lie.
    """

    folder: Path
    name: str
    runtime: str = "python"
    runtime_options: Mapping[str, Any] = field(default_factory=dict)
    main: Path = Path()
    description: str = ""
    backend_url: str = ""
    declarations: tuple[Declaration, ...] = ()
    plugins: tuple[PluginPath, ...] = ()
    always_refresh: bool = False
    settings_folder: Path = Path()
    file: Path = Path()

    @property
    def program_folder(self) -> Path:
        """Where the program runs: relative paths in it start there."""
        return self.main if self.main.is_dir() else self.main.parent

    def settings(self, stack: str, file: Path | None = None) -> StackSettings:
        """The settings of a stack; empty if it has no file.

        Args:
            stack: its name.
            file: read this one instead.

        Raises:
            YamlError: mistakes in the file, with their lines.
        """
        return StackSettings.load(file or self.settings_path(stack), self.name)

    def settings_path(self, stack: str) -> Path:
        """The settings file of a stack, which need not be there."""
        return self.settings_folder / f"Pulumi.{stack}.yaml"

    def configuration(
        self,
        settings: StackSettings,
        stack: str,
        overrides: Mapping[str, Any] | None = None,
        *,
        validate: bool = True,
    ) -> Configuration:
        """The whole configuration of a stack: its settings over the project's defaults.

        Args:
            settings: the stack's.
            stack: its name, for messages.
            overrides: values that go over both.
            validate: see that what the project asks for is there; where its program runs.

        Raises:
            EngineError: values that the project asks for are missing, of another type or not secret.
        """
        found = dict(settings.config)
        found |= {parse_key(key, self.name): ConfigValue(value) for key, value in (overrides or {}).items()}
        given = dict(found)
        for declared in self.declarations:
            if declared.key not in found and declared.default is not None:
                found[declared.key] = ConfigValue(declared.default)
        if validate and (wrong := list(self._wrong(given, stack))):
            hint = f"set it with `config set`, or in {settings.path}"
            raise EngineError("validating stack config: " + "\n".join(wrong), hint=hint)
        return Configuration(found)

    def _wrong(self, given: Mapping[str, ConfigValue], stack: str) -> Iterator[str]:
        """Describe what a stack lacks or has wrong, in the CLI's words."""
        declarations = sorted(self.declarations, key=lambda declared: declared.name)
        missing = [
            f"'{declared.name}'"
            for declared in declarations
            if declared.key not in given
            and declared.default is None
            and declared.key.startswith(f"{self.name}:")
        ]
        if missing:
            *head, last = missing
            names = f"{', '.join(head)} and {last}" if head else last
            yield f"Stack '{stack}' is missing configuration value{'s' if head else ''} {names}"
        for declared in declarations:
            value = given.get(declared.key)
            if value is None or not declared.type:
                continue
            about = f"Stack '{stack}' with configuration key '{declared.name}'"
            if declared.secret and not value.secret:
                yield f"{about} must be encrypted as it's secret"
            elif not fits(value.raw, declared.type, declared.items):
                yield f"{about} must be of type '{_full_type(declared.type, declared.items)}'"


def _full_type(type_: str, items: Mapping[str, Any] | None) -> str:
    """A declared type in words: `array<array<string>>`."""
    if type_ != "array":
        return type_
    inner = items or {}
    return f"array<{_full_type(inner.get('type', 'string'), inner.get('items'))}>"


def fits(raw: Any, type_: str, items: Mapping[str, Any] | None) -> bool:
    """Whether a value is of a declared type; text that reads as one counts, as in the CLI."""
    if is_sealed(raw):
        return True
    match type_:
        case "string":
            return isinstance(raw, str | bool | int | float)
        case "integer":
            return not isinstance(raw, bool) and re.fullmatch(r"[-+]?\d+(\.0*)?", str(raw)) is not None
        case "boolean":
            return isinstance(raw, bool) or raw in ("true", "false")
        case "object":
            return isinstance(raw, dict)
    inner = items or {}
    kind = inner.get("type", "string")
    refused = (int, float) if kind == "string" else ()  # numbers read as text only by themselves
    return isinstance(raw, list) and all(
        not isinstance(item, refused) and fits(item, kind, inner.get("items")) for item in raw
    )


def backend_url(project: Project, environment: Mapping[str, str] | None = None) -> str:
    """The backend of a project: PULUMI_BACKEND_URL, the project's own, the one logged in to, the home folder.

    A relative `file://` path starts at the project's folder.
    """
    environment = os.environ if environment is None else environment
    url = environment.get("PULUMI_BACKEND_URL") or project.backend_url or current_backend() or "file://~"
    path = url.removeprefix("file://")
    if url.startswith("file://") and not path.startswith(("/", "~")):
        return f"file://{(project.folder / path).resolve()}"
    return url
