"""The provider as a process."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from in_process import servicer  # type: ignore[import-not-found]
from pulumi.runtime.proto import provider_pb2_grpc

server = grpc.server(ThreadPoolExecutor(max_workers=16))  # type: ignore[no-untyped-call]
provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
sys.stdout.write(f"{port}\n")
sys.stdout.flush()
server.wait_for_termination()
