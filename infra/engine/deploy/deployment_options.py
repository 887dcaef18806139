"""How a deployment is done: what was asked for, in the engine's own terms."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Self

from infra.engine.options import Operation, Options
from infra.engine.resource.targets import Targets


class Mode(Enum):
    """Purpose for which the program is run."""

    UPDATE = auto()
    REFRESH = auto()
    DESTROY = auto()


@dataclass(frozen=True, slots=True)
class DeploymentOptions:
    """See `Options` for the words."""

    preview: bool = False
    parallel: int = 16
    targets: Targets = field(default_factory=Targets)
    target_dependents: bool = False
    excludes: Targets = field(default_factory=Targets)
    exclude_dependents: bool = False
    replace_targets: Targets = field(default_factory=Targets)
    continue_on_error: bool = False
    ignore_protect: bool = False
    refresh: bool = False
    """Read everything before."""
    refresh_only: bool = False
    mode: Mode = Mode.UPDATE
    """What a program is run for."""
    refresh_with_program: bool = False
    """Read each resource when the program registers it."""

    @classmethod
    def of(cls, operation: Operation, options: Options, *, preview: bool, always_refresh: bool) -> Self:
        """Derive the options of a deployment from an operation and its options."""
        mode = Mode.UPDATE
        if options.run_program and operation is Operation.DESTROY:
            mode = Mode.DESTROY
        elif operation is Operation.REFRESH:
            mode = Mode.REFRESH
        refresh = options.refresh or always_refresh or operation is Operation.REFRESH
        return cls(
            preview=preview,
            parallel=options.parallel or 4 * (os.cpu_count() or 1),
            targets=Targets((*options.targets, *options.target_replace)),
            target_dependents=options.target_dependents,
            excludes=Targets(options.excludes),
            exclude_dependents=options.exclude_dependents,
            replace_targets=Targets((*options.replace, *options.target_replace)),
            continue_on_error=options.continue_on_error,
            ignore_protect=options.ignore_protect,
            refresh=refresh and operation is not Operation.IMPORT,
            refresh_only=operation is Operation.REFRESH,
            mode=mode,
            refresh_with_program=options.run_program and refresh,
        )
