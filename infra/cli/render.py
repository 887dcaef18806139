"""`gigasite render`: configuration of a site's switches and DHCP servers, and what a change of it changes."""

from __future__ import annotations

import json
import os
import sys
import tarfile
import tempfile
import time
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra import paths, process
from infra.cli import arguments
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.plan import Plan
    from infra.render.network.collecting import Switch
    from infra.render.network.output import Group


def command(
    site: arguments.Site,
    switches: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SWITCH]...",
            help="Switches, places such as pod-01 whose switches are meant, or dhcp.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write DIR/SWITCH/FILE and DIR/dhcp.", metavar="DIR")
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option("--diff", metavar="DIR|REV", help="Show what differs from a folder or a git revision."),
    ] = None,
    as_json: arguments.Json = False,
) -> None:
    """Print the configuration of a site's switches, and of DHCP for their out-of-band network.

    With neither --out nor --diff, the named switches' files are printed. Exit code 1 with --diff if anything
    differs.
    """
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import)
    from infra.render import network  # noqa: PLC0415
    from infra.render.network import dhcp, output  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    if out is None and diff is None and not switches:
        raise UserError("nothing says where to", hint="name a switch, or give --out DIR or --diff DIR|REV")
    began = time.perf_counter()
    whole = plan(load_site(site))
    words = switches or []
    common = network.common_of(whole)
    chosen = [word for word in words if word != dhcp.FOLDER]
    rendered = network.print_switches(
        choose_switches(whole, chosen) if chosen or not words else iter(()), common
    )
    asked = dhcp.FOLDER in words or (not words and whole.geometry.management_fabrics)
    shared = [(dhcp.FOLDER, dhcp.kea_files(whole))] if asked else []
    if out is not None:
        count, size = output.write(rendered, out)
        size += output.write(shared, out)[1]
        spent = time.perf_counter() - began
        figures = {"switches": count, "bytes": size, "seconds": spent}
        print(
            json.dumps(figures)
            if as_json
            else f"wrote {count:,} switches{' and dhcp' if shared else ''},"
            f" {size / 1e6:.1f} MB, to {out} in {spent:.1f} s"
        )
        return
    if diff is None:
        for name, files in chain(shared, rendered):
            for file, text in files.items():
                print(f"==> {name}/{file}")
                print(text, end="")
        return
    with tempfile.TemporaryDirectory() as folder:
        before = Path(diff) if Path(diff).is_dir() else at_revision(diff, site, words, Path(folder))
        groups = output.differences(before, chain(shared, rendered), gone=not words)
    if as_json:
        print(json.dumps([asdict(group) for group in groups], indent=1))
    else:
        _show(groups)
    if groups:
        raise typer.Exit(1)


def choose_switches(whole: Plan, words: Sequence[str]) -> Iterator[Switch]:
    """Switches that the words name, by themselves or by a place; all of them without words.

    Raises:
        UserError: a word names none, or one without an operating system.
    """
    from infra.render import network  # noqa: PLC0415

    if not words:
        yield from network.switches_of(whole)
        return
    # A pod's slice is a hundred times smaller than its site.
    pods = [word.split("-su-")[0][:6] for word in words]
    part = whole
    if len(set(pods)) == 1 and pods[0] in whole.pods:
        part = whole.pod(pods[0])
    names = part.switches["name"].to_list()
    wanted = []
    for word in words:
        found = [name for name in names if name == word or name.startswith(f"{word}-")]
        if not found:
            import difflib  # noqa: PLC0415 (only for a mistake)

            near = difflib.get_close_matches(word, names, 1)
            hint = (
                f"did you mean `{near[0]}`?"
                if near
                else f"`gigasite plan {whole.site.name} --table switches` lists them"
            )
            raise UserError(f"{whole.site.name} has no switch and no place `{word}` with switches", hint=hint)
        wanted += found
    result = list(network.switches_of(part, wanted))
    if not result:
        raise UserError(
            f"no operating system is known for {', '.join(words)}",
            where="infra/spec/catalog/switches",
            hint="say `system:` in the model's file",
        )
    yield from result


def at_revision(revision: str, site: str, words: Sequence[str], folder: Path) -> Path:
    """Render a site with everything as it was at a git revision: declaration, catalog, templates, code.

    Raises:
        UserError: git has no such revision, or it could not render.
    """
    archive = folder / "revision.tar"
    done = process.run(["git", "-C", paths.ROOT, "archive", "--output", archive, revision], check=False)
    if done.returncode:
        raise UserError(f"there is no folder and no git revision `{revision}`",
                        hint="give a folder that --out made, or a revision such as HEAD~1")  # fmt: skip
    code = folder / "code"
    with tarfile.open(archive) as content:
        content.extractall(code, filter="data")
    if not (code / "infra" / "cli" / "render.py").is_file():
        raise UserError(
            f"revision {revision} cannot render switches", hint="name a later revision, or a folder"
        )
    command = [sys.executable, "-c", "import infra.cli; infra.cli.run()", "render", site, *words]
    done = process.run(
        [*command, "--out", folder / "out"],
        cwd=code, env={**os.environ, "PYTHONPATH": str(code)}, check=False,
    )  # fmt: skip
    if done.returncode:
        raise UserError(f"revision {revision} could not render {site}:\n{done.stderr.strip()}")
    return folder / "out"


def _show(groups: Sequence[Group]) -> None:
    from infra.render.network import dhcp  # noqa: PLC0415

    if not groups:
        print("nothing differs")
    for group in groups:
        names = ", ".join(group.switches[:4]) + (
            f" and {len(group.switches) - 4:,} more" if len(group.switches) > 4 else ""
        )
        what = "" if group.switches == (dhcp.FOLDER,) else f"{len(group.switches):,} switches "
        print(f"==> {what}{group.change}: {names}")
        for line in group.lines:
            print(line)
