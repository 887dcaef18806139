"""Knock at many doors at once by TCP and UDP; see `infra.verify.packets`.

Takes one argument: base64 of compressed JSON, {"asked": [[protocol, own address, address, port], ...],
"wanted": numbers of those that should answer, "least": seconds to wait for those that should not, "most":
seconds to wait for those that should}. Prints the numbers of those that answered, as JSON.
"""

from __future__ import annotations

import base64
import json
import resource
import select
import socket
import sys
import time
import zlib
from contextlib import suppress

# As in answer.py.
QUESTION = b"\x23" + bytes(47)
AGAIN_S = 1.0


def open_all(asked: list[tuple[str, str, str, int]]) -> dict[int, tuple[int, str, socket.socket]]:
    """Open a socket for each door that there is a way to: number, protocol and socket by descriptor."""
    found = {}
    for number, (kind, source, target, port) in enumerate(asked):
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        own.setblocking(False)
        own.bind((source, 0))
        try:
            own.connect((target, port))
        except BlockingIOError:  # the answer comes later
            pass
        except OSError:
            own.close()
            continue
        found[own.fileno()] = (number, kind, own)
    return found


def ask(own: socket.socket) -> None:
    """Send the question; what refuses it is heard of by no answer."""
    with suppress(OSError):
        own.send(QUESTION)


def is_answered(kind: str, own: socket.socket) -> bool:
    """Look at a socket about which there is news."""
    if kind == "tcp":
        return own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    try:
        return len(own.recv(512)) > 0
    except OSError:
        return False


def main() -> None:
    """Knock, and print who answered."""
    task = json.loads(zlib.decompress(base64.b64decode(sys.argv[1])))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    start = time.monotonic()
    waiting, poll, back = open_all(task["asked"]), select.poll(), set()
    for descriptor, (_, kind, _own) in waiting.items():
        poll.register(descriptor, select.POLLOUT if kind == "tcp" else select.POLLIN)
    wanted, sent = set(task["wanted"]), 0.0
    while (gone := time.monotonic() - start) < task["least"] or (gone < task["most"] and not wanted <= back):
        if gone >= sent:
            sent = gone + AGAIN_S
            for number, kind, own in waiting.values():
                if kind == "udp" and number not in back:
                    ask(own)
        for descriptor, _ in poll.poll(200):
            number, kind, own = waiting[descriptor]
            if is_answered(kind, own):
                back.add(number)
            if kind == "tcp":
                poll.unregister(own)
    print(json.dumps(sorted(back)))


main()
