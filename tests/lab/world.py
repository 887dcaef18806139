"""The lab that faults are put into: its machines, and its command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra import paths, spec
from infra.lab.driver import StandIn
from infra.plan import machines_of, plan
from infra.process import run as process
from infra.rollout import ssh

if TYPE_CHECKING:
    import random

    from infra.plan.tables.machines import Machine, Role
    from tests.lab.conftest import Lab


@dataclass
class World:
    """The lab that is up, and whom chance picks.

    Attributes:
        lab: the command line.
        chance: picks machines and moments.
        machines: of the plan.
    """

    lab: Lab
    chance: random.Random
    machines: tuple[Machine, ...] = field(default_factory=lambda: machines_of(plan(spec.load_site("lab"))))

    def pick(self, *roles: Role) -> str:
        """Name of a machine of one of these roles; of any without."""
        names = [machine.name for machine in self.machines if not roles or machine.role in roles]
        return self.chance.choice(sorted(names))

    def within(self, name: str, command: str) -> str:
        """Run a shell command as root on a machine."""
        with StandIn(paths.state("lab"), name) as one:
            return one.succeed(command)

    def expect(self, *words: str, code: int = 0) -> str:
        """Run a command that must end so; what it printed.

        Raises:
            Broken: it ended otherwise.
        """
        done = self.lab.run(*words)
        if done.returncode != code:
            raise Broken(f"`gigasite {' '.join(words)}` ended with {done.returncode}:\n{done.stdout[-2500:]}")
        return done.stdout

    def disconnect(self) -> None:
        """End the connections that earlier commands keep open: the next ones are new."""
        for name in (machine.name for machine in self.machines):
            process(["ssh", "-F", ssh.config_path("lab"), "-O", "exit", name], check=False, timeout=20)


class Broken(AssertionError):  # noqa: N818 (it says what happened)
    """The lab did not come back, or an error did not say what it must."""
