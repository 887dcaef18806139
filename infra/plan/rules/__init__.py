"""Admission rules by subject; `infra.plan.admission` has the list of them."""
