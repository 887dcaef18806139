"""The checkpoint file: a stack's deployment with its version, plain or packed by gzip."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.engine.errors import EngineError
from infra.engine.resource import integrity, json_text
from infra.engine.resource.values import BYTE_STRING, SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.engine.resource.stack_ref import StackRef

VERSIONS: Final = (3, 4)
"""Versions of a checkpoint; 4 is 3 with a list of features that its reader must know."""

PACKED_BADLY: Final = (OSError, EOFError, zlib.error)
_GZIP_MAGIC: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint file as read.

    Attributes:
        content: the file's bytes; empty if the stack has none yet.
        deployment: `latest`: manifest, secrets_providers, resources, pending_operations, metadata.
        version: of its format.
        features: what the file asks of its reader.
    """

    content: bytes
    deployment: dict[str, Any]
    version: int = 3
    features: tuple[str, ...] = ()

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The resources, in order."""
        return self.deployment.get("resources") or []


def empty_manifest() -> dict[str, str]:
    """The manifest of a stack that nothing was done to."""
    return {"time": "0001-01-01T00:00:00Z", "magic": "", "version": ""}


# What a resource makes its checkpoint ask of a reader.
_FEATURES: Final = {
    "refreshBeforeUpdate": "refreshBeforeUpdate",
    "viewOf": "views",
    "resourceHooks": "hooks",
    "taint": "taint",
    "replaceWith": "replaceWith",
}
_BYTE_STRINGS: Final = "byteString"


def features_of(deployment: Mapping[str, Any]) -> list[str]:
    """Return the features, by name, that a reader of this deployment must know."""
    resources = deployment.get("resources") or ()
    found = {word for one in resources for key, word in _FEATURES.items() if one.get(key)}
    if any(_has_byte_string(one.get(key)) for one in resources for key in ("inputs", "outputs")):
        found.add(_BYTE_STRINGS)
    return sorted(found)


def _has_byte_string(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get(SIGNATURE) == BYTE_STRING or any(map(_has_byte_string, value.values()))
    return isinstance(value, list) and any(map(_has_byte_string, value))


def format_of(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The version of a deployment's format, and the features it needs."""
    features = features_of(deployment)
    return {"version": 4, "features": features} if features else {"version": 3}


def encode_checkpoint(ref: StackRef, deployment: Mapping[str, Any]) -> bytes:
    """Return a checkpoint file's content."""
    write = json_text.write
    # Resource by resource: one call for all holds the interpreter, and with it the loop, for too long.
    fields = (
        f"{write(key)}:[{','.join(map(write, value))}]"
        if key == "resources" and value
        else f"{write(key)}:{write(value)}"
        for key, value in deployment.items()
    )
    checkpoint = f'{{"stack":{write(str(ref))},"latest":{{{",".join(fields)}}}}}'
    head = write(format_of(deployment)).removesuffix("}")
    return f'{head},"checkpoint":{checkpoint}}}'.encode(errors="surrogatepass")


def parse_checkpoint(content: bytes, path: Path, rescue: Callable[[], str] = str) -> Checkpoint:
    """Read a checkpoint file's content.

    Args:
        content: the file's bytes.
        path: its name, for messages.
        rescue: says what to do if it is damaged.

    Raises:
        EngineError: it is damaged, of a newer version, or asks for features that this engine lacks.
    """
    try:
        whole = json_text.parse(content)
        version, checkpoint = int(whole["version"]), whole.get("checkpoint") or {}
        deployment = checkpoint.get("latest") or {}
        features = tuple(whole.get("features") or ())
        manifest = deployment.get("manifest") or {}
        said = {name: _text(manifest.get(name) or "") for name in ("time", "version", "magic")}
        update_time(said["time"])
        for resource in _list(deployment.get("resources")):
            _text(resource["urn"])
            _text(resource["type"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EngineError(f"the checkpoint {path} is damaged ({error})", hint=rescue()) from error
    if version not in VERSIONS:
        age = "newer" if version > VERSIONS[-1] else "older"
        raise EngineError(
            f"the checkpoint {path} is of the {age} version {version}; this engine knows {VERSIONS[-1]}",
            hint="use the Pulumi CLI that wrote it (`--engine pulumi`)",
        )
    if unknown := [feature for feature in features if feature not in {*_FEATURES.values(), _BYTE_STRINGS}]:
        raise EngineError(
            f"the checkpoint {path} needs {', '.join(unknown)}, which this engine lacks",
            hint="use the Pulumi CLI (`--engine pulumi`)",
        )
    if said["version"]:
        magic = hashlib.sha256(said["version"].encode()).hexdigest()
        if said["magic"] != magic:
            raise EngineError(f"the checkpoint {path} is damaged (its magic number is wrong)", hint=rescue())
    try:
        problems = integrity.deployment_problems(deployment)
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # a shape deep within
        raise EngineError(f"the checkpoint {path} is damaged ({error})", hint=rescue()) from error
    if problems:
        raise integrity.IntegrityError(problems, f"the checkpoint {path}")
    return Checkpoint(content, deployment, version, features)


def _list(value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise TypeError(f"a list was expected, not {value!r:.40}")
    return value or []


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {value!r:.40}")
    return value


def update_time(text: str) -> datetime | None:
    """When a manifest says that something was done last; None for Go's zero time, which means never.

    Raises:
        ValueError: it is no time.
    """
    if not text:
        return None
    found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return found if found.year > 1 else None


def is_sound(content: bytes) -> bool:
    """Whether a file is a checkpoint in good order."""
    try:
        parse_checkpoint(unpack(content), Path())
    except (EngineError, *PACKED_BADLY):
        return False
    return True


def unpack(content: bytes) -> bytes:
    """A file's content, however it is packed.

    Raises:
        PACKED_BADLY: it is damaged.
    """
    return gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content
