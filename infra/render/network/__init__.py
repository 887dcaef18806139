"""Configuration of switches: the plan's ports, addresses and numbers through `templates/switches/SYSTEM`."""

from __future__ import annotations

from infra.render.network.collecting import Switch, common_of, switches_of
from infra.render.network.facts import SwitchFacts, build
from infra.render.network.printing import print_facts, print_switches

__all__ = ["Switch", "SwitchFacts", "build", "common_of", "print_facts", "print_switches", "switches_of"]
