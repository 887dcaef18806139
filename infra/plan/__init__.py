"""From the declaration to tables, admission, and what fits: pure arithmetic, columnar."""

from __future__ import annotations

from infra.plan.admission.admission import findings
from infra.plan.plan import Plan, plan
from infra.plan.tables.machine_list import machines_of
from infra.plan.tables.machines import Machine, Role
from infra.plan.views.summary import summary

__all__ = ["Machine", "Plan", "Role", "findings", "machines_of", "plan", "summary"]
