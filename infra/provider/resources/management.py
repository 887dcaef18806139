"""Management (head) nodes."""

from __future__ import annotations

from infra.provider.resources.machines import Server


class ManagementServer(Server):
    """One management node: time, scheduler controller, and the like."""

    type_name = "gigasite:management:Server"
    doc = "A management (head) node, powered through its management controller."
