"""Titles of the steps of a run, on the command line and in the report."""

from __future__ import annotations

TITLES = {
    "declare": "Declare",
    "image": "Image",
    "preview": "Preview",
    "up": "Make",
    "boot": "Boot",
    "configure": "Configure",
    "verify": "Verify",
    "report": "Report",
}
"""Name → what people read, in the order of a run."""
