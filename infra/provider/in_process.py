"""For an engine that can call a provider in its own process: a fresh servicer."""

from __future__ import annotations

from infra.provider.serving import servicer

__all__ = ["servicer"]
