"""A fabric in network namespaces of this machine: FRR's own daemons in each switch, plain kernels in hosts.

Needs root and Debian's frr. About 25 MB for each switch. Everything is named after a prefix, and what has it
is removed at the end. A VRF of a switch is a namespace too, which FRR takes for one (`zebra -n`): not every
kernel has VRF devices, as switches use them.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from infra import process
from infra.errors import UserError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

DAEMONS = Path("/usr/lib/frr")
RUN = Path("/var/run/frr")
FORWARDING = (
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.forwarding=1",
    "net.ipv4.fib_multipath_hash_policy=1",
)
"""Kernel parameters of a switch."""
HINT = "needs root and Debian's frr; `gigasite doctor` says what is missing"


@dataclass(frozen=True, slots=True)
class Cable:
    """A cable between two ports."""

    a: str
    a_port: str
    z: str
    z_port: str


@dataclass(frozen=True, slots=True)
class Vrf:
    """A VRF of a switch, with a VXLAN tunnel into it.

    Attributes:
        name: of the VRF.
        vni: of the tunnel.
        local: address that the tunnel begins at.
        bridge, tunnel: names of its interfaces.
        ports: of the switch, that are in it.
    """

    name: str
    vni: int
    local: str
    bridge: str
    tunnel: str
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A switch or a host.

    Attributes:
        name: as the plan has it.
        frr: its frr.conf; None for a host.
        addresses: interface and address with prefix length.
        routes: destination, gateway, and the source address of what the host says itself.
        filter: its nftables.conf; None to let everything in.
        rails: source address, number of a routing table, gateway and destinations of its further cables.
        vrfs: of a switch.
    """

    name: str
    frr: str | None = None
    addresses: tuple[tuple[str, str], ...] = ()
    routes: tuple[tuple[str, str, str], ...] = ()
    filter: str | None = None
    rails: tuple[tuple[str, int, str, tuple[str, ...]], ...] = ()
    vrfs: tuple[Vrf, ...] = ()


@dataclass
class Fabric:
    """A running fabric; nodes are called by their names in the plan."""

    prefix: str
    folder: Path
    nodes: dict[str, Node]
    cables: tuple[Cable, ...]
    processes: dict[str, list[int]] = field(default_factory=dict)

    def space(self, node: str) -> str:
        """Name of a node's namespace."""
        return f"{self.prefix}-{node}"

    def vrf_space(self, node: str, vrf: Vrf) -> Path:
        """Path of the namespace that is a switch's VRF; zebra names VRFs by such files."""
        return RUN / self.space(node) / "netns" / vrf.name

    def run(
        self, node: str, *words: str | Path, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in a node."""
        command = ["ip", "netns", "exec", self.space(node), *words]
        return process.run(command, check=check, timeout=60, hint=HINT, stdin=stdin)

    def shell(self, node: str, text: str) -> str:
        """Output of a shell command in a node."""
        return self.run(node, "sh", "-c", text).stdout

    def vtysh(self, node: str, command: str) -> str:
        """Answer of a switch's routing daemons to one command."""
        return self.run(node, "vtysh", "--vty_socket", RUN / self.space(node), "-c", command).stdout

    def link(self, node: str, port: str, state: str) -> None:
        """Set a port `up` or `down`; a port that is down takes its cable's other end down too."""
        self.run(node, "ip", "link", "set", port, state)

    def stop_daemons(self, node: str) -> None:
        """Kill a switch's routing daemons, as a crash would."""
        for number in self.processes.pop(node, []):
            _signal(number, signal.SIGKILL)

    def start_daemons(self, node: str) -> None:
        """Start them again with the configuration that the switch has."""
        _start(self, self.nodes[node])

    def configure(self, node: str) -> None:
        """Give a switch's running daemons the configuration that the switch has."""
        file = self.folder / f"{node}.conf"
        file.write_text(self.nodes[node].frr or "", encoding="utf-8")
        self.run(node, "vtysh", "--vty_socket", RUN / self.space(node), "-f", file)

    def freeze(self, node: str) -> None:
        """Stop a switch's daemons without their noticing: sessions stay open and say nothing."""
        for number in self.processes[node]:
            _signal(number, signal.SIGSTOP)

    def thaw(self, node: str) -> None:
        """Let them go on."""
        for number in self.processes[node]:
            _signal(number, signal.SIGCONT)


def _signal(number: int, kind: signal.Signals) -> None:
    try:
        os.kill(number, kind)
    except ProcessLookupError:
        return


@contextmanager
def running(prefix: str, folder: Path, nodes: Sequence[Node], cables: Sequence[Cable]) -> Iterator[Fabric]:
    """Run a fabric while the block lasts.

    Args:
        prefix: of all its namespaces, at most 8 letters.
        folder: for configuration files.
        nodes: switches and hosts.
        cables: those with both ends among the nodes.

    Raises:
        UserError: not root, or a daemon refuses its configuration.
    """
    if os.geteuid() != 0 or not (DAEMONS / "bgpd").is_file():
        raise UserError("a fabric in network namespaces cannot run here", hint=HINT)
    fabric = Fabric(prefix, folder, {node.name: node for node in nodes}, tuple(cables))
    try:
        _build(fabric)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda node: _start(fabric, node), nodes))
        yield fabric
    finally:
        for name in list(fabric.processes):
            fabric.stop_daemons(name)
        known = process.run(["ip", "netns", "list"], check=False).stdout.split()
        for node in nodes:
            for vrf in node.vrfs:
                process.run(["umount", fabric.vrf_space(node.name, vrf)], check=False)
            if fabric.space(node.name) in known:
                process.run(["ip", "netns", "del", fabric.space(node.name)], check=False)
            shutil.rmtree(RUN / fabric.space(node.name), ignore_errors=True)


