"""`gigasite new`: skeletons of a role, a check, a platform, a switch model, a site, a resource type."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from infra.errors import UserError


class Kind(StrEnum):
    """Kinds of skeletons."""

    ROLE = "role"
    CHECK = "check"
    PLATFORM = "platform"
    SWITCH = "switch"
    SITE = "site"
    RESOURCE = "resource"


def command(
    kind: Annotated[Kind, typer.Argument(help="What to make.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    site: Annotated[
        str,
        typer.Option(
            "--site", "-s", metavar="SITE", help="Beside this site's declaration, not in gigasite itself."
        ),
    ] = "",
) -> None:
    """Make a skeleton of a role, a check, a platform, a switch, a site, a resource type; name its files."""
    from infra import skeletons  # noqa: PLC0415 (not for --help)
    from infra.spec.document import display  # noqa: PLC0415

    match kind:
        case Kind.SITE:
            if site:
                raise UserError("a site lies beside no other", hint="leave --site out")
            made = skeletons.make_site(name)
        case Kind.RESOURCE:
            if site:
                raise UserError("a resource type belongs to gigasite, not to a site", hint="leave --site out")
            made = skeletons.make_resource(name)
        case Kind.ROLE:
            made = skeletons.make_role(name, site or None)
        case Kind.CHECK:
            made = skeletons.make_check(name, site or None)
        case Kind.PLATFORM | Kind.SWITCH:
            made = skeletons.make_entry(kind, name, site or None)
    for path in made:
        print(display(path))
