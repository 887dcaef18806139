"""The template engine: one environment for Ansible, checks and the command line."""

from __future__ import annotations

import traceback
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2

from infra import paths
from infra.errors import UserError
from infra.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATES = ROOT / "templates"
"""Templates lie under the path of the file they print: `templates/etc/hosts.j2` prints `/etc/hosts`."""


@cache
def environment(site: str | None = None) -> jinja2.Environment:
    """Jinja as `ansible.builtin.template` sets it up, but an unknown name is always an error.

    Args:
        site: name of the site whose own roles' templates are found too.
    """
    own = sorted((paths.inventory(site) / "roles").glob("*/templates")) if site else []
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, TEMPLATES / "switches", *own]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (configuration files, never HTML)
    )


def render(template: str, facts: Mapping[str, Any]) -> str:
    """Print facts through a template.

    Args:
        template: path below `templates/`, for example `etc/hosts.j2`.
        facts: the names that the template may use: `machine`, `site`, `switch` for a switch that a role
            configures, and `each` for a file that exists once per element (see `infra.render.deployment`).

    Raises:
        UserError: the template is missing, wrong, or asks for a fact that does not exist.
    """
    site = facts.get("site")
    engine = environment(site.get("name") if isinstance(site, dict) else None)
    try:
        return engine.get_template(template).render(**facts, template=template)
    except jinja2.TemplateSyntaxError as error:
        raise UserError(f"{error.message}", where=f"templates/{error.name}:{error.lineno}") from error
    except jinja2.TemplateNotFound as error:
        raise UserError("there is no such template", where=f"templates/{template}") from error
    except jinja2.UndefinedError as error:
        raise UserError(
            f"{error.message}", where=_place(error, template), hint="facts come from infra/render/facts.py"
        ) from error


def _place(error: jinja2.UndefinedError, template: str) -> str:
    """Template and line of an error: Jinja gives frames the template's file and line."""
    frames = traceback.extract_tb(error.__traceback__)
    found = [frame for frame in frames if frame.filename.endswith(".j2")]
    if not found:
        return f"templates/{template}"
    name = found[-1].filename
    return f"templates/{name.rpartition('/templates/')[2]}:{found[-1].lineno}"
