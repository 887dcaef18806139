"""The plugin behind real gRPC, with machines that live in a dictionary."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2

from infra.errors import UserError
from infra.provider.drivers import BootDevice, DeviceFacts, Facts, Power, Target
from infra.provider.plugin import VERSION, Gigasite
from infra.provider.resources.resource_type import Runtime
from infra.provider.serving import Servicer

UNKNOWN = rpc.UNKNOWN
# A partial failure brings the whole state in its trailers; Go's gRPC (the CLI's) takes 16 MiB of them.
CLIENT = (("grpc.max_metadata_size", 16 << 20), ("grpc.absolute_max_metadata_size", 16 << 20))


def struct(values: dict) -> struct_pb2.Struct:
    return json_format.ParseDict(values, struct_pb2.Struct())


def plain(message: struct_pb2.Struct) -> dict:
    def whole(value):
        if isinstance(value, dict):
            return {key: whole(item) for key, item in value.items()}
        if isinstance(value, list):
            return [whole(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return whole(json_format.MessageToDict(message))


@dataclass
class Failed(Exception):  # noqa: N818
    """A failed call: its message, and the detail of a partial failure."""

    message: str
    partial: pb.ErrorResourceInitFailed | None = None


@dataclass
class World:
    """Machines and devices, and everything that was asked of them."""

    simulated: bool = False
    power_of: dict[str, Power] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    accelerators: dict[str, int] = field(default_factory=dict)
    devices: dict[tuple[str, str], dict] = field(default_factory=dict)
    calls: list[tuple] = field(default_factory=list)
    gate: asyncio.Barrier | None = None

    def _facts(self, target: Target) -> Facts:
        if target.name in self.faults:
            raise UserError(
                self.faults[target.name], where=f"{target.name} (BMC {target.url})", hint="mend it"
            )
        state = self.power_of.get(target.name, Power.OFF)
        return Facts(
            f"S-{target.name}", target.uuid, state, "T-800", "Acme", "1.2", self.accelerators.get(target.name)
        )

    async def inspect(self, target: Target) -> Facts:
        self.calls.append(("inspect", target.name))
        return self._facts(target)

    async def power(self, target: Target, state: Power, *, graceful: bool = True) -> Facts:
        if self.gate is not None:
            async with asyncio.timeout(5):
                await self.gate.wait()
        self._facts(target)
        if self.power_of.get(target.name, Power.OFF) is not state:
            self.calls.append(("power", target.name, str(state), "graceful" if graceful else "force"))
            self.power_of[target.name] = state
        return self._facts(target)

    async def set_boot_override(self, target: Target, device: BootDevice) -> None:
        self.calls.append(("boot", target.name, str(device)))

    async def apply(self, kind: str, name: str, wanted: dict) -> DeviceFacts:
        self.devices[kind, name] = dict(wanted)
        return DeviceFacts(f"S-{name}", wanted)

    async def read(self, kind: str, name: str) -> DeviceFacts | None:
        found = self.devices.get((kind, name))
        return None if found is None else DeviceFacts(f"S-{name}", found)

    async def remove(self, kind: str, name: str) -> None:
        self.devices.pop((kind, name), None)


class Plugin:
    """Calls of the served plugin with plain values."""

    def __init__(self, stub) -> None:
        self._stub = stub

    def call(self, method: str, request):
        try:
            return getattr(self._stub, method)(request, timeout=20)
        except grpc.RpcError as error:
            partial = None
            for key, value in error.trailing_metadata() or ():
                if key == "grpc-status-details-bin":
                    status = status_pb2.Status.FromString(value)
                    partial = pb.ErrorResourceInitFailed()
                    assert status.details[0].Unpack(partial)
            raise Failed(error.details(), partial) from error

    @staticmethod
    def urn(kind: str, name: str) -> str:
        return f"urn:pulumi:lab.pod-01::gigasite::gigasite:site:Pod$gigasite:{kind}::{name}"

    def configure(self, **config):
        return self.call("Configure", pb.ConfigureRequest(args=struct(config)))

    def check(self, kind: str, news: dict) -> tuple[dict, dict[str, str]]:
        reply = self.call("Check", pb.CheckRequest(urn=self.urn(kind, "x"), news=struct(news)))
        return plain(reply.inputs), {item.property: item.reason for item in reply.failures}

    def diff(self, kind: str, state: dict, news: dict):
        return self.call(
            "Diff", pb.DiffRequest(urn=self.urn(kind, "x"), id="i", olds=struct(state), news=struct(news))
        )

    def create(self, kind: str, news: dict, *, preview: bool = False) -> tuple[str, dict]:
        request = pb.CreateRequest(urn=self.urn(kind, "x"), properties=struct(news), preview=preview)
        reply = self.call("Create", request)
        return reply.id, plain(reply.properties)

    def update(self, kind: str, id_: str, state: dict, news: dict, *, preview: bool = False) -> dict:
        request = pb.UpdateRequest(
            urn=self.urn(kind, "x"), id=id_, olds=struct(state), news=struct(news), preview=preview
        )
        return plain(self.call("Update", request).properties)

    def read(self, kind: str, id_: str, state: dict) -> tuple[str, dict, dict]:
        request = pb.ReadRequest(urn=self.urn(kind, "x"), id=id_, properties=struct(state))
        reply = self.call("Read", request)
        return reply.id, plain(reply.inputs), plain(reply.properties)

    def delete(self, kind: str, id_: str, state: dict) -> None:
        self.call("Delete", pb.DeleteRequest(urn=self.urn(kind, "x"), id=id_, properties=struct(state)))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def serve():
    """Serve a provider on a free port of 127.0.0.1; gives a Plugin."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers, channels = [], []

    def start(make_runtime) -> Plugin:
        async def begin():
            server = grpc.aio.server()
            servicer = Servicer([], VERSION, Gigasite(make_runtime), "")
            provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            return server, port

        server, port = asyncio.run_coroutine_threadsafe(begin(), loop).result(20)
        servers.append(server)
        channels.append(grpc.insecure_channel(f"127.0.0.1:{port}", options=CLIENT))
        return Plugin(provider_pb2_grpc.ResourceProviderStub(channels[-1]))

    yield start
    for channel in channels:
        channel.close()
    for server in servers:
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


@pytest.fixture
def plugin(serve, world: World) -> Plugin:
    """The plugin, configured for the site `lab`, with `world` behind it."""
    found = serve(lambda settings: Runtime(settings, machines=world, facility=world))
    found.configure(site="lab")
    return found


def tray(slot: int, **changes) -> dict:
    return {
        "slot": slot,
        "platform": "lab-vm",
        "uuid": f"00000000-0000-4000-8000-{slot:012d}",
        "bmc": {"address": "127.0.0.1", "port": 20000 + slot, "credential": "lab"},
        **changes,
    }


@pytest.fixture
def rack() -> dict:
    """Inputs of a rack of two trays."""
    return {"name": "pod-01-su-01-rack-01", "trays": {f"tray-0{slot}": tray(slot) for slot in (1, 2)}}
