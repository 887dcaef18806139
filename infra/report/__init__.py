"""The report of a run: what was declared, made, configured and verified, on what it was proved, and when."""

from __future__ import annotations
