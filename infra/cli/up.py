"""`gigasite up`: the main job, from the declaration to the report."""

from __future__ import annotations

import shlex
import signal
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from infra.cli.arguments import Engine, EngineName, Json, Site, Yes
from infra.errors import UserError
from infra.report.titles import TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.pipeline.execution import Run, Step


def _names(incomplete: str) -> list[str]:
    return [name for name in TITLES if name.startswith(incomplete)]


def command(
    site: Site,
    step: Annotated[
        list[str] | None,
        typer.Option("--step", metavar="NAME[,NAME…]", help="Only these steps.", autocompletion=_names),
    ] = None,
    engine: Engine = EngineName.EMBEDDED,
    pod: Annotated[
        list[str] | None, typer.Option("--pod", metavar="POD", help="Preview and make only these pods.")
    ] = None,
    limit: Annotated[
        str, typer.Option("--limit", "-l", metavar="PATTERN", help="Step configure: only these machines.")
    ] = "",
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulated devices behind the provider; no machine is made.")
    ] = False,
    replace: Annotated[
        list[str] | None,
        typer.Option(
            "--replace", metavar="MACHINE[,MACHINE…]", help="Make these stand-ins anew, disk included."
        ),
    ] = None,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the preview.")] = False,
    as_json: Json = False,
) -> None:
    """Declare, make, boot, configure, verify and report a site; again and again, as long as it takes."""
    bring_up(
        site, _select_steps(step, dry_run=dry_run), engine=engine, pods=pod or (), limit=limit,
        simulate=simulate, replace=_split_words(replace), yes=yes, dry_run=dry_run, as_json=as_json,
    )  # fmt: skip


def bring_up(
    site: str,
    wanted: set[str],
    *,
    engine: EngineName = EngineName.EMBEDDED,
    pods: Sequence[str] = (),
    limit: str = "",
    simulate: bool = False,
    replace: Sequence[str] = (),
    yes: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
) -> None:
    """Run steps of the pipeline over a site; see `command` for what is given.

    Raises:
        UserError: a step failed; says what is done and how to go on.
    """
    from infra.pipeline import execution, steps  # noqa: PLC0415 (not for --help)
    from infra.pipeline.progress import Progress, duration  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    load_site(site)  # a declaration with mistakes, or none, leaves not even a folder behind
    chosen = [item for item in steps.all_steps(TITLES) if item.name in wanted]
    signal.signal(signal.SIGTERM, _interrupt)
    with execution.only_one(site), Progress([(s.name, s.title) for s in chosen], json=as_json) as progress:
        run = execution.Run(
            site=site,
            engine=str(engine),
            yes=yes,
            dry_run=dry_run,
            simulate=simulate,
            limit=limit or None,
            progress=progress,
            record=execution.new_record(site, ["gigasite", *sys.argv[1:]], goes_on=wanted < set(TITLES)),
            recorded=not dry_run,
            pods=tuple(pods),
            replace=tuple(replace),
        )
        try:
            execution.execute(run, chosen)
        except UserError as error:
            raise _resumable(error, run, chosen) from error
        finally:
            if as_json:
                print(run.record.model_dump_json(indent=2))
    if not as_json:
        progress.line(f"{site} is up, in {duration(run.record.seconds)}" if "up" in wanted else "done")
        if "report" in wanted:
            progress.line(f"report: out/{site}/report.html")


def _split_words(words: Sequence[str] | None) -> list[str]:
    return [name.strip() for item in words or () for name in item.split(",") if name.strip()]


def _select_steps(step: list[str] | None, *, dry_run: bool) -> set[str]:
    names = _split_words(step)
    if unknown := [name for name in names if name not in TITLES]:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(TITLES)}", param_hint="--step")
    wanted = set(names or TITLES) | {"declare"}
    if "up" in wanted:
        wanted.add("preview")  # it says what is destroyed, and asks
    return wanted & {"declare", "preview"} if dry_run else wanted


def _resumable(error: UserError, run: Run, chosen: list[Step]) -> UserError:
    """The same error with what was done so far, and how to go on."""
    if run.declared is None or error.done:
        return error
    done = [
        record.name
        for record in run.record.steps
        if record.outcome in {"done", "skipped"} and record.started >= run.record.started
    ]
    left = [step.name for step in chosen if step.name not in done]
    # What was made anew is not made anew twice.
    words = ("gigasite", "up", run.site) if run.replace and "up" in done else run.record.command
    error.done = (
        f"Done: {', '.join(done) or 'nothing'}; left: {', '.join(left) or 'nothing'}. "
        f"`{shlex.join(words)}` goes on from here."
    )
    return error


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
