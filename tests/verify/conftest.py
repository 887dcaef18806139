"""The checks' fixtures, options and records are in one plugin, which a site's own checks use too."""

from __future__ import annotations

pytest_plugins = ("infra.verify.plugin",)
