"""A project (Pulumi.yaml), its stacks' settings (Pulumi.STACK.yaml), and the configuration they make."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.engine import files, yamlfile
from infra.engine.config import Configuration, ConfigValue, is_sealed, parse_key
from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.engine.yamlfile import Document, Place

_NAMES: Final = ("Pulumi.yaml", "Pulumi.yml")
_PROJECT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
PLUGIN_KINDS: Final = {"providers": "resource", "analyzers": "analyzer", "languages": "language"}
_TYPES: Final = ("string", "integer", "boolean", "array", "object")


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

    @property
    def program_folder(self) -> Path:
        """Where the program runs: relative paths in it start there."""
        return self.main if self.main.is_dir() else self.main.parent

    def settings(self, stack: str) -> StackSettings:
        """The settings of a stack; empty if it has no file.

        Raises:
            YamlError: mistakes in the file, with their lines.
        """
        return StackSettings.load(self.settings_path(stack), self.name)

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
        """What the stack lacks or has wrong, in the CLI's words."""
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
            elif not _fits(value.raw, declared.type, declared.items):
                yield f"{about} must be of type '{_full_type(declared.type, declared.items)}'"


def _full_type(type_: str, items: Mapping[str, Any] | None) -> str:
    """A declared type in words: `array<array<string>>`."""
    if type_ != "array":
        return type_
    inner = items or {}
    return f"array<{_full_type(inner.get('type', 'string'), inner.get('items'))}>"


def _fits(raw: Any, type_: str, items: Mapping[str, Any] | None) -> bool:
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
    return isinstance(raw, list) and all(
        _fits(item, inner.get("type", "string"), inner.get("items")) for item in raw
    )


def load_project(folder: Path) -> Project:
    """Read the project file in a folder.

    Raises:
        YamlError: mistakes in it, all of them, with their lines.
        EngineError: there is none.
    """
    folder = folder.absolute()
    for name in _NAMES:
        document = yamlfile.load(folder / name)
        if document is not None:
            return _Reader(document).project()
    raise EngineError(f"there is no {_NAMES[0]} in {folder}", hint="name the folder of a Pulumi project")


