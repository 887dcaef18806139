"""How operations are spoken of to people: signs, headings, counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.engine.events import Op
from infra.engine.options import Operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.engine.options import Result


@dataclass(frozen=True, slots=True)
class Words:
    """How an operation is spoken of: its sign, and the words for before, while, after and the count."""

    sign: str
    color: str
    plan: str
    doing: str
    done: str
    counted: str


WORDS: dict[Op, Words] = {
    Op.SAME: Words("  ", "", "", "", "", ""),
    Op.CREATE: Words("+ ", "green", "create", "creating", "created", "to create|created"),
    Op.UPDATE: Words("~ ", "yellow", "update", "updating", "updated", "to update|updated"),
    Op.DELETE: Words("- ", "red", "delete", "deleting", "deleted", "to delete|deleted"),
    Op.REPLACE: Words("+-", "magenta", "replace", "replacing", "replaced", "to replace|replaced"),
    Op.CREATE_REPLACEMENT: Words(
        "++", "green", "create replacement", "creating replacement", "created replacement", ""
    ),
    Op.DELETE_REPLACED: Words("--", "red", "delete original", "deleting original", "deleted original", ""),
    Op.DISCARD_REPLACED: Words("< ", "red", "discard original", "discarding original", "discarded", ""),
    Op.READ: Words("> ", "cyan", "read", "reading", "read", "to read|read"),
    Op.READ_REPLACEMENT: Words(">>", "cyan", "read replacement", "reading replacement", "read", ""),
    Op.READ_DISCARD: Words("< ", "magenta", "discard", "discarding", "discarded", "to discard|discarded"),
    Op.REFRESH: Words("~ ", "yellow", "refresh", "refreshing", "refreshed", "to refresh|refreshed"),
    Op.REMOVE_PENDING_REPLACE: Words("~ ", "yellow", "complete replace", "completing", "completed", ""),
    Op.IMPORT: Words("= ", "cyan", "import", "importing", "imported", "to import|imported"),
    Op.IMPORT_REPLACEMENT: Words("=>", "cyan", "import replacement", "importing", "imported", ""),
}

HEADINGS = {
    Operation.PREVIEW: ("Previewing update", "update"),
    Operation.UP: ("Updating", "update"),
    Operation.REFRESH: ("Refreshing", "refresh"),
    Operation.DESTROY: ("Destroying", "destroy"),
    Operation.IMPORT: ("Importing", "import"),
}


def closing_message(operation: str, result: Result) -> str:
    """The line with which the CLI itself ends a run that it calls failed; empty if it has nothing to add."""
    if result.exit_code == 7:
        kind = "preview" if operation == Operation.PREVIEW else HEADINGS[Operation(operation)][1]
        return f"error: no changes were expected for {kind} but changes were proposed"
    return f"error: {result.error}" if result.error else ""


def count_lines(changes: Mapping[Op, int], *, planned: bool) -> list[str]:
    """The closing table: how many resources for each operation."""
    lines, changed, same = [], 0, changes.get(Op.SAME, 0)
    for op, words in WORDS.items():
        count = changes.get(op, 0)
        if count and words.counted:
            changed += count
            before, _, after = words.counted.partition("|")
            lines.append(f"{words.sign}{count} {before if planned else after}")
    if changed and same:
        lines.append(f"{changed} changes. {same} unchanged" if changed > 1 else f"1 change. {same} unchanged")
    elif same:
        lines.append(f"{same} unchanged")
    return lines
