"""A relay agent with clients behind it, for `test_dhcp_in_namespaces`: asks for an address by port.

Run as a program: SERVER GIADDR, and on its input a JSON list of (circuit-id, remote-id). Prints what was
acknowledged, a JSON list: the address, and options as hexadecimal text by number; null for no answer.
"""

from __future__ import annotations

import json
import socket
import struct
import sys

PORT = 67
LIMIT_S = 2.0
"""For one answer: a server on the same machine takes milliseconds."""
DISCOVER, REQUEST = 1, 3
MESSAGE_TYPE, SERVER_ID, REQUESTED, WANTED, AGENT = 53, 54, 50, 55, 82
COOKIE = bytes([99, 130, 83, 99])
"""Before the options (RFC 2131, 3)."""
ASKED = bytes([1, 3, 12, 67, 239])
"""Mask, router, host name, boot file, and the option of Cumulus Linux and SONiC."""


def option(number: int, value: bytes) -> bytes:
    """One option as it is sent."""
    return bytes([number, len(value)]) + value


def packet(number: int, giaddr: str, kind: int, agent: bytes, *more: bytes) -> bytes:
    """A client's request as a relay forwards it; its MAC address follows from its number (RFC 2131, 2)."""
    mac = bytes([2, 0, 0, 0, *number.to_bytes(2, "big")])
    head = struct.pack("!BBBBIHH4s4s4s4s16s64s128s", 1, 1, 6, 1, number, 0, 0, bytes(4), bytes(4), bytes(4),
                       socket.inet_aton(giaddr), mac, bytes(64), bytes(128))  # fmt: skip
    options = [option(MESSAGE_TYPE, bytes([kind])), option(WANTED, ASKED), *more, option(AGENT, agent)]
    return head + COOKIE + b"".join(options) + b"\xff"


def options_of(answer: bytes) -> dict[int, bytes]:
    """Options of an answer by their numbers."""
    found, place = {}, 240
    while place < len(answer) and answer[place] != 255:
        if answer[place] == 0:
            place += 1
            continue
        number, size = answer[place], answer[place + 1]
        found[number] = found.get(number, b"") + answer[place + 2 : place + 2 + size]
        place += 2 + size
    return found


def ask(link: socket.socket, server: str, request: bytes) -> bytes | None:
    """Answer to a request, by its transaction's number."""
    link.sendto(request, (server, PORT))
    try:
        while True:
            answer = link.recv(4096)
            if answer[4:8] == request[4:8]:
                return answer
    except TimeoutError:
        return None


def lease(link: socket.socket, server: str, giaddr: str, number: int, agent: bytes) -> dict | None:
    """Address and options that a client is given, from its first question to the acknowledgement."""
    offer = ask(link, server, packet(number, giaddr, DISCOVER, agent))
    if offer is None:
        return None
    told = [option(REQUESTED, offer[16:20]), option(SERVER_ID, options_of(offer)[SERVER_ID])]
    answer = ask(link, server, packet(number, giaddr, REQUEST, agent, *told))
    if answer is None:
        return None
    options = {number: value.hex() for number, value in options_of(answer).items()}
    return {"address": socket.inet_ntoa(answer[16:20]), "options": options}


def main(server: str, giaddr: str) -> None:
    """Ask for each port of the input."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind((giaddr, PORT))
        link.settimeout(LIMIT_S)
        found = []
        for number, (circuit, remote) in enumerate(json.load(sys.stdin), start=1):
            agent = option(1, circuit.encode()) + option(2, remote.encode())
            found.append(lease(link, server, giaddr, number, agent))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
