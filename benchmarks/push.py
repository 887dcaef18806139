"""`gigasite bench push`: ten steps on loopback machines by a push, ansible-playbook and pyinfra."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.compared import show
from infra.cli.arguments import Json


def command(
    machines: Annotated[int, typer.Option(help="Loopback machines.", min=1, max=64)] = 64,
    pyinfra: Annotated[
        Path | None, typer.Option(help="pyinfra's program, in an environment of its own.", metavar="FILE")
    ] = None,
    as_json: Json = False,
) -> None:
    """Time a push to empty and to converged machines, beside Ansible and pyinfra; as root."""
    from benchmarks.push_runs import measure  # noqa: PLC0415 (not for --help)

    show(measure(machines, pyinfra, lambda text: print(text, file=sys.stderr)), as_json=as_json)
