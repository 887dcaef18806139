"""Packets between all endpoints of a fabric in namespaces: who gets an answer from whom, on which ports."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from infra.render.matrix import Probe

# Answers on every address and port that it is told, by TCP and UDP, until its input ends.
ANSWER = """
import json, select, socket, sys
doors = json.loads(sys.stdin.readline())
streams, packets = {}, {}
for kind, address, port in doors:
    own = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.bind((address, port))
    if kind == "tcp":
        own.listen(64)
    (streams if kind == "tcp" else packets)[own.fileno()] = own
print("ready", flush=True)
poll = select.poll()
for number in (0, *streams, *packets):
    poll.register(number, select.POLLIN)
while True:
    for number, _ in poll.poll():
        if number == 0:
            sys.exit()
        if number in streams:
            streams[number].accept()[0].close()
        else:
            text, peer = packets[number].recvfrom(64)
            packets[number].sendto(text, peer)
"""
# Knocks at all doors at once, UDP three times; prints the numbers of those that answered in time.
KNOCK = """
import errno, json, select, socket, sys, time
asked, seconds = json.load(sys.stdin), float(sys.argv[1])
open_, poll, back = {}, select.poll(), set()
for number, kind, source, target, port in asked:
    own = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    own.setblocking(False)
    own.bind((source, 0))
    try:
        own.connect((target, port))
    except BlockingIOError:
        pass
    except OSError:
        continue
    open_[own.fileno()] = (number, kind, own)
    poll.register(own, select.POLLOUT if kind == "tcp" else select.POLLIN)
end, sent = time.monotonic() + seconds, 0
while time.monotonic() < end:
    if time.monotonic() > end - seconds * (1 - sent / 3) and sent < 3:
        sent += 1
        for number, kind, own in open_.values():
            if kind == "udp" and number not in back:
                try:
                    own.send(b"x")
                except OSError:
                    pass
    for descriptor, _ in poll.poll(200):
        number, kind, own = open_[descriptor]
        if kind == "tcp":
            if own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                back.add(number)
            poll.unregister(own)
        else:
            try:
                own.recv(64)
                back.add(number)
            except OSError:
                pass
print(json.dumps(sorted(back)))
"""


def knock(fabric, asked, seconds=3.0):
    """Send what is asked, all of it at once from each machine.

    Args:
        fabric: running.
        asked: source, target, protocol and port of each packet.
        seconds: for answers to come.

    Returns:
        the same with whether an answer came.
    """
    doors = defaultdict(set)
    by_source = defaultdict(list)
    for number, (source, target, kind, port) in enumerate(asked):
        doors[target.machine].add((kind, target.address, port))
        by_source[source.machine].append((number, kind, source.address, target.address, port))
    answering = []
    try:
        for machine, own in doors.items():
            words = ["ip", "netns", "exec", fabric.space(machine), sys.executable, "-c", ANSWER]
            child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            answering.append(child)
            child.stdin.write(json.dumps(sorted(own)) + "\n")
            child.stdin.flush()
        for child in answering:
            assert child.stdout.readline() == "ready\n"

        def ask(machine):
            done = fabric.run(
                machine, sys.executable, "-c", KNOCK, str(seconds), stdin=json.dumps(by_source[machine])
            )
            return json.loads(done.stdout)

        with ThreadPoolExecutor(4) as pool:
            passed = {number for found in pool.map(ask, by_source) for number in found}
    finally:
        for child in answering:
            child.stdin.close()
        for child in answering:
            child.wait(10)
    return [Probe(*one, number in passed) for number, one in enumerate(asked)]
