"""`gigasite configure`: the playbooks over a site's machines, as in `up`, by themselves."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from infra.cli.arguments import Site


def command(
    site: Site,
    limit: Annotated[
        str, typer.Option("--limit", "-l", metavar="PATTERN", help="Only these machines and groups.")
    ] = "",
    tags: Annotated[
        str,
        typer.Option("--tags", "-t", help="Parts: validate, base, fabric, time, storage, slurm."),
    ] = "",
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what would change.")] = False,
) -> None:
    """Configure the site's machines: users, time, network, storage, scheduler."""
    from infra.pipeline.execution import only_one  # noqa: PLC0415 (not for --help)
    from infra.pipeline.play import play  # noqa: PLC0415
    from infra.pipeline.progress import duration  # noqa: PLC0415
    from infra.pipeline.run_plan import describe_changes  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    load_site(site)  # every mistake of the declaration, before Ansible meets one
    if changed := describe_changes(site):
        print(f"note: {changed}", file=sys.stderr)
    with only_one(site):
        words = [word for word in tags.split(",") if word]
        done = play(site, print, lambda _: None, limit=limit or None, tags=words, check=check)
    for name, host in done.hosts.items():
        print(f"{name}: {host.ok} ok, {host.changed} changed, {host.skipped} not needed")
    verb = "would change" if check else "changed"
    print(f"{done.changed} tasks {verb} something, in {duration(done.seconds)}")
