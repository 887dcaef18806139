"""Storage servers."""

from __future__ import annotations

from infra.provider.resources.machines import Server


class StorageServer(Server):
    """One storage server."""

    type_name = "gigasite:storage:Server"
    doc = "A storage server, powered through its management controller."
