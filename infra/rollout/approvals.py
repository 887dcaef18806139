"""A person's approvals of a rollout's waves and changes, in a file that only its owner may write."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from infra import paths
from infra.state_files import damage_error, read_text

if TYPE_CHECKING:
    from pathlib import Path


AGAIN = "remove it, and approve again"


class Approval(BaseModel):
    """One approval.

    Attributes:
        what: `wave N`, or the hash of a change.
        who: user name.
        when: UTC.
        note: why, in the person's words.
    """

    model_config = ConfigDict(frozen=True)

    what: str
    who: str
    when: str
    note: str = ""


def folder(site: str, rollout: str) -> Path:
    """Folder of a rollout's files."""
    return paths.ROOT / ".gigasite" / site / "rollouts" / rollout


def approve(site: str, rollout: str, what: str, note: str = "") -> Approval:
    """Note that the person at the keyboard approves a wave (`wave 2`) or a change (its hash)."""
    made = Approval(
        what=what, who=getpass.getuser(), when=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", note=note
    )
    path = folder(site, rollout) / "approvals.jsonl"
    line = f"{made.model_dump_json()}\n".encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
    return made


def read_approvals(site: str, rollout: str) -> list[Approval]:
    """All approvals of a rollout."""
    path = folder(site, rollout) / "approvals.jsonl"
    text = read_text(path, AGAIN) or ""
    try:
        return [Approval.model_validate_json(line) for line in text.splitlines() if line.strip()]
    except ValidationError as error:
        raise damage_error(path, "a line is no approval", AGAIN) from error


def find(site: str, rollout: str, wave: int) -> Approval | None:
    """The approval of a wave."""
    return next(
        (one for one in read_approvals(site, rollout) if one.what in {f"wave {wave}", "all waves"}), None
    )
