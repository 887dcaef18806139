"""Bring machines to their declared configuration: Ansible, driven by the plan."""

from __future__ import annotations

from infra.rollout.configure import PlayEvent, PlayResult, configure

__all__ = ["PlayEvent", "PlayResult", "configure"]
