"""Tables of variables in the READMEs of roles, out of defaults and argument specifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.files import write_whole
from infra.roles.folders import FOLDER
from infra.roles.variables import load_variables

if TYPE_CHECKING:
    from pathlib import Path

    from infra.roles.variables import RoleVariables

HEADINGS = ("## Variables", "## Never", "## Proof")
"""Sections of a README after what the role does: what an operator may set, what the role leaves alone, what
proves it."""


def write_readmes() -> list[Path]:
    """Write the table of variables into each README of the product's roles; return those that changed."""
    changed = []
    for path in sorted(FOLDER.glob("*/README.md")):
        before = path.read_text(encoding="utf-8")
        after = with_table(before, load_variables(path.parent))
        if after != before:
            write_whole(path, after.encode(), mode=0o644)
            changed.append(path)
    return changed


def with_table(text: str, variables: RoleVariables) -> str:
    """Return a README with its section of variables as they are."""
    head, _, rest = text.partition(f"{HEADINGS[0]}\n")
    _, _, rest = rest.partition(f"{HEADINGS[1]}\n")
    lines = "\n".join(table(variables))
    return f"{head}{HEADINGS[0]}\n{lines}\n\n{HEADINGS[1]}\n{rest}"


def table(variables: RoleVariables) -> list[str]:
    """Return the table of a role's variables as its README has it, line by line."""
    if not variables.defaults:
        return ["None."]
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, default in variables.defaults.items():
        described = variables.options[name]["description"]
        text = " ".join(described) if isinstance(described, list) else described
        rows.append(f"| `{name}` | {_shown(default)} | {text} |")
    return rows


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"`{key}: {_word(inner)}`" for key, inner in value.items()) or "`{}`"
    if isinstance(value, list):
        return f"`[{', '.join(map(_word, value))}]`"
    return f"`{_word(value)}`"


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
