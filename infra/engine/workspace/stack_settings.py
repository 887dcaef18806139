"""A stack's settings file, Pulumi.STACK.yaml: its configuration and the salt of its secrets."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.engine.backend import files
from infra.engine.errors import EngineError
from infra.engine.workspace import yamlfile
from infra.engine.workspace.config import ConfigValue, parse_key

if TYPE_CHECKING:
    from pathlib import Path


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
