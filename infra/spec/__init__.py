"""The declaration: types, loading with line numbers, units, JSON Schema, and the catalog of parts."""

from __future__ import annotations

from infra.spec.load import load, load_site, load_text
from infra.spec.site import Site

__all__ = ["Site", "load", "load_site", "load_text"]
