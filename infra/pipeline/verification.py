"""The pytest run that checks a site's machines: its command line and where its results lie."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from infra import paths
from infra.rollout.playbooks import check_folders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def results(site: str, *, part: bool = False) -> Path:
    """Where the outcome of each check lies; that of a part lies beside it and leaves it alone."""
    return paths.out(site) / ("verify-part.json" if part else "verify.json")


def words(site: str, extra: Sequence[str] = ()) -> list[str]:
    """The pytest command line; a person can type it too.

    Args:
        site: its name.
        extra: options that pick some of the checks.
    """
    kept = results(site, part=bool(extra))
    return [
        sys.executable, "-m", "pytest", *map(str, check_folders(site)), "--site", site,
        "--verify-json", str(kept), f"--junit-xml={kept.with_suffix('.xml')}", *extra,
    ]  # fmt: skip
