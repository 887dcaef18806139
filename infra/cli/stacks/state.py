"""`gigasite state`: repairs of a stack's state that change nothing real."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.arguments import Yes
from infra.cli.stacks import options as flags
from infra.engine.resource import integrity, json_text
from infra.engine.resource import urn as urns
from infra.engine.resource.renaming import rename_resource
from infra.errors import UserError
from infra.stacks import operations

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Repairs of a stack's state.")

Force = Annotated[bool, typer.Option("--force", help="Even if it is protected.")]
TargetDependents = Annotated[bool, typer.Option("--target-dependents", help="Also all that depends on it.")]
UrnArgument = Annotated[str, typer.Argument(metavar="URN", help="A resource's URN.")]
Resource = dict[str, Any]


@contextmanager
def edit_resources(stack: str) -> Iterator[list[Resource]]:
    """The resources of a stack, written back when all went well; the state before is in the backup."""
    state, ref = operations.backend(), operations.reference(stack)
    with state.locked(ref):
        state.recover(ref)
        checkpoint = state.read(ref)
        resources = list(checkpoint.resources)
        yield resources
        state.write(ref, checkpoint.deployment | {"resources": resources})
    print(f"changed the state of {stack}; the one before is {state.files(ref).backup}")


def _find(resources: list[Resource], urn: str) -> list[Resource]:
    found = [one for one in resources if one["urn"] == urn]
    if not found:
        raise UserError(f"the state has no {urn}", hint="see `gigasite stack export`")
    return found


def _describe_object(record: Resource) -> str:
    """One of several objects under a URN, as a line."""
    fate = "waits for its deletion" if record.get("delete") else "live"
    return f"\n  {record.get('id') or 'without an id'} ({fate})"


@app.command()
def delete(
    stack: flags.Stack,
    urn: UrnArgument,
    force: Force = False,
    target_dependents: TargetDependents = False,
    yes: Yes = False,
) -> None:
    """Forget a resource; the real one stays."""
    flags.confirm(f"Forget {urn}", yes=yes)
    with edit_resources(stack) as resources:
        found = _find(resources, urn)
        if len(found) > 1:
            raise UserError(
                f"{urn} stands for {len(found)} objects:{''.join(map(_describe_object, found))}",
                hint="finish the replacement first with `up`; forgetting all of them would lose the live one",
            )
        gone = {urn}
        waiting = [urn]
        while waiting:
            for other in integrity.dependents_of(resources, waiting.pop()):
                if other not in gone:
                    gone.add(other)
                    waiting.append(other)
        if len(gone) > 1 and not target_dependents:
            others = "".join(f"\n  {one}" for one in sorted(gone - {urn}))
            raise UserError(f"{urn} has dependents:{others}", hint="forget them too with --target-dependents")
        protected = [one["urn"] for one in resources if one["urn"] in gone and one.get("protect")]
        if protected and not force:
            raise UserError(f"{protected[0]} is protected", hint="unprotect it first, or use --force")
        resources[:] = [one for one in resources if one["urn"] not in gone]


@app.command()
def unprotect(
    stack: flags.Stack,
    urn: Annotated[str | None, typer.Argument(metavar="[URN]", help="A resource's URN.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All resources of the stack.")] = False,
    yes: Yes = False,
) -> None:
    """Take the protection from a resource."""
    if (urn is None) == (not every):
        raise UserError("name one resource, or give --all")
    flags.confirm(f"Unprotect {urn or 'all resources'}", yes=yes)
    with edit_resources(stack) as resources:
        for one in resources if urn is None else _find(resources, urn):
            one.pop("protect", None)


@app.command()
def rename(
    stack: flags.Stack,
    urn: UrnArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name, the last part of the URN.")],
    yes: Yes = False,
) -> None:
    """Give a resource another name; all that refer to it follow."""
    flags.confirm(f"Rename {urn} to {name}", yes=yes)
    with edit_resources(stack) as resources:
        _find(resources, urn)
        if "::" in name or not name:
            raise UserError(f"{name!r} is not a resource's name")
        new = str(urns.Urn.parse(urn)._replace(name=name))
        if any(one["urn"] == new for one in resources):
            raise UserError(f"there is a {new} already")
        resources[:] = [rename_resource(one, lambda old: new if old == urn else old) for one in resources]


@app.command()
def repair(stack: flags.Stack, yes: Yes = False) -> None:
    """Put a damaged state in order: the sequence, and references to what is gone."""
    state, ref = operations.backend(), operations.reference(stack)
    content = state.files(ref).read()
    if content is None:
        raise UserError(f"there is no stack {stack}", hint="see `gigasite stack ls`")
    try:
        whole = json_text.parse(content)
        deployment = whole["checkpoint"]["latest"]
        resources = deployment.get("resources") or []
    except (ValueError, KeyError, TypeError):
        state.read(ref)  # says what is wrong, and names the backup
        raise
    mended, done = integrity.repair(resources)
    if not done and not list(integrity.problems_of(resources)):
        print(f"the state of {stack} is in order")
        return
    for line in done:
        print(line)
    integrity.check(mended, "even after that the state")
    flags.confirm(f"Write the repaired state of {stack}", yes=yes)
    with state.locked(ref):
        if state.files(ref).read() != content:
            raise UserError(f"the state of {stack} changed meanwhile", hint="run the same command again")
        state.write(ref, deployment | {"resources": mended})
    print(f"repaired; the state before is {state.files(ref).backup}")
