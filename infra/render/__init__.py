"""Facts to text: what a machine needs to know, printed through `templates/`.

Decisions are taken in Python (`facts`), templates only print them. Ansible's `deploy` action, the checks in
`tests/verify` and the command line all render through this room, so that they cannot disagree.
"""

from __future__ import annotations

from infra.render.deployment import Deployed, component_files, render_files, unit_names
from infra.render.facts import MachineFacts, SiteFacts, machine_facts
from infra.render.site_facts import site_facts
from infra.render.templates import render

__all__ = [
    "Deployed",
    "MachineFacts",
    "SiteFacts",
    "component_files",
    "machine_facts",
    "render",
    "render_files",
    "site_facts",
    "unit_names",
]
