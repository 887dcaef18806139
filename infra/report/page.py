"""Draws the report: one HTML file that needs nothing else, and its JSON twin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from infra import paths
from infra.files import write_whole
from infra.report import checks, content, drawing, fidelity, html
from infra.report.diagrams import collection, svg
from infra.report.titles import TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan import Plan
    from infra.report.record import RunRecord


def write(record: RunRecord, plan: Plan) -> Path:
    """Write `out/SITE/report.html` and `report.json`; each whole or not at all.

    Returns:
        the page's path.
    """
    report = content.build(record, plan, checks.load(record.site))
    machines = content.select_machines(plan)
    target = paths.out(record.site) / "report.html"
    write_whole(target.with_suffix(".json"), report.model_dump_json(indent=2) + "\n", mode=0o644)
    text = draw(
        report,
        racks=drawing.racks(machines),
        topology=drawing.topology(machines),
        diagrams=[(picture.title, picture.svg()) for _, picture in collection.draw(plan)],
    )
    write_whole(target, text, mode=0o644)
    return target


def draw(
    report: content.Report, *, racks: str = "", topology: str = "", diagrams: Sequence[tuple[str, str]] = ()
) -> str:
    """The page's text.

    Args:
        report: what it says.
        racks: SVG text of the rack elevations, made by us and therefore not escaped.
        topology: SVG text of the cables.
        diagrams: title and SVG text of each other diagram.
    """
    pages = html.environment(Path(__file__).parent)
    pages.filters["duration"] = duration
    longest = max((step.seconds for step in report.record.steps), default=0) or 1
    return pages.get_template("page.html.j2").render(
        report=report,
        record=report.record,
        racks=Markup(racks),  # noqa: S704 (see above)
        topology=Markup(topology),  # noqa: S704
        diagrams=[(title, Markup(text)) for title, text in diagrams],  # noqa: S704
        svg_style=Markup(svg.style()),  # noqa: S704
        bars=[
            (TITLES.get(step.name, step.name), step, 100 * step.seconds / longest)
            for step in report.record.steps
        ],
        total=report.record.seconds,
        passed=sum(outcome == "passed" for row in report.checks for _, outcome, _ in row.results),
        checked=sum(outcome != "skipped" for row in report.checks for _, outcome, _ in row.results),
        kinds=fidelity.load().kinds,
        stand_ins=fidelity.load().stand_ins,
    )


def duration(seconds: float) -> str:
    """`7.4 s` or `3 min 12 s`."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
