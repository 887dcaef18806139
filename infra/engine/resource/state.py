"""State that the engine keeps between runs: resources, pending operations, and the snapshot of both.

The JSON form is version 3 of Pulumi's deployment, field by field.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from infra.engine.resource import urn as urns
from infra.engine.resource import value_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.engine.resource.values import Crypter, Properties, Value

ENGINE_VERSION: Final = "v3.260.0"
"""The Pulumi version whose state format and semantics these are; stands in the manifest."""


@dataclass(slots=True)
class CustomTimeouts:
    """How long a provider may take for each operation, in seconds; 0 means its default."""

    create: float = 0
    update: float = 0
    delete: float = 0
    read: float = 0

    def __bool__(self) -> bool:
        return any(self.to_json().values())

    def to_json(self) -> dict[str, float]:
        """The checkpoint's form; without those that are 0."""
        pairs = (
            ("create", self.create),
            ("update", self.update),
            ("delete", self.delete),
            ("read", self.read),
        )
        return {key: seconds for key, seconds in pairs if seconds}


@dataclass(slots=True, eq=False)
class ResourceState:
    """One resource as of its last operation. Two states are the same only if they are one object.

    `outputs` None and empty are written alike (left out); the same holds for `inputs`.
    """

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    delete: bool = False
    protect: bool = False
    taint: bool = False
    external: bool = False
    retain_on_delete: bool = False
    pending_replacement: bool = False
    refresh_before_update: bool = False
    init_errors: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    custom_timeouts: CustomTimeouts = field(default_factory=CustomTimeouts)
    import_id: str = ""
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    hide_diff: list[str] = field(default_factory=list)
    replacement_trigger: Value = None
    view_of: str = ""
    resource_hooks: dict[str, list[str]] = field(default_factory=dict)
    created: str = ""
    modified: str = ""
    source_position: str = ""
    stack_trace: list[str] = field(default_factory=list)
    unknown_fields: dict[str, Any] = field(default_factory=dict)
    """Fields of a newer Pulumi, carried through unread."""

    @property
    def name(self) -> str:
        """The last part of the URN."""
        return urns.name_of(self.urn)

    @property
    def is_provider(self) -> bool:
        """Whether it is a provider resource."""
        return urns.is_provider_type(self.type)

    @property
    def provider_reference(self) -> str:
        """Of a provider resource: how others refer to it."""
        return f"{self.urn}::{self.id}"

    def edges(self) -> Iterator[str]:
        """The URNs that must stand before this one in a snapshot (all kinds of edges; with repeats)."""
        if self.provider:
            yield urns.ProviderReference.parse(self.provider).urn
        yield from self.dependency_urns()

    def dependency_urns(self) -> Iterator[str]:
        """The URNs this one depends on, but for its provider."""
        if self.parent:
            yield self.parent
        yield from self.dependencies
        for names in self.property_dependencies.values():
            yield from names
        if self.deleted_with:
            yield self.deleted_with
        yield from self.replace_with

    def copy(self, **changes: Any) -> ResourceState:
        """Another state, equal but for the changes (the property maps are shared)."""
        return replace(self, **changes)

    def to_json(self, crypter: Crypter) -> dict[str, Any]:
        """The checkpoint's form; empty fields are left out."""
        out: dict[str, Any] = {"urn": self.urn, "custom": self.custom}
        if self.delete:
            out["delete"] = True
        if self.id:
            out["id"] = self.id
        out["type"] = self.type
        if self.inputs:
            out["inputs"] = value_json.to_json(self.inputs, crypter)
        if self.outputs:
            out["outputs"] = value_json.to_json(self.outputs, crypter)
        for name, key in _PLAIN_FIELDS:
            value = getattr(self, name)
            if value:
                out[key] = value
        if self.custom_timeouts:
            out["customTimeouts"] = self.custom_timeouts.to_json()
        if self.replacement_trigger is not None:
            out["replacementTrigger"] = value_json.value_to_json(self.replacement_trigger, crypter)
        if self.stack_trace:
            out["stackTrace"] = [{"sourcePosition": frame} for frame in self.stack_trace]
        return out | self.unknown_fields

    @classmethod
    def from_json(cls, record: Mapping[str, Any], crypter: Crypter) -> ResourceState:
        """Read a resource of a checkpoint."""
        rest = dict(record)
        state = cls(urn=rest.pop("urn"), type=rest.pop("type", ""), custom=rest.pop("custom", False))
        state.type = state.type or urns.type_of(state.urn)
        state.delete, state.id = rest.pop("delete", False), rest.pop("id", "")
        state.inputs = value_json.from_json(rest.pop("inputs", None) or {}, crypter)
        state.outputs = value_json.from_json(rest.pop("outputs", None) or {}, crypter)
        for name, key in _PLAIN_FIELDS:
            if key in rest:
                value = rest.pop(key)
                if value is not None:
                    setattr(state, name, value)
        times = rest.pop("customTimeouts", None) or {}
        state.custom_timeouts = CustomTimeouts(
            times.get("create", 0), times.get("update", 0), times.get("delete", 0), times.get("read", 0)
        )
        state.replacement_trigger = value_json.value_from_json(rest.pop("replacementTrigger", None), crypter)
        state.stack_trace = [frame.get("sourcePosition", "") for frame in rest.pop("stackTrace", None) or ()]
        state.property_dependencies = {key: names or [] for key, names in state.property_dependencies.items()}
        state.unknown_fields = rest
        return state


