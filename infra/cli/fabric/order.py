"""`gigasite fabric order`: in which order racks, switches and cables are put in, by phase."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from infra.cli import arguments


def command(site: arguments.Site, as_json: arguments.Json = False) -> None:
    """List what is put in, phase by phase: the network, the racks that it serves, host cables."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 (slow to import)
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from infra.report.diagrams.order import installation_order  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    steps = installation_order(load_site(site))
    if as_json:
        print(json.dumps([asdict(step) for step in steps], indent=1, ensure_ascii=False))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    for phase, due in dict.fromkeys((step.phase, step.due) for step in steps):
        own = [step for step in steps if (step.phase, step.due) == (phase, due)]
        title = f"phase {phase}" + (f", by {due}" if due else "") if phase else "all"
        console.print(f"{title}: {next((s.where for s in own if s.where != 'site'), 'site')}")
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("step", justify="right")
        table.add_column("what")
        table.add_column("count", justify="right")
        table.add_column("detail")
        for step in own:
            table.add_row(f"{step.number}", step.what, f"{step.count:,}", step.detail)
        console.print(table)
