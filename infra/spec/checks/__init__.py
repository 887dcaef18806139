"""Mistakes of a declaration whose types are right: `mistakes` yields them all."""

from infra.spec.checks.site import mistakes

__all__ = ["mistakes"]
