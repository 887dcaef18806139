"""Bring machines to their declared configuration: Ansible, driven by the plan."""
