"""Role folders as data: which machines a role is for, its packages, components, and what stand-ins prove.

`playbooks/roles/ROLE/role.yaml` is the one statement of these. The inventory's groups, the `deploy` action,
the checks, the image's package list and the fidelity table read it.
"""

from __future__ import annotations

from infra.roles.data import Component, FileRule, RoleSpec, Unit
from infra.roles.folders import FOLDER, load_role, plain_files, role_specs
from infra.roles.selection import Subject, declared_parts, select_roles

__all__ = [
    "FOLDER",
    "Component",
    "FileRule",
    "RoleSpec",
    "Subject",
    "Unit",
    "declared_parts",
    "load_role",
    "plain_files",
    "role_specs",
    "select_roles",
]
