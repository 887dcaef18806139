"""Storage servers, the folders that they export, and quotas in them."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, cast

from pydantic import Field

from infra.errors import UserError
from infra.provider.drivers.nfs import Layout, Limits, NfsServer, Whose
from infra.provider.drivers.ssh import ssh_to
from infra.provider.inputs import REPLACES, HostName, InputModel, Like
from infra.provider.properties import UNKNOWN
from infra.provider.resources.machines import Server
from infra.provider.resources.resource_type import (
    CreateResult,
    Output,
    ReadResult,
    ResourceType,
    Runtime,
    refuse_import,
    text,
)
from infra.provider.settings import Driver
from infra.provider.validation import build

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.provider.differences import Change

BY_ROLE, LIVE, SIMULATED = "role", "live", "simulated"
Path = Annotated[str, Like("an absolute path")]


class StorageServer(Server):
    """One storage server."""

    type_name = "gigasite:storage:Server"
    doc = "A storage server, powered through its management controller."


class QuotaKind(StrEnum):
    """Whose files a quota counts."""

    USER = "user"
    GROUP = "group"
    PROJECT = "project"


class FolderInputs(InputModel):
    """Where a folder is exported."""

    server: Annotated[HostName, REPLACES] = Field(description="machine that exports it")
    path: Annotated[Path, REPLACES] = Field(
        pattern=r"^(/[A-Za-z0-9._-]+)+$", description="folder on the server", examples=["/srv/shared"]
    )


Inputs = TypeVar("Inputs", bound=FolderInputs)


class Folder(ResourceType[Inputs]):
    """Something of an exported folder; a subclass says what is asked of the server."""

    outputs: ClassVar[Mapping[str, Output]] = {
        "applied": text(
            "how it came into force: `role` with the step that configures machines, `live` on the running "
            "server, `simulated` where none stands behind it"
        ),
    }

    def preview(
        self, inputs: Mapping[str, Any], state: Mapping[str, Any] | None, changed: Mapping[str, Change]
    ) -> dict[str, Any]:
        """Whether the server can be asked is seen when it is."""
        del inputs
        return {"applied": UNKNOWN if state is None or changed else state.get("applied", UNKNOWN)}

    def put(self, server: NfsServer, inputs: Inputs, limit: float) -> bool:
        """Bring it into force; False if the server is not configured for it yet."""
        raise NotImplementedError

    def find(self, found: Layout, inputs: Inputs) -> dict[str, Any] | None:
        """Return the inputs that would declare what the server has; None if it has none of it."""
        raise NotImplementedError

    def drop(self, server: NfsServer, inputs: Inputs, limit: float) -> None:
        """Remove it."""
        raise NotImplementedError

    async def create(self, runtime: Runtime, inputs: Inputs, limit: float) -> CreateResult:
        """Change the running server; one that is away or was never configured gets it with its role."""
        if runtime.settings.driver is Driver.SIMULATED:
            return CreateResult({"applied": SIMULATED})
        server = _reach(runtime, inputs)
        done = server is not None and await asyncio.to_thread(self.put, server, inputs, limit)
        return CreateResult({"applied": LIVE if done else BY_ROLE})

    async def read(
        self, runtime: Runtime, resource_id: str, state: Mapping[str, Any], limit: float
    ) -> ReadResult | None:
        """Look at the server; what cannot be asked is left as it was."""
        if not state:
            refuse_import(resource_id)
        inputs = cast("Inputs", build(self.inputs, state))
        outputs = {"applied": state.get("applied", BY_ROLE)}
        server = None if runtime.settings.driver is Driver.SIMULATED else _reach(runtime, inputs)
        found = await runtime.ask_once(server.name, partial(server.read, limit)) if server else None
        if found is None:
            return ReadResult(inputs.plain(), outputs)
        seen = self.find(found, inputs)
        # one that waits for its role was never there, and is not gone
        if seen is None:
            return None if outputs["applied"] == LIVE else ReadResult(inputs.plain(), outputs)
        return ReadResult({**inputs.plain(), **seen}, outputs)

    async def delete(self, runtime: Runtime, inputs: Inputs, state: Mapping[str, Any], limit: float) -> None:
        """Remove it from the running server."""
        del state
        server = None if runtime.settings.driver is Driver.SIMULATED else _reach(runtime, inputs)
        if server is not None:
            await asyncio.to_thread(self.drop, server, inputs, limit)


def _reach(runtime: Runtime, inputs: FolderInputs) -> NfsServer | None:
    """Return the server; None as long as no step has said how machines of the site are reached."""
    try:
        return NfsServer(inputs.server, ssh_to(runtime.settings.site, inputs.server))
    except UserError:
        return None


class ExportInputs(FolderInputs):
    """Declared inputs of one export."""

    size: int = Field(ge=1, description="bytes of its file system; it grows, and never becomes smaller")
    force_delete: bool = Field(default=False, description="remove it with the files that it holds")


class Export(Folder[ExportInputs]):
    """One exported folder."""

    type_name = "gigasite:storage:Export"
    doc = (
        "A folder that a storage server exports, in a file system of its own. It grows while it is in use, "
        "is never made smaller, and is removed only when it is empty, unless `force_delete` is set."
    )
    inputs = ExportInputs

    def preview(
        self, inputs: Mapping[str, Any], state: Mapping[str, Any] | None, changed: Mapping[str, Change]
    ) -> dict[str, Any]:
        """A smaller one is refused before anything happens."""
        _refuse_shrinking(inputs, state)
        return super().preview(inputs, state, changed)

    def identify(self, runtime: Runtime, inputs: ExportInputs) -> str:
        """`SITE/SERVER/PATH`."""
        return f"{runtime.settings.site}/{inputs.server}{inputs.path}"

    async def update(
        self,
        runtime: Runtime,
        inputs: ExportInputs,
        state: Mapping[str, Any],
        changed: Mapping[str, Change],
        limit: float,
    ) -> CreateResult:
        """Grow it."""
        del changed
        _refuse_shrinking(inputs.plain(), state)
        return await self.create(runtime, inputs, limit)

    def put(self, server: NfsServer, inputs: ExportInputs, limit: float) -> bool:
        """Grow it to its size."""
        return server.grow(inputs.path, inputs.size, limit)

    def find(self, found: Layout, inputs: ExportInputs) -> dict[str, Any] | None:
        """Return its size."""
        size = found.exports.get(inputs.path)
        return None if size is None else {"size": size}

    def drop(self, server: NfsServer, inputs: ExportInputs, limit: float) -> None:
        """Remove it if it is empty, or may be lost."""
        server.remove(inputs.path, limit, force=inputs.force_delete)


def _refuse_shrinking(inputs: Mapping[str, Any], state: Mapping[str, Any] | None) -> None:
    before, now = (state or {}).get("size"), inputs.get("size")
    if isinstance(before, int | float) and isinstance(now, int | float) and now < before:
        raise UserError(
            f"has {before:,.0f} bytes, and {now:,.0f} are declared: an export is not made smaller",
            where=f"{inputs['server']}:{inputs['path']}",
            hint="declare the old size, or move the files to a new export",
        )


class QuotaInputs(FolderInputs):
    """Declared inputs of one quota."""

    kind: Annotated[QuotaKind, REPLACES] = Field(description="whose files it counts")
    who: Annotated[str, REPLACES, Like("a name or a number")] = Field(
        pattern=r"^[A-Za-z0-9._-]+$", description="name of the user or group, or the project's number"
    )
    folder: Annotated[Path | None, REPLACES] = Field(
        default=None, description="folder of a project, which is made and whose content counts"
    )
    limit: int = Field(ge=1, description="bytes; more is refused")
    soft: int | None = Field(
        default=None, ge=1, description="bytes from which on more is taken for seven days only"
    )
    files: int | None = Field(default=None, ge=1, description="most files and folders")


class Quota(Folder[QuotaInputs]):
    """One quota."""

    type_name = "gigasite:storage:Quota"
    doc = "A limit of one user, one group or one folder (a project) within an export, kept by its server."
    inputs = QuotaInputs

    def identify(self, runtime: Runtime, inputs: QuotaInputs) -> str:
        """`SITE/SERVER/PATH/KIND/WHO`."""
        return f"{runtime.settings.site}/{inputs.server}{inputs.path}/{inputs.kind}/{inputs.who}"

    def put(self, server: NfsServer, inputs: QuotaInputs, limit: float) -> bool:
        """Set its limits."""
        limits = Limits(_kib(inputs.soft), _kib(inputs.limit), inputs.files or 0)
        return server.limit_to(_whose(inputs), limits, inputs.folder, limit)

    def find(self, found: Layout, inputs: QuotaInputs) -> dict[str, Any] | None:
        """Return its limits; what is declared where the server rounds it to the same KiB."""
        there = found.quotas.get(_whose(inputs))
        if there is None:
            return None
        return {
            "limit": inputs.limit if _kib(inputs.limit) == there.hard else there.hard * 1024,
            "soft": inputs.soft if _kib(inputs.soft) == there.soft else there.soft * 1024,
            "files": there.files or None,
        }

    def drop(self, server: NfsServer, inputs: QuotaInputs, limit: float) -> None:
        """Lift it."""
        server.lift(_whose(inputs), limit)


def _whose(inputs: QuotaInputs) -> Whose:
    return Whose(inputs.path, str(inputs.kind), inputs.who)


def _kib(size: int | None) -> int:
    """Round bytes up to KiB, as the role does."""
    return -(-(size or 0) // 1024)