class _Reader:
    """Reads a project file and notes what is wrong in it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.folder = document.path.parent

    def project(self) -> Project:
        root = self.document.value
        if not isinstance(root, dict):
            self.document.problem((), "must be a map of keys, `name` and `runtime` among them")
            self.document.check()
        self.root: dict[str, Any] = root
        name = self.text(("name",), required=True)
        if name and not _PROJECT_NAME.fullmatch(name):
            self.problem(("name",), "may have up to 100 letters, digits, hyphens, underscores and periods")
        runtime, options = self.runtime()
        main = self.folder / self.text(("main",))
        if not main.exists():
            self.problem(("main",), f"there is no {main}")
        project = Project(
            folder=self.folder, name=name, runtime=runtime, runtime_options=options, main=main,
            description=self.text(("description",)), backend_url=self.text(("backend", "url")),
            declarations=tuple(self.declarations(name)), plugins=tuple(self.plugins()),
            always_refresh=self.text(("options", "refresh")) == "always",
            settings_folder=self.folder / self.text(("stackConfigDir",)),
        )  # fmt: skip
        self.document.check()
        return project

    def problem(self, place: Place, message: str) -> None:
        self.document.problem(place, message)

    def get(self, place: Place) -> Any:
        value: Any = self.root
        for depth, part in enumerate(place):
            if value is None:
                return None
            if not isinstance(value, dict):
                self.problem(place[:depth], "must be a map")
                return None
            value = value.get(part)
        return value

    def text(self, place: Place, *, required: bool = False) -> str:
        value = self.get(place)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not value:
            self.problem(place, "is missing" if value is None else "must be text")
            return ""
        return value

    def runtime(self) -> tuple[str, Mapping[str, Any]]:
        value = self.get(("runtime",))
        if isinstance(value, dict):
            options = value.get("options") or {}
            if not isinstance(options, dict):
                self.problem(("runtime", "options"), "must be a map")
                options = {}
            return self.text(("runtime", "name"), required=True), options
        return self.text(("runtime",), required=True), {}

    def plugins(self) -> list[PluginPath]:
        found = []
        for key, kind in PLUGIN_KINDS.items():
            entries = self.get(("plugins", key)) or []
            if not isinstance(entries, list):
                self.problem(("plugins", key), "must be a list")
                continue
            for index, entry in enumerate(entries):
                place: Place = ("plugins", key, index)
                if not isinstance(entry, dict):
                    self.problem(place, "must be a map of name and path")
                    continue
                wrong = [part for part in ("name", "path") if not isinstance(entry.get(part), str)]
                for part in wrong:
                    self.problem((*place, part), "is missing" if part not in entry else "must be text")
                if not wrong:
                    path = self.folder / entry["path"]
                    found.append(PluginPath(kind, entry["name"], path, str(entry.get("version") or "")))
        return found

    def declarations(self, project: str) -> list[Declaration]:
        config = self.get(("config",))
        if config is None or isinstance(config, str):  # a text was an older way to say stackConfigDir
            return []
        if not isinstance(config, dict):
            self.problem(("config",), "must be a map")
            return []
        return [self.declaration(key, raw, project) for key, raw in config.items()]

    def declaration(self, name: str, raw: Any, project: str) -> Declaration:
        place: Place = ("config", name)
        try:
            key = parse_key(name, project)
        except EngineError as error:
            self.problem(place, error.message)
            key = name
        if not isinstance(raw, dict):
            return Declaration(name, key, default=raw)
        type_, default, value = raw.get("type") or "", raw.get("default"), raw.get("value")
        items = raw.get("items")
        if default is not None and value is not None:
            self.problem(place, "cannot have both `default` and `value`")
        if type_ and type_ not in _TYPES:
            self.problem((*place, "type"), f"must be one of {', '.join(_TYPES)}")
        elif type_ == "array" and not isinstance(items, dict):
            self.problem(place, "declares an array and must say of what, with `items`")
        elif type_ and default is not None and not _fits(default, type_, items):
            self.problem((*place, "default"), f"is not of the type {type_}")
        if not key.startswith(f"{project}:"):
            if type_ or default is not None:
                self.problem(place, "is not of this project's namespace: give it a `value` and nothing else")
            elif value is None:
                self.problem(place, "is of another namespace and must have a `value`")
        secret = bool(raw.get("secret"))
        return Declaration(name, key, type_, items, value if default is None else default, secret)


@dataclass(slots=True)
class StackSettings:
    """A stack's settings file.

    Attributes:
        path: the file; it need not be there.
        encryption_salt: the passphrase provider's; empty if the stack has none.
        config: its values by key.
        other: keys that mean nothing to this engine, kept.
    """

    path: Path
    encryption_salt: str = ""
    config: dict[str, ConfigValue] = field(default_factory=dict)
    other: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, project: str) -> StackSettings:
        """Read a settings file; empty settings if there is none.

        Raises:
            YamlError: mistakes in it, all of them, with their lines.
            EngineError: it is under another secrets provider than a passphrase.
        """
        settings = cls(path)
        document = yamlfile.load(path)
        root = document.value if document else None
        if document is None or root is None:
            return settings
        if not isinstance(root, dict):
            document.problem((), "must be a map of keys")
            document.check()
        settings.other = {
            key: value for key, value in root.items() if key not in ("encryptionsalt", "config")
        }
        salt = root.get("encryptionsalt") or ""
        if not isinstance(salt, str):
            document.problem(("encryptionsalt",), "must be text")
        settings.encryption_salt = salt
        if settings.other.get("environment"):
            document.problem(("environment",), "needs Pulumi ESC: use the Pulumi CLI (`--engine pulumi`)")
        provider = settings.other.get("secretsprovider") or "passphrase"
        if provider != "passphrase":
            document.problem(("secretsprovider",), f"{provider} needs the Pulumi CLI (`--engine pulumi`)")
        config = root.get("config") or {}
        if not isinstance(config, dict):
            document.problem(("config",), "must be a map")
            config = {}
        for key, raw in config.items():
            try:
                settings.config[parse_key(key, project)] = ConfigValue(raw)
            except EngineError as error:
                document.problem(("config", key), str(error))
        document.check()
        return settings

    def save(self) -> None:
        """Write the file; comments and the order of keys in it stay.

        Raises:
            EngineError: it cannot be written.
        """
        from ruamel.yaml import YAML  # noqa: PLC0415 (slow to import, and only `config set` writes)

        parser = YAML(typ="rt")
        parser.width = 2**16
        parser.preserve_quotes = True
        old = files.read(self.path)
        root = (parser.load(old.decode()) if old else None) or {}
        if self.encryption_salt:
            root["encryptionsalt"] = self.encryption_salt
        raw = {key: value.raw for key, value in self.config.items()}
        kept = root.setdefault("config", {})
        for key in [key for key in kept if key not in raw]:
            del kept[key]
        for key, value in raw.items():
            if key not in kept or kept[key] != value:
                kept[key] = value
        if not kept:
            del root["config"]
        out = io.BytesIO()
        parser.dump(root, out)
        files.write(self.path, out.getvalue() if root else b"")


def backend_url(project: Project, environment: Mapping[str, str] | None = None) -> str:
    """The backend of a project: PULUMI_BACKEND_URL, else the project's own, else the home folder.

    A relative `file://` path starts at the project's folder.
    """
    environment = os.environ if environment is None else environment
    url = environment.get("PULUMI_BACKEND_URL") or project.backend_url or "file://~"
    path = url.removeprefix("file://")
    if url.startswith("file://") and not path.startswith(("/", "~")):
        return f"file://{(project.folder / path).resolve()}"
    return url
