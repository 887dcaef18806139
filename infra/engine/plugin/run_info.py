"""Facts of the run for programs and policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Facts of the run for a program.

    Attributes:
        config: `namespace:name` to text, secrets in the clear.
        secret_keys: which of those are secrets.
        project_dir: the folder of Pulumi.yaml, which source positions are relative to.
        program_dir: where relative paths of assets start.
    """

    project: str
    stack: str
    organization: str
    preview: bool
    parallel: int
    config: dict[str, str]
    secret_keys: list[str]
    project_dir: Path
    program_dir: Path