def _build(fabric: Fabric) -> None:
    """Namespaces and cables, in a few calls of ip for all of them."""
    spaces = [f"netns add {fabric.space(name)}" for name in fabric.nodes]
    links = [
        f"link add {cable.a_port} netns {fabric.space(cable.a)} type veth"
        f" peer name {cable.z_port} netns {fabric.space(cable.z)}"
        for cable in fabric.cables
    ]
    process.run(["ip", "-batch", "-"], stdin="\n".join([*spaces, *links]) + "\n", timeout=120, hint=HINT)
    for name, node in fabric.nodes.items():
        for vrf in node.vrfs:
            _build_vrf(fabric, node, vrf)
        inner = {port for vrf in node.vrfs for port in vrf.ports}
        ports = [c.a_port for c in fabric.cables if c.a == name]
        ports += [c.z_port for c in fabric.cables if c.z == name]
        lines = [f"link set {port} up" for port in ("lo", *ports) if port not in inner]
        lines += [f"addr add {address} dev {port}" for port, address in node.addresses if port not in inner]
        lines += [f"route add {net} via {gateway} src {source}" for net, gateway, source in node.routes]
        for source, table, gateway, destinations in node.rails:
            lines.append(f"rule add from {source} table {table}")
            lines += [f"route add {net} via {gateway} table {table}" for net in destinations]
        process.run(
            ["ip", "-n", fabric.space(name), "-batch", "-"],
            stdin="\n".join(lines) + "\n",
            timeout=60,
            hint=HINT,
        )


def _build_vrf(fabric: Fabric, node: Node, vrf: Vrf) -> None:
    """Make a VRF of a switch with its bridge and tunnel, and put the ports of its hosts into it."""
    space = fabric.vrf_space(node.name, vrf)
    space.parent.mkdir(parents=True, exist_ok=True)
    space.touch()
    process.run(["unshare", f"--net={space}", "true"], hint=HINT)
    # A tunnel that is moved keeps its way out where it was made: in the default VRF.
    tunnel = f"type vxlan id {vrf.vni} local {vrf.local} dstport 4789 nolearning"
    moved = [f"link set {port} netns {space}" for port in (*vrf.ports, vrf.tunnel)]
    outer = [f"link add {vrf.tunnel} {tunnel}", *moved]
    inner = [f"link add name {vrf.bridge} type bridge", f"link set {vrf.tunnel} master {vrf.bridge}"]
    inner += [f"addr add {address} dev {port}" for port, address in node.addresses if port in vrf.ports]
    inner += [f"link set {link} up" for link in ("lo", *vrf.ports, vrf.bridge, vrf.tunnel)]
    inside = ["nsenter", f"--net={space}"]
    for words, lines in (
        (["ip", "-n", fabric.space(node.name)], outer),
        ([*inside, "ip"], inner),
    ):
        process.run([*words, "-batch", "-"], stdin="\n".join(lines) + "\n", timeout=60, hint=HINT)
    process.run([*inside, "sysctl", "-q", "-w", *FORWARDING], hint=HINT)


def _start(fabric: Fabric, node: Node) -> None:
    if node.filter is not None:
        fabric.run(node.name, "nft", "-f", "-", stdin=node.filter)
    if node.frr is None:
        return
    fabric.run(node.name, "sysctl", "-q", "-w", *FORWARDING)
    space = fabric.space(node.name)
    place = RUN / space
    place.mkdir(parents=True, exist_ok=True)
    shutil.chown(place, "frr", "frr")
    numbers = []
    for daemon in ("zebra", "staticd", "bfdd", "bgpd"):
        pid = place / f"{daemon}.pid"
        # -N would look below /etc/frr too; each path is said instead.
        words: list[str | Path] = [
            DAEMONS / daemon, "-d", "-i", pid, "-z", place / "zserv.api", "--vty_socket", place,
            "-f", "/dev/null", "-A", "127.0.0.1", "--log", "syslog",
        ]  # fmt: skip
        if daemon == "bfdd":
            words += ["--bfdctl", place / "bfdd.sock"]
        if node.vrfs:
            # Each namespace that zebra sees is a VRF to it: it must see this switch's alone.
            words = ["sh", "-c", 'mount --rbind "$0" /run/netns && exec "$@"', place / "netns", *words]
            words += ["-n"] if daemon == "zebra" else []
        fabric.run(node.name, *words)
        numbers.append(_number(pid))
    fabric.processes[node.name] = numbers
    fabric.configure(node.name)


def _number(pid: Path, limit: float = 20.0) -> int:
    deadline = time.monotonic() + limit
    while True:
        text = pid.read_text(encoding="ascii").strip() if pid.is_file() else ""
        if text:
            return int(text)
        if time.monotonic() > deadline:
            raise UserError(f"{pid.stem} did not start", where=str(pid), hint=HINT)
        time.sleep(0.05)
