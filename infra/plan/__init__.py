"""From the declaration to tables, admission, and what fits: pure arithmetic, columnar."""

from __future__ import annotations

from infra.plan.plan import Plan, plan
from infra.plan.tables.machines import Machine, Role
from infra.plan.tables.members import machines_of

__all__ = ["Machine", "Plan", "Role", "machines_of", "plan"]
