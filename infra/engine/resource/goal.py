"""Goals: what a program asks of one resource, with its options resolved as far as the monitor can."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.engine.resource.state import CustomTimeouts, ResourceState

if TYPE_CHECKING:
    from infra.engine.resource.values import Properties, Value


@dataclass(frozen=True, slots=True)
class Alias:
    """Another identity a resource may have had: a whole URN, or the parts that were different."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass(slots=True)
class Goal:
    """The wanted state of a managed resource. `None` in an option means that it was not given."""

    type: str
    name: str
    custom: bool
    properties: Properties
    parent: str = ""
    provider: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    protect: bool | None = None
    retain_on_delete: bool | None = None
    delete_before_replace: bool | None = None
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    replacement_trigger: Value = None
    hide_diff: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    import_id: str = ""
    custom_timeouts: CustomTimeouts = field(default_factory=CustomTimeouts)
    resource_hooks: dict[str, list[str]] = field(default_factory=dict)
    source_position: str = ""
    stack_trace: list[str] = field(default_factory=list)

    def new_state(self, urn: str) -> ResourceState:
        """The state that the resource will have, but for what its provider says (id, outputs)."""
        return ResourceState(
            urn=urn,
            type=self.type,
            custom=self.custom,
            inputs=dict(self.properties),
            parent=self.parent,
            provider=self.provider,
            dependencies=self.dependencies,
            property_dependencies=self.property_dependencies,
            deleted_with=self.deleted_with,
            replace_with=self.replace_with,
            protect=bool(self.protect),
            retain_on_delete=bool(self.retain_on_delete),
            additional_secret_outputs=self.additional_secret_outputs,
            custom_timeouts=self.custom_timeouts,
            import_id=self.import_id,
            ignore_changes=self.ignore_changes,
            replace_on_changes=self.replace_on_changes,
            replacement_trigger=self.replacement_trigger,
            hide_diff=self.hide_diff,
            resource_hooks=self.resource_hooks,
            source_position=self.source_position,
            stack_trace=self.stack_trace,
        )


@dataclass(slots=True)
class ReadGoal:
    """A resource that the program reads but does not own (`Resource.get`)."""

    type: str
    name: str
    id: Value
    properties: Properties
    parent: str = ""
    provider: str = ""
    dependencies: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    source_position: str = ""
    stack_trace: list[str] = field(default_factory=list)

    def new_state(self, urn: str) -> ResourceState:
        """The state it will have, but for its outputs."""
        return ResourceState(
            urn=urn,
            type=self.type,
            custom=True,
            id=self.id,
            external=True,
            inputs=self.properties,
            parent=self.parent,
            provider=self.provider,
            dependencies=self.dependencies,
            additional_secret_outputs=self.additional_secret_outputs,
            source_position=self.source_position,
            stack_trace=self.stack_trace,
        )
