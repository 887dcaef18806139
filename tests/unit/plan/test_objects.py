"""The columns against the same rows worked out in loops: two ways to the same plan."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from benchmarks.plan_objects import FIELDS, Expansion, dataclasses, models
from infra.plan import plan
from infra.spec import load

pytestmark = pytest.mark.unit

CASES = Path(__file__).resolve().parents[2] / "cases"


@pytest.mark.parametrize(
    ("name", "pod", "makers"),
    [
        ("small", "pod-01", dataclasses),
        ("small", "pod-01", models),
        ("dgx-b200-64-su", "pod-03", dataclasses),
        ("eight-planes-two-tiers", "pod-02", dataclasses),
    ],
)
def test_loops_and_columns_agree(name, pod, makers):
    part = plan(load(CASES / name / "site.yaml")).pod(pod)
    made = Expansion(part.geometry, part.scope, makers()).rows
    for table, fields in FIELDS.items():
        columns = list(fields)
        frame = getattr(part, table).select(columns)
        # The loops are of compute racks and data fabrics; what else has a management port is left out.
        for column, port in (("a", "a_port"), ("peer", "peer_port")):
            if column in columns:
                others = part.managed_frame["name"].implode()
                frame = frame.filter(~((pl.col(port) == "mgmt0") & pl.col(column).is_in(others)))
        if table == "addresses":
            frame = frame.filter(~pl.col("owner").is_in(part.cabinet_frame["name"].implode()))
        frame = frame.with_columns(pl.col(pl.Enum).cast(pl.String), pl.col(pl.Float32).cast(pl.Float64))
        rows = [tuple(getattr(row, column) for column in columns) for row in made[table]]
        assert len(rows) == frame.height, table
        assert sorted(rows) == sorted(frame.rows()), table
