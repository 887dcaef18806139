"""Documentation of the action `units`; its work is done by the action plugin through systemctl alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Brings a batch of systemd units into the wanted state in one step
description:
  - Enables and starts all units of a role, or restarts and reloads them, in one round trip and without
    starting Python on the machine.
  - Supports check mode. A unit that fails to start fails the task with the last lines of its journal.
options:
  started:
    description: Units to be enabled and active.
    type: list
    elements: str
  stopped:
    description: Units to be disabled and inactive.
    type: list
    elements: str
  restarted:
    description: Units to be restarted now.
    type: list
    elements: str
  reloaded:
    description: Units to be reloaded now, or started if they do not run.
    type: list
    elements: str
author: gigasite
"""
