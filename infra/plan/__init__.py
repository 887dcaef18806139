"""From the declaration to tables, admission, and what fits: pure arithmetic, columnar."""

from __future__ import annotations

from infra.plan.machines import Machine, Role
from infra.plan.members import machines_of
from infra.plan.plan import Plan, plan

__all__ = ["Machine", "Plan", "Role", "machines_of", "plan"]
