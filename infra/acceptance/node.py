"""One machine of the site, as the steps use it: by ssh, and through its management controller by Redfish."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.process import run
from infra.provider.drivers import Facts, Power, Target
from infra.provider.drivers.redfish import Redfish
from infra.provider.settings import Settings
from infra.rollout import ssh

if TYPE_CHECKING:
    from infra.plan.tables.machines import Machine

ANSWER_S = 90.0
BOOT_S = 600.0
"""How long a machine may take until it lets somebody in: 900 s are the suite's limit for a power cycle."""
POWER_S = 120.0
PAUSE_S = 2.0


@dataclass(frozen=True)
class Node:
    """A machine that is asked and switched.

    Attributes:
        machine: of the plan.
    """

    machine: Machine

    @property
    def name(self) -> str:
        """Name in the plan, which is also the identifier that the suite is told."""
        return self.machine.name

    @cached_property
    def target(self) -> Target:
        """Its management controller, for the provider's driver."""
        bmc, uuid = self.machine.bmc, self.machine.uuid if self.machine.stand_in else None
        return Target(
            self.name, bmc.address, bmc.port, bmc.credential, uuid, bmc.system, bmc.accelerators_at, POWER_S
        )

    def ask(self, command: str, limit: float = ANSWER_S) -> str:
        """Run a shell command as root on it and return what it printed.

        Raises:
            UserError: it failed or nobody answered, with the machine's name.
        """
        done = run(
            ["ssh", "-F", ssh.config_path(self.machine.site), self.name, "sudo", "sh", "-s"],
            stdin=command,
            check=False,
            timeout=limit,
        )
        if done.returncode:
            raise UserError(
                f"`{command.splitlines()[0][:80]}` failed with {done.returncode}: "
                f"{(done.stderr or done.stdout).strip()[-300:]}",
                where=self.name,
            )
        return done.stdout

    def facts(self) -> Facts:
        """Read what its management controller says of it."""
        return asyncio.run(self._driver().inspect(self.target))

    def set_power(self, state: Power, *, graceful: bool = True) -> Facts:
        """Bring it to a power state and wait for that."""
        return asyncio.run(self._driver().power(self.target, state, graceful=graceful))

    def wait_for_ssh(self, since: str | None = None, limit: float = BOOT_S) -> float:
        """Wait until it lets somebody in, after another start than `since` if that is given.

        Args:
            since: boot id of the start before.
            limit: seconds to wait.

        Returns:
            Seconds waited.

        Raises:
            UserError: it did not within the limit, with what it said last.
        """
        begin, last = time.monotonic(), "its old start still runs"
        while time.monotonic() - begin < limit:
            try:
                if self.boot_id() != since:
                    return time.monotonic() - begin
            except UserError as error:
                last = error.message
            time.sleep(PAUSE_S)
        raise UserError(f"did not let us in within {limit:.0f} s: {last}", where=self.name)

    def boot_id(self) -> str:
        """Return the kernel's name for this start of the machine."""
        return self.ask("cat /proc/sys/kernel/random/boot_id").strip()

    def uptime(self) -> float:
        """Return the seconds since it started."""
        return float(self.ask("cat /proc/uptime").split()[0])

    def _driver(self) -> Redfish:
        return Redfish(Settings(site=self.machine.site, timeout=POWER_S))
