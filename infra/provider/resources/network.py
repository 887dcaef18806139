"""Switches."""

from __future__ import annotations

from infra.provider.resources.machines import Server


class Switch(Server):
    """One switch that has a management controller: a whitebox switch, or a stand-in."""

    type_name = "gigasite:network:Switch"
    doc = "A switch with a management controller (a whitebox switch, or a stand-in), powered through it."
