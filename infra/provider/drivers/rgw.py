"""Users and buckets of Ceph's Object Gateway, over ssh to a server of the tier."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import UserError
from infra.provider.drivers import rgw_actions, rgw_ceph
from infra.provider.drivers.rgw_actions import BARE
from infra.provider.drivers.ssh import LOST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.provider.drivers.ssh import Reach


CEPH_SHARE = 0.8
"""Of the time for an answer, that which Ceph has."""


class AwayError(Exception):
    """The server does not answer, or has no Ceph yet."""


@dataclass(frozen=True, slots=True)
class ObjectServer:
    """A server of an object tier.

    Attributes:
        name: in the plan.
        reach: the way to it.
    """

    name: str
    reach: Reach

    def ask(self, action: str, request: Mapping[str, Any], limit: float) -> dict[str, Any] | None:
        """Have an action of `rgw_actions` done.

        Args:
            action: its name.
            request: what it takes.
            limit: seconds.

        Returns:
            what it found or made; None if there is none.

        Raises:
            AwayError: nothing was asked.
            UserError: it was refused.
        """
        # a little less than the connection has: then it is Ceph that is said to be silent, not the server
        whole = {**request, "action": action, "seconds": limit * CEPH_SHARE}
        # by standard input: arguments are for everybody to read
        program = f"{_program()}sys.modules[{rgw_actions.__name__!r}].main({whole!r})\n"
        done = self.reach.run("exec python3 -", program, limit)
        if done.code in {BARE, LOST}:
            raise AwayError
        try:
            answer = json.loads(done.said)
        except ValueError:
            said = (done.errors.strip() or f"exit code {done.code}").splitlines()[-1]
            raise UserError(said, where=self.name, hint="what it did is seen by a refresh") from None
        if "refused" in answer:
            raise UserError(answer["refused"], where=self.name, hint=answer["hint"] or None)
        found: dict[str, Any] | None = answer["found"]
        return found


@cache
def _program() -> str:
    """Return Python that has the modules which run there, under their own names."""
    texts = {
        module.__name__: Path(str(module.__file__)).read_text(encoding="utf-8")
        for module in (rgw_ceph, rgw_actions)
    }
    return f"""\
import sys, types
for name, text in {texts!r}.items():
    sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), sys.modules[name].__dict__)
"""
