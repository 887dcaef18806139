"""What the tools of Debian's package `quota` do, over files: few kernels that run these tests have quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = {
    "setquota": """
        echo "$2,--,--,0,$3,$4,,0,$5,$6," >"$TABLES/${7##*/}$1,$2"
        echo "set $*" >>"$TABLES/log"
    """,
    "repquota": """
        [ ! -e "$TABLES/no-quotas" ] || exit 1
        echo header
        cat "$TABLES/${5##*/}$2,"* 2>/dev/null || true
    """,
    "lsattr": """cat "$2.project" 2>/dev/null || echo "0 ----" """,
    "chattr": """[ "$1" = "+P" ] || echo "$3 ----" >"$4.project" """,
}


def lay_out(folder: Path, tables: Path) -> None:
    """Write the tools into a folder for PATH; they keep what is set in tables."""
    for made in (folder, tables):
        made.mkdir(exist_ok=True)
    for name, text in TOOLS.items():
        (folder / name).write_text(f"#!/bin/sh\nTABLES={tables}\n{text}\n")
        (folder / name).chmod(0o755)
