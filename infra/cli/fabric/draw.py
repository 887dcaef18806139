"""`gigasite fabric draw`: diagrams of a site's fabrics and racks as SVG files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import arguments


def command(
    site: arguments.Site,
    place: Annotated[
        str | None,
        typer.Argument(
            metavar="[PLACE]", help="A pod, scalable unit or rack; all of them for the first pod without it."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Write DIR/NAME.svg.")] = Path(
        "out/diagrams"
    ),
) -> None:
    """Draw a rack's front with its ports, a unit's wiring, a pod's cables by row, or the fabrics' tiers.

    Without PLACE: the tiers of each fabric with counts and oversubscription, and the first pod.
    """
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import)
    from infra.report.diagrams.collection import draw  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    for name, drawing in draw(plan(load_site(site)), place):
        out.mkdir(parents=True, exist_ok=True)
        file = out / f"{name}.svg"
        file.write_text(drawing.document(), encoding="utf-8")
        print(file)
