"""Events that a deployment emits while it runs: the CLI's engine events, as dataclasses.

Field names are the CLI's in Python's spelling; property values are typed (secrets still marked), so that
whoever shows or writes them decides how to mask.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties


class Op(StrEnum):
    """Operation of a step."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"
    CREATE_REPLACEMENT = "create-replacement"
    DELETE_REPLACED = "delete-replaced"
    DISCARD_REPLACED = "discard-replaced"
    READ = "read"
    READ_REPLACEMENT = "read-replacement"
    READ_DISCARD = "discard"
    REFRESH = "refresh"
    REMOVE_PENDING_REPLACE = "remove-pending-replace"
    IMPORT = "import"
    IMPORT_REPLACEMENT = "import-replacement"


class DiffKind(StrEnum):
    """How one property differs."""

    ADD = "add"
    ADD_REPLACE = "add-replace"
    DELETE = "delete"
    DELETE_REPLACE = "delete-replace"
    UPDATE = "update"
    UPDATE_REPLACE = "update-replace"

    @property
    def replaces(self) -> bool:
        """Whether this difference asks for a replacement."""
        return self.value.endswith("-replace")


@dataclass(frozen=True, slots=True)
class PropertyDiff:
    """The difference of one property path; `input_diff` if it is between old and new inputs."""

    kind: DiffKind
    input_diff: bool = False


class Severity(StrEnum):
    """How bad a diagnostic is."""

    DEBUG = "debug"
    INFO = "info"
    INFO_ERR = "info#err"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class StepMetadata:
    """Subject of a step: URN, operation, old and new state.

    Attributes:
        op: what it does.
        urn: of what.
        type: its type.
        old: the state before, if any.
        new: the state after, if any (at the start of a step: as wanted).
        keys: properties that force a replacement.
        diffs: properties that changed.
        detailed_diff: property path to difference; None if the provider gave none.
        logical: whether it counts as a change of its own (a replacement's parts do not).
        provider: reference of the provider.
    """

    op: Op
    urn: str
    type: str
    old: ResourceState | None
    new: ResourceState | None
    keys: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    detailed_diff: dict[str, PropertyDiff] | None = None
    logical: bool = True
    provider: str = ""


@dataclass(frozen=True, slots=True)
class PreludeEvent:
    """The first event: the stack's configuration; secret values are replaced by `[secret]`."""

    config: dict[str, str]


@dataclass(frozen=True, slots=True)
class ResourcePreEvent:
    """A step starts."""

    metadata: StepMetadata
    planning: bool


@dataclass(frozen=True, slots=True)
class ResOutputsEvent:
    """A step is done, or a component's outputs are registered."""

    metadata: StepMetadata
    planning: bool


@dataclass(frozen=True, slots=True)
class ResOpFailedEvent:
    """A step failed; the reason is a diagnostic of its own. `status` is 1 if it was left partial."""

    metadata: StepMetadata
    status: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class DiagnosticEvent:
    """A message of the engine, the program, a provider or a plugin."""

    message: str
    severity: Severity
    urn: str = ""
    prefix: str = ""
    stream_id: int = 0
    ephemeral: bool = False


@dataclass(frozen=True, slots=True)
class StdoutEvent:
    """A line that belongs to no resource."""

    message: str


@dataclass(frozen=True, slots=True)
class PolicyEvent:
    """A policy is violated."""

    message: str
    policy_name: str
    policy_pack_name: str
    policy_pack_version: str
    enforcement_level: str
    resource_urn: str = ""
    severity: str = ""


@dataclass(frozen=True, slots=True)
class PolicyRemediationEvent:
    """A policy changed a resource's inputs."""

    resource_urn: str
    policy_name: str
    policy_pack_name: str
    policy_pack_version: str
    before: Properties
    after: Properties


@dataclass(frozen=True, slots=True)
class PolicyAnalyzeSummaryEvent:
    """Which of a pack's policies a resource keeps to, by name."""

    policy_pack_name: str
    policy_pack_version: str
    passed: tuple[str, ...]
    failed: tuple[str, ...]
    resource_urn: str = ""


@dataclass(frozen=True, slots=True)
class PolicyRemediateSummaryEvent(PolicyAnalyzeSummaryEvent):
    """The same of remediation; those that changed something count as failed."""


@dataclass(frozen=True, slots=True)
class PolicyAnalyzeStackSummaryEvent(PolicyAnalyzeSummaryEvent):
    """The same of the policies of the whole stack."""


@dataclass(frozen=True, slots=True)
class PolicyLoadEvent:
    """Policy packs are being loaded."""


@dataclass(frozen=True, slots=True)
class SummaryEvent:
    """The last event of a run that got as far as having a result.

    `resource_changes` counts steps by operation; default providers do not count. `result` is `succeeded` or
    `failed`. `policy_packs` are versions by `NAME|local|FOLDER`.
    """

    is_preview: bool
    duration_seconds: int
    resource_changes: dict[Op, int]
    result: str
    maybe_corrupt: bool = False
    policy_packs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CancelEvent:
    """The stream of events ends here."""


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """The engine could not go on."""

    error: str


Event = (
    PreludeEvent
    | ResourcePreEvent
    | ResOutputsEvent
    | ResOpFailedEvent
    | DiagnosticEvent
    | StdoutEvent
    | PolicyEvent
    | PolicyRemediationEvent
    | PolicyAnalyzeSummaryEvent
    | PolicyLoadEvent
    | SummaryEvent
    | CancelEvent
    | ErrorEvent
)
