"""Answer on addresses and ports by TCP and UDP for a while; see `infra.verify.packets`.

Takes one argument: base64 of compressed JSON, {"doors": [[protocol, address, port], ...], "seconds": limit}.
Prints JSON once it answers, and goes on in the background: {"pid": number, "held": doors that another
program holds and does not answer on itself}.
"""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import socket
import sys
import zlib

# An NTP client's question (RFC 5905: version 4, mode 3): a server of time answers it too.
QUESTION = b"\x23" + bytes(47)
WAIT_S = 2.0


def open_door(kind: str, address: str, port: int) -> socket.socket | None:
    """Listen; None if another program does."""
    own = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    if kind == "tcp":
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((address, port))
        if kind == "tcp":
            own.listen(64)
    except OSError:
        own.close()
        return None
    return own


def answers_itself(kind: str, address: str, port: int) -> bool:
    """Ask the program that holds a door, from this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as own:
        own.settimeout(WAIT_S)
        try:
            own.connect((address, port))
            return kind == "tcp" or (own.send(QUESTION) > 0 and len(own.recv(512)) > 0)
        except OSError:
            return False


def serve(doors: list[tuple[str, socket.socket]]) -> None:
    """Answer until the process is ended."""
    known = {own.fileno(): (kind, own) for kind, own in doors}
    poll = select.poll()
    for number in known:
        poll.register(number, select.POLLIN)
    while True:
        for number, _ in poll.poll():
            kind, own = known[number]
            try:
                if kind == "tcp":
                    own.accept()[0].close()
                else:
                    text, peer = own.recvfrom(512)
                    own.sendto(text, peer)
            except OSError:
                continue


def main() -> None:
    """Open the doors, tell so, and go on in the background."""
    asked = json.loads(zlib.decompress(base64.b64decode(sys.argv[1])))
    opened, held = [], []
    for kind, address, port in asked["doors"]:
        own = open_door(kind, address, port)
        if own is not None:
            opened.append((kind, own))
        elif not answers_itself(kind, address, port):
            held.append([kind, address, port])
    child = os.fork()
    if child:
        print(json.dumps({"pid": child, "held": held}))
        return
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    signal.alarm(asked["seconds"])
    serve(opened)


main()
