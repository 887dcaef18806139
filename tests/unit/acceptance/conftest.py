"""Nodes that answer from a table instead of a network, as the lab's answered when they were recorded."""

from __future__ import annotations

import fnmatch
from dataclasses import replace

import pytest

from infra.acceptance import fleet
from infra.acceptance.node import Node
from infra.errors import UserError
from infra.provider.drivers import Facts, Power

GPU = "GPU-{name}-{index}, 41, 0"


class World:
    """What the machines of the lab say.

    Attributes:
        power: by machine.
        answers: command pattern → text, or a function of the machine's name; the first that fits.
        lost: numbers of the accelerators that do not answer, by machine.
        hot: machines whose first accelerator is at 95 °C.
        programs: functions of a machine's name and a command that answer it, or return None; asked first.
        switched: machine, state and whether its operating system was asked first, in order.
    """

    def __init__(self):
        self.power, self.lost, self.hot, self.boots, self.asked = {}, {}, set(), {}, []
        self.switched = []
        self.answers = {}
        self.programs = []

    def ask(self, node, command):
        self.asked.append((node.name, command))
        if self.power.get(node.name, Power.ON) is Power.OFF:
            raise UserError("Connection refused", where=node.name)
        for program in self.programs:
            if (said := program(node.name, command)) is not None:
                return said
        for pattern, answer in self.answers.items():
            if fnmatch.fnmatchcase(command, pattern):
                return answer(node.name) if callable(answer) else answer
        if command.startswith("nvidia-smi"):
            lines = [
                GPU.format(name=node.name, index=index)
                for index in range(node.machine.accelerators)
                if index not in self.lost.get(node.name, ())
            ]
            text = "\n".join(lines)
            return text.replace(", 41,", ", 95,", 1) if node.name in self.hot else text
        if "boot_id" in command:
            return f"{node.name}-{self.boots.setdefault(node.name, 1)}\n"
        if "systemctl reboot" in command:
            self.boots[node.name] = self.boots.get(node.name, 1) + 1
            return ""
        return {
            fleet.FAILED_UNITS: "",
            "cat /proc/uptime": "31.5 20.1\n",
            "cat /sys/class/net/*/address": "00:00:00:00:00:00\n02:00:00:00:00:01\n",
            "cat /etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie\n',
        }[command]

    def facts(self, node):
        power = self.power.get(node.name, Power.ON)
        return Facts("SN-1", node.machine.uuid, power, "lab-tray", "QEMU", "0.0.0", None)

    def set_power(self, node, state, *, graceful=True):
        self.switched.append((node.name, state, graceful))
        if self.power.get(node.name, Power.ON) is not state and state is Power.ON:
            self.boots[node.name] = self.boots.get(node.name, 1) + 1
        self.power[node.name] = state
        return replace(self.facts(node), power_state=state)


@pytest.fixture
def world(monkeypatch):
    found = World()
    for name in ("ask", "facts", "set_power"):
        monkeypatch.setattr(Node, name, _of_node(getattr(found, name)))
    return found


def _of_node(function):
    """Make a function of a node its method, which a bound method is not."""

    def method(node, *words, **more):
        return function(node, *words, **more)

    return method
