"""Datagrams between two addresses of a fabric while something happens to it, and which of them were lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass

PORT = 4791
GAP = 0.01
"""Seconds between datagrams: what is lost in a fault is about its length."""

# Eight flows in turn, so that each of a few equal paths carries some; ends with its input.
SEND = """
import json, select, socket, sys, time
target, source, gap, size = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
flows, back, sent = [], set(), {}
for _ in range(8):
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: do not fragment
    own.bind((source, 0)); own.setblocking(False)
    flows.append(own)
def take():
    for own in flows:
        while True:
            try: back.add(int(own.recv(65536).split()[0]))
            except BlockingIOError: break
            except OSError: pass
print("started", flush=True)
number = 0
while not select.select([sys.stdin], [], [], gap)[0]:
    sent[number] = time.monotonic()
    try: flows[number % 8].sendto((str(number) + " ").encode().ljust(size, b"."), (target, 4791))
    except OSError: pass
    number += 1
    take()
end = time.monotonic() + 1
while time.monotonic() < end:
    time.sleep(0.05); take()
print(json.dumps([sent[one] for one in sent if one not in back]), len(sent))
"""
ECHO = """
import socket, sys
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind((sys.argv[1], 4791))
print("ready", flush=True)
while True:
    text, peer = own.recvfrom(65536)
    own.sendto(text[:16], peer)
"""


@dataclass
class Outcome:
    """Of one run: datagrams sent, and when (seconds of the monotonic clock) those were that got lost."""

    sent: int
    lost: list[float]

    @property
    def gap(self):
        """Seconds from the first to the last that was lost."""
        return self.lost[-1] - self.lost[0] if self.lost else 0.0


class Traffic:
    """Sends while its block lasts; `outcome` afterwards."""

    def __init__(self, fabric, source, target, size=64):
        self.fabric, self.source, self.target, self.size = fabric, source, target, size
        self.outcome = None

    def _start(self, machine, text, *words):
        command = ["ip", "netns", "exec", self.fabric.space(machine), sys.executable, "-c", text, *words]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline().strip() in {"ready", "started"}
        return child

    def __enter__(self):
        self.echo = self._start(self.target.machine, ECHO, self.target.address)
        words = (self.target.address, self.source.address, str(GAP), str(self.size))
        self.sender = self._start(self.source.machine, SEND, *words)
        time.sleep(0.5)
        return self

    def __exit__(self, *_):
        self.sender.stdin.close()
        text = self.sender.stdout.read()
        self.sender.wait(20)
        self.echo.kill()
        self.echo.wait()
        lost, _, sent = text.strip().rpartition(" ")
        self.outcome = Outcome(int(sent), json.loads(lost))
