"""What a plan knows of a machine, where an inventory has an expression for it."""

from __future__ import annotations

from functools import cache
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from infra.errors import UserError
from infra.rollout.inventory.listing import LARGE, ask

DOCUMENTATION = r"""
name: gigasite
short_description: Variables of a machine of a gigasite declaration
description:
  - C(ansible-inventory --list) of a big site shows the variables C(machine), C(made) and C(site) as
    expressions with this lookup, so that the listing can be an inventory itself.
  - It takes seconds for a machine. A play on the declaration itself has the values without it.
options:
  _terms:
    description: Names of variables, of C(machine), C(made) and C(site).
    required: true
  source:
    description: Path of the declaration, C(inventories/SITE/site.yaml).
    type: path
    required: true
author: gigasite
"""
EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ lookup('gigasite', 'machine', source='inventories/lab/site.yaml').uuid }}"
"""
RETURN = r"""
_raw:
  description: The variables' values for the host that is asked for.
  type: list
"""


known = cache(ask)  # a task may name several variables


class LookupModule(LookupBase):
    """`lookup('gigasite', NAME, source=PATH)`."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return a value for each name."""
        self.set_options(var_options=variables, direct=kwargs)
        host = str((variables or {})["inventory_hostname"])
        if strange := [term for term in terms if term not in LARGE]:
            raise AnsibleLookupError(f"{strange[0]!r} is none of {', '.join(LARGE)}")
        try:
            found = known("variables", str(self.get_option("source")), host)
        except UserError as error:
            raise AnsibleLookupError(str(error)) from error
        return [found[term] for term in terms]
