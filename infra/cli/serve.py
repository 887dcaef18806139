"""`gigasite serve`: a page of a site's rollouts on loopback, live."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.arguments import Site
from infra.errors import UserError


def command(
    site: Site,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="On 127.0.0.1.")] = 8642,
) -> None:
    """Show a site's rollouts on a page, live; it changes nothing, and nothing leaves this machine."""
    from infra.rollout.page import Server  # noqa: PLC0415 (not for --help)
    from infra.spec import load_site  # noqa: PLC0415

    load_site(site)
    try:
        server = Server(site, port)
    except OSError as error:
        raise UserError(f"port {port}: {error.strerror}", hint="choose another one with --port") from error
    print(f"{server.url} shows the rollouts of {site}; Ctrl-C ends it", flush=True)
    with server:
        server.serve_forever()
