"""Credentials of management controllers, by name, from the site's local state; they stay in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra import paths, yamltext
from infra.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and its password, which does not show when printed."""

    username: str
    password: str = field(repr=False)


def look_up(site: str, name: str) -> Credential:
    """The credential of a name, read anew each time so that a rotated password needs no restart.

    Raises:
        UserError: the file or the entry is missing, or other users can read the file.
    """
    file = paths.state(site) / "credentials.yaml"
    where = str(file.relative_to(paths.ROOT) if file.is_relative_to(paths.ROOT) else file)
    try:
        if file.stat().st_mode & 0o077:
            raise UserError("others can read the credentials", where=where, hint=f"run `chmod 600 {where}`")
        entries = yamltext.load(file, resolve=str)  # a password of digits is text too
    except FileNotFoundError as error:
        raise UserError("there is no file of credentials", where=where, hint=_form(name)) from error
    except (
        yamltext.NotYamlError,
        UnicodeDecodeError,
    ) as error:  # its text would quote the line, which can hold a password
        raise UserError("is not valid YAML", where=where, hint=_form(name)) from error
    entry = entries.get(name) if isinstance(entries, dict) else None
    if not isinstance(entry, dict) or not {"username", "password"} <= set(entry):
        raise UserError(f"has no credential named `{name}`", where=where, hint=_form(name))
    return Credential(str(entry["username"]), str(entry["password"]))


def authority(site: str) -> Path | None:
    """The site's own CA certificate for its controllers, or None to use the system's CAs."""
    file = paths.state(site) / "ca.pem"
    return file if file.is_file() else None


def _form(name: str) -> str:
    return f"add `{name}: {{username: …, password: …}}` to it, mode 0600"
