"""Queries of the dashboards that role `monitoring` brings, for checks to ask them of a running server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from infra.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = ROOT / "playbooks" / "files" / "dashboards"


class Query(NamedTuple):
    """A query of a panel: file, title with the query's letter, PromQL with Grafana's variables."""

    board: str
    panel: str
    expression: str


def queries() -> Iterator[Query]:
    """Return every query of every dashboard."""
    for file in sorted(FOLDER.glob("*.json")):
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                yield Query(file.stem, f"{panel['title']} {target['refId']}", target["expr"])
