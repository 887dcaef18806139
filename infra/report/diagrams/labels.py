"""Labels for both ends of each cable, as a sheet to print: A4 with 3 by 8 labels of 70 by 37 mm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from infra.errors import UserError
from infra.plan.tables.names import called_names, look_up_names
from infra.plan.views.wiring import LENGTHS
from infra.report import html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan import Plan

PER_SHEET = 24


class Label(NamedTuple):
    """One end of a cable as its label has it: this end, then the other.

    `at` is rack and unit; `metres` is the length that is stocked.
    """

    device: str
    port: str
    at: str
    far_device: str
    far_port: str
    far_at: str
    fabric: str
    gbit: float
    metres: float


def labels_of(plan: Plan, place: str) -> list[Label]:
    """Labels of all cables that begin in a place, both ends of a cable side by side.

    Args:
        plan: of the site.
        place: a pod, scalable unit or rack, or a device.

    Raises:
        UserError: no cable begins there, or one is longer than any that is stocked.
    """
    pod = "-".join(place.split("-")[:2])
    inside = pod in plan.pods
    scope = plan.pod(pod) if inside else plan
    links = pl.concat([scope.links, scope.crossing()]) if inside else scope.links
    ends = (pl.col("a_rack"), pl.col("a"), pl.col("z_rack"), pl.col("z"))
    own = pl.any_horizontal(*((end == place) | end.str.starts_with(f"{place}-") for end in ends[:2]))
    if not inside:
        own = pl.any_horizontal(own, *((end == place) for end in ends[2:]))
    found = links.filter(own)
    if not found.height:
        raise UserError(f"no cable of {plan.site.name} begins in `{place}`",
                        hint="name a pod, scalable unit, rack or device of the plan")  # fmt: skip
    stock = pl.Series(LENGTHS, dtype=pl.Float32)
    index = stock.search_sorted(found["length"], side="left")
    if index.max() == stock.len():
        raise UserError(f"a cable is longer than any stocked ({LENGTHS[-1]:,} m)",
                        hint="check `layout.distances`")  # fmt: skip
    result = []
    known = called_names(scope)
    names = [look_up_names(known, found[end]) for end in ("a", "a_rack", "z", "z_rack")]
    found = found.with_columns(stock.gather(index).alias("metres"), *names)
    for row in found.iter_rows(named=True):
        a = (row["a"], row["a_port"], _at(row["a_rack"], row["a_unit"]))
        z = (row["z"], row["z_port"], _at(row["z_rack"], row["z_unit"]))
        rest = (row["fabric"], row["gbit"], row["metres"])
        result += [Label(*a, *z, *rest), Label(*z, *a, *rest)]
    return result


def _at(rack: str, unit: int) -> str:
    return f"{rack} U{unit}"


def print_sheets(labels: Sequence[Label], title: str) -> str:
    """Print labels as a page of HTML, a sheet for each 24."""
    pages = html.environment(Path(__file__).parent)
    sheets = [labels[start : start + PER_SHEET] for start in range(0, len(labels), PER_SHEET)]
    return pages.get_template("labels.html.j2").render(sheets=sheets, title=title) + "\n"
