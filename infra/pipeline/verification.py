"""The pytest run that checks a site's machines: its command line and where its results lie."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from infra import paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def results(site: str) -> Path:
    """Where the outcome of each check lies."""
    return paths.out(site) / "verify.json"


def words(site: str, extra: Sequence[str] = ()) -> list[str]:
    """The pytest command line; a person can type it too."""
    return [
        sys.executable, "-m", "pytest", str(paths.ROOT / "tests" / "verify"), "--site", site,
        "--verify-json", str(results(site)), f"--junit-xml={paths.out(site) / 'verify.xml'}", *extra,
    ]  # fmt: skip
