"""Ports on 127.0.0.1: whether they are free, and who holds them."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from infra.errors import UserError


def require_free(port: int, protocol: str, purpose: str) -> None:
    """Make sure that nobody uses a port on 127.0.0.1.

    Args:
        port: 1 to 65535.
        protocol: `tcp` or `udp`.
        purpose: what the port is wanted for, for the message.

    Raises:
        UserError: it is in use, by whom as far as the kernel says.
    """
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if protocol == "tcp":
            # As servers do: a connection in TIME_WAIT does not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"{protocol} port {port} on 127.0.0.1, wanted for {purpose}, "
                f"is in use by {holder(port, protocol)}",
                hint="stop that, or set another port_base under stand_ins in site.yaml",
            ) from error


def holder(port: int, protocol: str) -> str:
    """Who holds a port, in words: program and process id where the kernel lets us see it."""
    inodes = set(_inodes(port, protocol))
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for link in (folder / "fd").iterdir():
                with suppress(OSError):
                    target = str(link.readlink())
                    if target.startswith("socket:[") and target[8:-1] in inodes:
                        return f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
    return "a process of another user"


def _inodes(port: int, protocol: str) -> list[str]:
    found = []
    for table in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                words = line.split()
                # proc(5): local address is HEX:PORT; state 0A is LISTEN, UDP sockets have no such state.
                if int(words[1].rpartition(":")[2], 16) == port and (protocol == "udp" or words[3] == "0A"):
                    found.append(words[9])
    return found


def free_udp_ports(count: int) -> tuple[int, ...]:
    """Ports on 127.0.0.1 that were free a moment ago, chosen by the kernel from its ephemeral range."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(one.getsockname()[1] for one in sockets)
    finally:
        for one in sockets:
            one.close()