# Attribute and JSON key of the fields that are written as they are, in the order of the format.
_PLAIN_FIELDS: Final = (
    ("parent", "parent"),
    ("protect", "protect"),
    ("taint", "taint"),
    ("external", "external"),
    ("dependencies", "dependencies"),
    ("init_errors", "initErrors"),
    ("provider", "provider"),
    ("property_dependencies", "propertyDependencies"),
    ("pending_replacement", "pendingReplacement"),
    ("additional_secret_outputs", "additionalSecretOutputs"),
    ("aliases", "aliases"),
    ("import_id", "importID"),
    ("retain_on_delete", "retainOnDelete"),
    ("deleted_with", "deletedWith"),
    ("replace_with", "replaceWith"),
    ("created", "created"),
    ("modified", "modified"),
    ("source_position", "sourcePosition"),
    ("ignore_changes", "ignoreChanges"),
    ("hide_diff", "hideDiff"),
    ("replace_on_changes", "replaceOnChanges"),
    ("refresh_before_update", "refreshBeforeUpdate"),
    ("view_of", "viewOf"),
    ("resource_hooks", "resourceHooks"),
)


class PendingKind(StrEnum):
    """Operation that was under way when a run was cut off."""

    CREATING = "creating"
    UPDATING = "updating"
    DELETING = "deleting"
    READING = "reading"
    IMPORTING = "importing"


@dataclass(slots=True, eq=False)
class PendingOperation:
    """An operation whose outcome is not known: it was begun, and no end of it was recorded."""

    resource: ResourceState
    type: PendingKind

    def to_json(self, crypter: Crypter) -> dict[str, Any]:
        """The checkpoint's form."""
        return {"resource": self.resource.to_json(crypter), "type": str(self.type)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any], crypter: Crypter) -> PendingOperation:
        """Read one of a checkpoint."""
        return cls(ResourceState.from_json(record["resource"], crypter), PendingKind(record["type"]))


@dataclass(slots=True)
class SecretsProvider:
    """Which kind of crypter the secrets of a stack are under, and its own state (`{"salt": …}`)."""

    type: str
    state: dict[str, Any] = field(default_factory=dict)


def new_manifest(plugins: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return the manifest of a deployment that is written now.

    Args:
        plugins: which the CLI saw last.
    """
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    magic = hashlib.sha256(ENGINE_VERSION.encode()).hexdigest()
    manifest: dict[str, Any] = {"time": now, "magic": magic, "version": ENGINE_VERSION}
    return manifest | ({"plugins": list(plugins)} if plugins else {})


@dataclass(slots=True)
class Snapshot:
    """Everything a checkpoint's `latest` holds. Resources stand after all that they refer to."""

    resources: list[ResourceState] = field(default_factory=list)
    pending_operations: list[PendingOperation] = field(default_factory=list)
    secrets_provider: SecretsProvider | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    unknown_fields: dict[str, Any] = field(default_factory=dict)
    plugins: list[dict[str, Any]] = field(default_factory=list)
    """Of the manifest: which plugins the CLI saw last."""

    @property
    def stack_resource(self) -> ResourceState | None:
        """The root stack resource, whose outputs are the stack's."""
        return next((r for r in self.resources if r.type == urns.STACK_TYPE and not r.delete), None)

    def to_json(self, crypter: Crypter) -> dict[str, Any]:
        """The deployment (`latest` of a checkpoint, `deployment` of an export)."""
        out: dict[str, Any] = {"manifest": new_manifest(self.plugins)}
        if self.secrets_provider:
            provider = self.secrets_provider
            out["secrets_providers"] = {"type": provider.type, "state": provider.state}
        if self.resources:
            out["resources"] = [resource.to_json(crypter) for resource in self.resources]
        if self.pending_operations:
            out["pending_operations"] = [operation.to_json(crypter) for operation in self.pending_operations]
        return out | {"metadata": self.metadata} | self.unknown_fields

    @classmethod
    def from_json(cls, record: Mapping[str, Any], crypter: Crypter) -> Snapshot:
        """Read a deployment of version 3."""
        rest = dict(record)
        manifest = rest.pop("manifest", None) or {}
        secrets = rest.pop("secrets_providers", None)
        return cls(
            [ResourceState.from_json(item, crypter) for item in rest.pop("resources", None) or ()],
            [
                PendingOperation.from_json(item, crypter)
                for item in rest.pop("pending_operations", None) or ()
            ],
            SecretsProvider(secrets["type"], secrets.get("state") or {}) if secrets else None,
            rest.pop("metadata", None) or {},
            rest,
            manifest.get("plugins") or [],
        )
