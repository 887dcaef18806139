"""Machines of a run, as testinfra's hosts: over one login each, or over testinfra's own connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from testinfra.host import Host

from infra.hostkeys import explain
from infra.verify.batch import BatchBackend, Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from testinfra.backend.base import BaseBackend, CommandResult

CONNECT_S = 120
"""To connect: an emulated machine takes long for its first key exchange."""


class CheckedBackend(BatchBackend):
    """Fails one check of a machine that does not answer, and skips its others: one cause, one failure."""

    def __init__(self, name: str, config: Path) -> None:
        super().__init__(name, ssh_config=str(config), controlpersist=0, timeout=CONNECT_S, sudo=True)
        self.known_hosts = config.parent / "ssh" / "known_hosts"
        self.told = False

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """Return what a command says; the check ends here if the machine does not answer."""
        try:
            return super().run(command, *args, **kwargs)
        except Silent:
            if self.told:
                pytest.skip(f"not checked: {self.hostname} does not answer")
            self.told = True
            why = explain(self.away or "", self.known_hosts, self.hostname) or self.away
            pytest.fail(f"{self.hostname} does not answer: {why}", pytrace=False)


class Hosts:
    """testinfra's hosts by machine name; their backends are made when they are asked for, and kept."""

    def __init__(self, make: Callable[[str], BaseBackend], made: Iterable[BaseBackend] = ()) -> None:
        self._make = make
        self._backends = {str(backend.hostname): backend for backend in made}

    @classmethod
    def batched(cls, config: Path) -> Hosts:
        """Hosts that are asked much in one login."""
        return cls(lambda name: CheckedBackend(name, config))

    @classmethod
    def plain(cls, hosts: Iterable[Host]) -> Hosts:
        """Hosts over testinfra's own connections; no other can be asked."""

        def refuse(name: str) -> BaseBackend:
            pytest.skip(f"not checked: {name} is not among --hosts")

        return cls(refuse, (host.backend for host in hosts))

    def backend(self, name: str) -> BaseBackend:
        """Return a machine's backend."""
        if name not in self._backends:
            self._backends[name] = self._make(name)
        return self._backends[name]

    def host(self, name: str) -> Host:
        """Return a new host of a machine: one keeps what it was told, which in a rehearsal is a guess."""
        host = Host(self.backend(name))
        host.backend.set_host(host)
        return host
