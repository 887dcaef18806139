"""Debian packages of the image of every stand-in: those of all roles, and its own.

Playbooks install nothing: a site may have no network, and the image is what a site's own golden image would
be. Everything that could run as a service is disabled (overlay/etc/systemd/system-preset) until a playbook
enables it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import yamltext
from infra.errors import UserError
from infra.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ROLES = ROOT / "playbooks" / "roles"
_LOADER = "kexec-tools"
"""In the place of GRUB: see overlay/etc/initramfs-tools/scripts/local-bottom/gigasite."""


def packages() -> tuple[str, ...]:
    """Read the packages of all roles from their data files, sorted, with the stand-ins' own.

    `infra.roles` has checked the files before.

    Raises:
        UserError: a file cannot be read.
    """
    roles = {name for file in ROLES.glob("*/role.yaml") for name in _read(file)}
    return tuple(sorted({*roles, _LOADER}))


def _read(file: Path) -> list[str]:
    try:
        return list(yamltext.load(file).get("packages") or ())
    except (OSError, UnicodeDecodeError, yamltext.NotYamlError, AttributeError, TypeError) as error:
        raise UserError(
            "the packages of this role cannot be read", where=str(file.relative_to(ROOT)), hint=str(error)
        ) from error
