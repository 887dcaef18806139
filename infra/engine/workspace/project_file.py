"""Reading a project file, Pulumi.yaml: all that is wrong in it is told at once, with its lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from infra.engine.errors import EngineError
from infra.engine.resource.version_range import check_version
from infra.engine.workspace import yamlfile
from infra.engine.workspace.config import parse_key
from infra.engine.workspace.project import TYPES, Declaration, PluginPath, Project, fits
from infra.engine.workspace.toolchain import problems_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.engine.workspace.yamlfile import Document, Place

_NAMES: Final = ("Pulumi.yaml", "Pulumi.yml")
_PROJECT_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_PLUGIN_KINDS: Final = {"providers": "resource", "analyzers": "analyzer", "languages": "language"}


def load_project(folder: Path) -> Project:
    """Read the project file in a folder.

    Raises:
        YamlError: mistakes in it, all of them, with their lines.
        EngineError: not found.
    """
    folder = folder.absolute()
    for name in _NAMES:
        document = yamlfile.load(folder / name)
        if document is not None:
            return _Reader(document).project()
    raise EngineError(f"there is no {_NAMES[0]} in {folder}", hint="name the folder of a Pulumi project")


def find_project(folder: Path) -> Path:
    """The folder at or above another that has a project file.

    Raises:
        EngineError: not found.
    """
    folder = folder.absolute()
    for place in (folder, *folder.parents):
        if any((place / name).is_file() for name in _NAMES):
            return place
    raise EngineError(
        f"there is no {_NAMES[0]} in {folder} or above it",
        hint="name the folder of a Pulumi project with --cwd",
    )


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
            folder=self.folder, file=self.document.path, name=name, main=main,
            runtime=runtime, runtime_options=options,
            description=self.text(("description",)), backend_url=self.text(("backend", "url")),
            declarations=tuple(self.declarations(name)), plugins=tuple(self.plugins()),
            always_refresh=self.text(("options", "refresh")) == "always",
            settings_folder=self.folder / self.text(("stackConfigDir",)),
        )  # fmt: skip
        try:
            check_version(self.text(("requiredPulumiVersion",)))
        except EngineError as error:
            self.problem(("requiredPulumiVersion",), str(error))
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
            name = self.text(("runtime", "name"), required=True)
            for option, message in problems_of(options) if name == "python" else ():
                self.problem(("runtime", "options", option), message)
            return name, options
        return self.text(("runtime",), required=True), {}

    def plugins(self) -> list[PluginPath]:
        found = []
        for key, kind in _PLUGIN_KINDS.items():
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
        return [*found, *self.packages()]

    def packages(self) -> list[PluginPath]:
        """Return the packages that `packages:` names by a path; others are installed as plugins are."""
        entries = self.get(("packages",)) or {}
        if not isinstance(entries, dict):
            self.problem(("packages",), "must be a map of names")
            return []
        found = []
        for name, entry in entries.items():
            source = entry.get("source") if isinstance(entry, dict) else entry
            if not isinstance(source, str):
                self.problem(("packages", name), "must be text, or a map with `source`")
            elif source.startswith(("./", "..", "/")) or (self.folder / source).exists():
                found.append(PluginPath("resource", name, self.folder / source))
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
        if type_ and type_ not in TYPES:
            self.problem((*place, "type"), f"must be one of {', '.join(TYPES)}")
        elif type_ == "array" and not isinstance(items, dict):
            self.problem(place, "declares an array and must say of what, with `items`")
        elif type_ and default is not None and not fits(default, type_, items):
            self.problem((*place, "default"), f"is not of the type {type_}")
        if not key.startswith(f"{project}:"):
            if type_ or default is not None:
                self.problem(place, "is not of this project's namespace: give it a `value` and nothing else")
            elif value is None:
                self.problem(place, "is of another namespace and must have a `value`")
        secret = bool(raw.get("secret"))
        return Declaration(name, key, type_, items, value if default is None else default, secret)
