"""`gigasite fabric prove`: a pod's InfiniBand fabric, brought up by OpenSM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import arguments
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.pipeline.fabric_proof import Proof

SHOWN = 50
"""Faults that are shown without --json."""


def command(
    pod: Annotated[str, typer.Argument(metavar="SITE.POD", help="A pod, as in `reference.pod-01`.")],
    topology: Annotated[
        Path | None,
        typer.Option("--topology", metavar="FILE", help="Bring these cables up instead (ibsim's format)."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep the topology, OpenSM's files and dumps."),
    ] = None,
    as_json: arguments.Json = False,
) -> None:
    """Bring a pod's planned InfiniBand cables up with a real OpenSM on simulated switches and adapters.

    Compares what OpenSM finds with the plan, follows its forwarding tables from every adapter to every other,
    and reads partition keys. Exit code 1 if anything differs.
    """
    from infra.pipeline.fabric_proof import prove  # noqa: PLC0415 (polars is slow to import)
    from infra.plan import plan  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    site, dot, name = pod.partition(".")
    if not dot:
        raise UserError(f"`{pod}` names no pod", hint=f"as in `gigasite fabric prove {site}.pod-01`")
    if topology is not None and not topology.is_file():
        raise UserError(
            "there is no such file", where=str(topology), hint="--keep DIR writes one: DIR/topology"
        )
    proof = prove(plan(load_site(site)).pod(name), pod, wired=topology, keep=keep)
    if as_json:
        print(json.dumps(proof.data(), indent=1))
    else:
        for line in _lines(proof):
            print(line)
    if not proof.holds:
        raise typer.Exit(1)


def _lines(proof: Proof) -> Iterator[str]:
    state = "SUBNET UP" if proof.up else "the subnet is not up"
    yield f"{proof.name}: {state}, OpenSM took {proof.seconds:.1f} s"
    yield f"adapters {proof.adapters:,} of {proof.planned_adapters:,}"
    yield f"switches {proof.switches:,} of {proof.planned_switches:,}"
    links = proof.cabling
    yield (
        f"links {links.right:,} of {links.planned:,} as planned,"
        f" {links.missing:,} missing, {links.wrong:,} wrong"
    )
    for fault in links.faults[:SHOWN]:
        yield f"  {fault.kind}: {fault.message}"
    if len(links.faults) > SHOWN:
        yield f"  and {len(links.faults) - SHOWN:,} more; --json has all"
    if proof.routes is not None:
        routes = proof.routes
        yield (
            f"paths for {routes.delivered:,} ordered pairs of adapters, {proof.unreachable:,} without,"
            f" over at most {routes.longest} switches"
        )
        yield (
            f"all to all, the worst link carries {routes.worst:.2f} times the mean;"
            f" {routes.idle:,} of {routes.links:,} idle"
        )
    if proof.keys_asked:
        yield f"partition keys of {proof.keys_asked:,} adapters read, {len(proof.partitions):,} wrong"
    for text in proof.partitions:
        yield f"  partition: {text}"
    for text in proof.errors[:10]:
        yield f"  OpenSM: {text}"
    yield "proved on: emulated switches and adapters (ibsim), real OpenSM"
