"""Verbs for tests of stand-ins, each of which reads as an assertion; every wait has a limit.

After the NixOS test driver and cockpit's machine library.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from xml.etree import ElementTree as ET

from infra.errors import UserError
from infra.lab import machines, redfish, session
from infra.lab.domain import parse
from infra.lab.identity import Identity
from infra.lab.image import USER
from infra.lab.session import libvirt
from infra.lab.spec import domain_name
from infra.lab.template import DEATHS
from infra.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERIAL_LINES = 12
_CONNECT_S = 120  # the first key exchange takes seconds under emulation, more when several machines start


class CheckFailed(AssertionError):  # noqa: N818 (as in "check failed")
    """The machine is not as the test says."""


class DriverError(Exception):
    """The test could not look: no machine, no ssh, no BMC."""


@dataclass(frozen=True, slots=True)
class Output:
    """Result of a command in the guest: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


class StandIn:
    """One machine under test; a context manager that closes its shared ssh connection.

    Args:
        state_dir: the site's local state.
        name: the machine's name.
    """

    def __init__(self, state_dir: Path, name: str) -> None:
        self.state_dir, self.name = state_dir, name
        # Short: a socket's path has at most 107 characters.
        self._sockets = Path(tempfile.mkdtemp(prefix="gigasite-ssh-"))
        self._since = 0  # where the console's text of the latest start begins

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the shared ssh connection, if there is one."""
        if (self._sockets / "s").exists():
            with suppress(DriverError, UserError):
                run([*self._ssh(), "-O", "exit", "guest"], check=False, timeout=10)
        shutil.rmtree(self._sockets, ignore_errors=True)

    # Commands in the guest

    def execute(self, command: str, limit_s: float = 300) -> Output:
        """Run a shell command as root in the guest.

        Raises:
            DriverError: ssh itself failed, or the command took longer than the limit.
        """
        try:
            done = run(
                [*self._ssh(), "guest", f"sudo sh -c {shlex.quote(command)}"], check=False, timeout=limit_s
            )
        except UserError as error:
            raise DriverError(self._with_serial(f"{self.name}: {error}")) from error
        if done.returncode == 255:  # ssh's own code for its own errors
            raise DriverError(self._with_serial(f"{self.name}: ssh failed: {done.stderr.strip()}"))
        return Output(done.returncode, done.stdout, done.stderr)

    def succeed(self, command: str, limit_s: float = 300) -> str:
        """Run a command that must succeed; its standard output."""
        done = self.execute(command, limit_s)
        if done.code:
            raise CheckFailed(
                self._with_serial(f"{self.name}: `{command}` failed with {done.code}: {done.err or done.out}")
            )
        return done.out

    def fail(self, command: str, limit_s: float = 300) -> str:
        """Run a command that must fail; its standard output and error."""
        done = self.execute(command, limit_s)
        if not done.code:
            raise CheckFailed(f"{self.name}: `{command}` succeeded: {done.out}")
        return done.out + done.err

    # Waits

    def wait_until_succeeds(self, command: str, limit_s: float = 300) -> str:
        """Repeat a command until it succeeds, also while ssh does not answer yet; its standard output."""
        last = ""
        for left in self._ticks(limit_s):
            try:
                done = self.execute(command, max(left, 1.0))
            except DriverError as error:
                last = str(error).splitlines()[0]
                continue
            if not done.code:
                return done.out
            last = f"exit code {done.code}: {(done.err or done.out).strip()}"
        raise CheckFailed(
            self._with_serial(f"{self.name}: `{command}` did not succeed within {limit_s:.0f} s ({last})")
        )

    def wait_for_ssh(self, limit_s: float = 1200) -> None:
        """Wait until the machine lets us in; stops at once if it dies while starting."""
        last = ""
        for left in self._ticks(limit_s):
            if not self._domain().isActive():
                raise CheckFailed(self._with_serial(f"{self.name} went off while starting"))
            if any(word in self._console()[self._since :] for word in DEATHS):
                raise CheckFailed(self._with_serial(f"{self.name} died while starting"))
            try:
                if not self.execute("true", max(left, 1.0)).code:
                    return
            except DriverError as error:
                last = str(error).splitlines()[0]
                if "REMOTE HOST IDENTIFICATION HAS CHANGED" in str(error) or "Permission denied" in str(
                    error
                ):
                    raise
        raise CheckFailed(self._with_serial(f"{self.name}: no ssh within {limit_s:.0f} s ({last})"))

    def wait_for_unit(self, unit: str, limit_s: float = 300) -> None:
        """Wait until a systemd unit is active; stops at once when it has failed."""
        state = "unknown"
        for _ in self._ticks(limit_s):
            shown = self.execute(f"systemctl show --property=ActiveState,SubState {shlex.quote(unit)}").out
            state = dict(line.split("=", 1) for line in shown.split()).get("ActiveState", "unknown")
            if state == "active":
                return
            if state == "failed":
                log = self.execute(f"journalctl --unit={shlex.quote(unit)} --lines=15 --no-pager").out
                raise CheckFailed(f"{self.name}: {unit} failed:\n{log}")
        raise CheckFailed(self._with_serial(f"{self.name}: {unit} is {state} after {limit_s:.0f} s"))

    def wait_for_open_port(self, port: int, address: str = "", limit_s: float = 300) -> None:
        """Wait until something in the guest listens on a TCP port."""
        where = f"dst {address}" if address else ""
        command = f"ss --listening --tcp --numeric --no-header 'sport = :{port}' {where} | grep -q ."
        self.wait_until_succeeds(command, limit_s)

    # Power and cables

    def power(self, reset: str) -> None:
        """Make a Redfish reset: `On`, `ForceOff`, `GracefulShutdown`, `ForceRestart` and so on.

        Raises:
            DriverError: the BMC does not answer or refuses.
        """
        self._since = len(self._console())
        try:
            path = f"{redfish.system_path(self.state_dir, self.name)}/Actions/ComputerSystem.Reset"
            answer = redfish.request(self.state_dir, self.name, "POST", path, {"ResetType": reset})
        except redfish.NoAnswer as error:
            raise DriverError(str(error)) from error
        if answer.status >= 300:
            raise DriverError(f"{self.name}: the BMC refuses {reset}: HTTP {answer.status} {answer.body}")

    def power_state(self) -> str:
        """The power state that the BMC tells: `On` or `Off`."""
        try:
            path = redfish.system_path(self.state_dir, self.name)
            return str(redfish.request(self.state_dir, self.name, "GET", path).body["PowerState"])
        except redfish.NoAnswer as error:
            raise DriverError(str(error)) from error

    def wait_for_power(self, state: str, limit_s: float = 300) -> None:
        """Wait until the BMC tells a power state."""
        for _ in self._ticks(limit_s):
            if self.power_state() == state:
                return
        raise CheckFailed(self._with_serial(f"{self.name} is not {state} after {limit_s:.0f} s"))

    def crash(self) -> None:
        """Take the power away at once, past the BMC, as a broken power supply would."""
        with suppress(libvirt.libvirtError):  # already off
            self._domain().destroy()

    def unplug(self, nic: str) -> None:
        """Pull the cable of a data interface: both of its ends lose their link."""
        self._set_cable(nic, "down")

    def plug(self, nic: str) -> None:
        """Put the cable of a data interface back."""
        self._set_cable(nic, "up")

    def started(self) -> machines.Start | None:
        """How it came up the last time: booted, or from a template's memory."""
        return machines.last_start(self.state_dir, self.name)

    def serial(self, lines: int = _SERIAL_LINES) -> str:
        """The last lines of the serial console."""
        return "\n".join(self._console().splitlines()[-lines:])

    # Inside

    def _console(self) -> str:
        log = Identity(self.state_dir).machine(self.name) / "console.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def _ssh(self) -> list[str | Path]:
        identity = Identity(self.state_dir)
        options = {
            "BatchMode": "yes", "ConnectTimeout": _CONNECT_S, "ControlMaster": "auto", "ControlPersist": 120,
            "ControlPath": self._sockets / "s", "HostKeyAlias": self.name, "HostName": "127.0.0.1",
            "IdentitiesOnly": "yes", "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": identity.known_hosts,
        }  # fmt: skip
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "none", "-p", str(self._ssh_port()), "-l", USER, "-i", identity.ssh_key, *words]

    def _ssh_port(self) -> int:
        found = re.search(r"hostfwd=tcp:127\.0\.0\.1:(\d+)-", self._domain().XMLDesc())
        if not found:
            raise DriverError(f"{self.name} has no ssh port")
        return int(found[1])

    def _domain(self) -> libvirt.virDomain:
        try:
            return session.connect().lookupByName(domain_name(self.state_dir, self.name))
        except libvirt.libvirtError as error:
            raise DriverError(f"{self.name}: {error}") from error

    def _set_cable(self, nic: str, state: str) -> None:
        domain = self._domain()
        end = _interface(domain, f"ua-{nic}")
        if end is None:
            raise DriverError(f"{self.name} has no interface {nic}")
        remote = end.find("source")
        port = None if remote is None else remote.get("port")
        _set_link(domain, end, state)
        for other in machines.machines(self.state_dir):
            peer = session.connect().lookupByName(other.domain)
            for interface in parse(peer.XMLDesc()).iterfind("devices/interface"):
                local = interface.find("source/local")
                if local is not None and local.get("port") == port:
                    _set_link(peer, interface, state)

    def _ticks(self, limit_s: float) -> Iterator[float]:
        """Seconds left, again and again until the limit, at least once."""
        end = time.monotonic() + limit_s
        while True:
            yield end - time.monotonic()
            if time.monotonic() >= end:
                return
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))

    def _with_serial(self, message: str) -> str:
        tail = self.serial()
        return f"{message}\nlast lines of its serial console:\n{tail}" if tail else message


def _interface(domain: libvirt.virDomain, alias: str) -> ET.Element | None:
    for interface in parse(domain.XMLDesc()).iterfind("devices/interface"):
        name = interface.find("alias")
        if name is not None and name.get("name") == alias:
            return interface
    return None


def _set_link(domain: libvirt.virDomain, interface: ET.Element, state: str) -> None:
    """Change a link on the running machine and on its definition, so that a power cycle keeps it."""
    link = interface.find("link")
    if link is None:
        link = ET.SubElement(interface, "link")
    link.set("state", state)
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG | (libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0)
    try:
        domain.updateDeviceFlags(ET.tostring(interface, encoding="unicode"), flags)
    except libvirt.libvirtError as error:
        raise DriverError(f"{domain.name()}: the link stays: {error}") from error
