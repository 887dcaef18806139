"""Options of a run and its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from infra.engine.events import Op
    from infra.engine.resource.values import Properties


class Operation(StrEnum):
    """Operation of a run on its stack."""

    PREVIEW = "preview"
    UP = "up"
    REFRESH = "refresh"
    DESTROY = "destroy"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """A resource to take over: its type, the name to give it, and the provider's id of it."""

    type: str
    name: str
    id: str
    parent: str = ""
    """The parent's URN, perhaps of one that is imported with it; empty means the stack."""
    provider: str = ""
    """A provider's URN; empty means the default provider."""
    version: str = ""
    protect: bool = True
    properties: tuple[str, ...] = ()
    """Names of inputs; as with the CLI, all that the provider reads are kept all the same."""
    component: bool = False
    """An empty component, of which there is nothing to read."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is done. Targets and the like are URNs, where `*` and `**` match as in the CLI.

    Attributes:
        preview_only: plan a refresh, destroy or import without doing it.
        parallel: operations at once; 0 means 4 per core, as the CLI.
        in_process: run the program in this process (fast mode) instead of one of its own.
        clear_pending_creates: of refresh: forget creates whose outcome is not known.
        import_pending_creates: of refresh: `(URN, id)` of creates that did happen.
        policy_packs: folders of policy packs; `policy_pack_configs` are JSON files, in the same order.
        config: overrides the stack's configuration, `namespace:key` to value (secrets as Secret).
        settings_file: the stack's settings, instead of Pulumi.STACK.yaml.
        python: runs a program without a virtual environment; empty means this process's Python.
    """

    targets: tuple[str, ...] = ()
    target_dependents: bool = False
    excludes: tuple[str, ...] = ()
    exclude_dependents: bool = False
    replace: tuple[str, ...] = ()
    target_replace: tuple[str, ...] = ()
    refresh: bool = False
    run_program: bool = False
    expect_no_changes: bool = False
    continue_on_error: bool = False
    preview_only: bool = False
    exclude_protected: bool = False
    ignore_protect: bool = False
    parallel: int = 0
    in_process: bool = False
    clear_pending_creates: bool = False
    import_pending_creates: tuple[tuple[str, str], ...] = ()
    imports: tuple[ImportSpec, ...] = ()
    policy_packs: tuple[Path, ...] = ()
    policy_pack_configs: tuple[Path, ...] = ()
    config: dict[str, object] | None = None
    skip_config_validation: bool = False
    settings_file: Path | None = None
    python: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended.

    Attributes:
        outcome: `succeeded` or `failed`; None if it never started.
        changes: steps by operation, `same` among them.
        outputs: the stack's outputs after it, secrets still marked.
        exit_code: the CLI's: 0, 1 (failed), 7 (changes where none were expected), 130 (interrupted).
        error: why it failed where that is no resource's diagnostic.
    """

    outcome: str | None
    changes: dict[Op, int]
    outputs: Properties = field(default_factory=dict)
    exit_code: int = 0
    error: str = ""
