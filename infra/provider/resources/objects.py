"""Users and buckets of object storage, kept by Ceph's Object Gateway."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from infra.errors import UserError
from infra.provider.differences import Change, Kind
from infra.provider.drivers.rgw import AwayError, ObjectServer
from infra.provider.drivers.ssh import ssh_to
from infra.provider.properties import UNKNOWN
from infra.provider.resources.resource_type import (
    CreateResult,
    Output,
    ReadResult,
    ResourceType,
    Runtime,
    text,
)
from infra.provider.resources.storage_inputs import BucketInputs, BucketUserInputs, ObjectInputs
from infra.provider.settings import Driver
from infra.provider.validation import build

if TYPE_CHECKING:
    from collections.abc import Mapping

LIVE, SIMULATED, WAITING = "live", "simulated", "waiting"
LOOK_LIMIT_S = 30.0

Inputs = TypeVar("Inputs", bound=ObjectInputs)


class StoredObject(ResourceType[Inputs]):
    """Something that a gateway keeps; a subclass says which actions of the driver are its own."""

    noun: ClassVar[str]
    """Last word of its actions: `user` or `bucket`."""
    settings: ClassVar[tuple[str, ...]]
    """Inputs that a look at the server tells."""
    unknown: ClassVar[Mapping[str, Any]] = {}
    """Inputs that an import does not know before it has looked."""
    outputs: ClassVar[Mapping[str, Output]] = {
        "applied": text(
            "`live` on the cluster, `waiting` for a server that does not answer or has no Ceph yet (the next "
            "`up` goes on with it), `simulated` where none stands behind it"
        ),
    }

    def drift(self, state: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Change]:
        """Report a resource that waits: the next run makes it."""
        del inputs
        return {"applied": Change(Kind.UPDATE, drift=True)} if state.get("applied") == WAITING else {}

    def preview(
        self, inputs: Mapping[str, Any], state: Mapping[str, Any] | None, changed: Mapping[str, Change]
    ) -> dict[str, Any]:
        """Whether the server can be asked is seen when it is; keys stay."""
        del inputs
        known = {name: (state or {}).get(name, UNKNOWN) for name in self.outputs}
        return {**known, **({"applied": UNKNOWN} if changed else {})}

    def identify(self, runtime: Runtime, inputs: Inputs) -> str:
        """`SITE/SERVER/NAME`: where an import looks for it."""
        return f"{runtime.settings.site}/{inputs.server}/{_name(inputs)}"

    async def admit(
        self, runtime: Runtime, inputs: Inputs, state: Mapping[str, Any], changed: Mapping[str, Change]
    ) -> None:
        """Refuse a quota below what is used, which only the server knows."""
        if changed.keys() & {"limit", "objects", "max_buckets"} and state.get("applied") == LIVE:
            with contextlib.suppress(AwayError):  # the update itself will say so
                await self._ask(runtime, "check", inputs, LOOK_LIMIT_S, new=False)

    async def create(self, runtime: Runtime, inputs: Inputs, limit: float) -> CreateResult:
        """Make it; what is there already and was not made by us is refused."""
        return await self._put(runtime, inputs, {}, limit)

    async def update(
        self,
        runtime: Runtime,
        inputs: Inputs,
        state: Mapping[str, Any],
        changed: Mapping[str, Change],
        limit: float,
    ) -> CreateResult:
        """Change it while it is in use."""
        del changed
        return await self._put(runtime, inputs, state, limit)

    async def read(
        self, runtime: Runtime, resource_id: str, state: Mapping[str, Any], limit: float
    ) -> ReadResult | None:
        """Look at the server; what cannot be asked is left as it was."""
        inputs = cast("Inputs", build(self.inputs, state)) if state else self._import(resource_id)
        outputs = {name: state[name] for name in self.outputs if name in state}
        if outputs.get("applied") in {SIMULATED, WAITING}:
            return ReadResult(inputs.plain(), outputs)
        try:
            found = await self._ask(runtime, "read", inputs, limit, access_key=state.get("access_key"))
        except AwayError:
            return ReadResult(inputs.plain(), outputs) if state else None
        except UserError as error:
            return ReadResult(inputs.plain(), outputs, (str(error),))
        if found is None:
            return None
        seen = {**inputs.plain(), **{name: found[name] for name in self.settings}}
        declared = {name: value for name, value in seen.items() if value is not None}
        return ReadResult(declared, self._outputs(found))

    async def delete(self, runtime: Runtime, inputs: Inputs, state: Mapping[str, Any], limit: float) -> None:
        """Remove it if it is empty, or may be lost."""
        if state.get("applied") == LIVE:
            try:
                await self._ask(runtime, "drop", inputs, limit, force=inputs.force_delete)
            except AwayError:
                raise _away(inputs) from None

    async def _put(
        self, runtime: Runtime, inputs: Inputs, state: Mapping[str, Any], limit: float
    ) -> CreateResult:
        if runtime.settings.driver is Driver.SIMULATED:
            return CreateResult({"applied": SIMULATED})
        there = state.get("applied") == LIVE
        try:
            found = await self._ask(
                runtime, "put", inputs, limit, new=not there, access_key=state.get("access_key")
            )
        except AwayError:
            if there:
                raise _away(inputs) from None
            return CreateResult({"applied": WAITING})
        return CreateResult(self._outputs(found or {}))

    async def _ask(
        self, runtime: Runtime, verb: str, inputs: Inputs, limit: float, **more: Any
    ) -> dict[str, Any] | None:
        server = inputs.server
        try:
            reach = ssh_to(runtime.settings.site, server)
        except UserError:  # no step has said yet how machines are reached
            raise AwayError from None
        request = {**inputs.plain(), **more}
        async with runtime.in_turn(server):
            return await asyncio.to_thread(
                ObjectServer(server, reach).ask, f"{verb}_{self.noun}", request, limit
            )

    def _outputs(self, found: Mapping[str, Any]) -> dict[str, Any]:
        return {"applied": LIVE, **{name: found[name] for name in self.outputs if name in found}}

    def _import(self, resource_id: str) -> Inputs:
        _, server, name = (*resource_id.split("/"), "", "")[:3]
        return cast("Inputs", build(self.inputs, {"server": server, "name": name, **self.unknown}))


def _away(inputs: ObjectInputs) -> UserError:
    return UserError(
        "does not answer, so nothing was changed",
        where=inputs.server,
        hint="start it, or have the stack forget what is gone for good (`state delete`)",
    )


def _name(inputs: ObjectInputs) -> str:
    return str(inputs.plain()["name"])


class BucketUser(StoredObject[BucketUserInputs]):
    """One user of object storage."""

    type_name = "gigasite:storage:BucketUser"
    doc = (
        "A user of a Ceph Object Gateway, with a quota over all its buckets. Ceph makes its keys, which are "
        "secrets of the stack. A quota is never set below what is used, and a user that owns buckets is "
        "removed only if `force_delete` is set, with all that is in them."
    )
    inputs = BucketUserInputs
    noun = "user"
    settings = ("display", "max_buckets", "limit", "objects")
    outputs: ClassVar[Mapping[str, Output]] = {
        **StoredObject.outputs,
        "access_key": text("its S3 access key", secret=True),
        "secret_key": text("its S3 secret key", secret=True),
    }

    def apply_defaults(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Ceph wants a name for people."""
        return {**inputs, "display": inputs.get("display") or inputs["name"]}


class Bucket(StoredObject[BucketInputs]):
    """One bucket."""

    type_name = "gigasite:storage:Bucket"
    doc = (
        "A bucket of a Ceph Object Gateway. Its quota changes while it is in use and is never set below what "
        "is used; another owner gets it with all objects. It is removed only when it is empty, unless "
        "`force_delete` is set."
    )
    inputs = BucketInputs
    noun = "bucket"
    settings = ("owner", "versioning", "limit", "objects")
    unknown: ClassVar[Mapping[str, Any]] = {"owner": "unknown"}
