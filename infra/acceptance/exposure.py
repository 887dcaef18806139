"""Steps of what must not be reachable: controllers from nodes, anything from outside, old protocols."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]

from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.acceptance.site_nodes import SiteNodes

ANSWER_S = 3.0
PLAIN_PORT = 80
IPMI_PORT = 623
SSH_PORT = 22
HOST_OF_VM = "10.0.2.2"
"""Where QEMU's user network has the computer that runs the machine, unless it is told to restrict it."""
OLD = {"sslv3_disabled": (3, 0), "tlsv1_0_disabled": (3, 1), "tlsv1_1_disabled": (3, 2)}
"""Version bytes of the protocols that must be refused (RFC 6101, 2246 and 4346: ProtocolVersion)."""
SUITES = bytes.fromhex("c009c00ac013c014002f00350005000a")
"""Cipher suites that servers of those versions know: ECDHE and RSA with AES-CBC, RC4, 3DES."""
PING_RMCP = bytes.fromhex("0600ff06000011be80000000")
"""RMCP presence ping (ASF 2.0, section 3.2.4.2): any IPMI controller answers it."""
HANDSHAKE, SERVER_HELLO = 22, 2


def insecure_protocols(site: SiteNodes) -> dict[str, Any]:
    """Offer each controller SSL 3, TLS 1.0 and 1.1, and plain HTTP: none may be taken."""
    ends = controllers(site)
    tests = {
        name: _outcome((f"{host}:{port}" for host, port in ends if accepts(host, port, version)), "takes it")
        for name, version in OLD.items()
    }
    plain = {f"{host}:{PLAIN_PORT}" for host, _ in ends if _connects(host, PLAIN_PORT)}
    plain |= {f"{host}:{port}" for host, port in ends if _speaks_http(host, port)}
    tests["plain_http_disabled"] = _outcome(plain, "speaks HTTP")
    return {"endpoints_tested": len(ends), "tests": tests}


def controllers_from_node(site: SiteNodes) -> dict[str, Any]:
    """Try to reach each controller from a tray, and the tray's own address from where controllers are."""
    node, ends = site.node, controllers(site)
    seen_as = {HOST_OF_VM} if node.machine.stand_in else set()
    hosts = {host for host, _ in ends if not (seen_as and host.startswith("127."))} | seen_as
    ports = sorted({port for _, port in ends})
    open_ports = _open_from(site, hosts, ports)
    pings = {host for host in hosts if _answers_ipmi(site, host)}
    # By what it says, not by the connection: a network between may take that in its place.
    own = [node.machine.loopback] if node.machine.loopback else []
    back = {address for address in own if _exchange(address, SSH_PORT, b"").startswith(b"SSH-")}
    return {
        "bmc_endpoints_tested": len(ends),
        "tests": {
            "probe_bmc_from_tenant": _outcome(
                _open_from(site, hosts, [SSH_PORT, 443]), f"{node.name} reaches it"
            ),
            "probe_ipmi_port": _outcome(pings, f"answers {node.name} by IPMI"),
            "probe_redfish_port": _outcome(open_ports, f"{node.name} reaches it"),
            "reverse_path_check": _outcome(back, "is reached from the controllers' network"),
        },
    }


def from_outside(site: SiteNodes) -> dict[str, Any]:
    """Try every door of the site's machines from the addresses that this computer shows to others.

    Raises:
        UserError: the machines are hardware, and nobody outside their network is at hand; or this computer
            has no address that others see.
    """
    if site.node.machine.stand_in is None:
        raise UserError("is proved on stand-ins alone: nobody outside the site's network is at hand")
    outside = sorted(_own_addresses())
    if not outside:
        raise UserError("this computer has no address but loopback to be tried from")
    bmcs = controllers(site)
    doors = [(one.management_address, one.stand_in.ssh_port) for one in site.machines if one.stand_in]
    inside = [*bmcs, *doors]
    names = [f"{one.name}.{site.plan.site.services.domain}" for one in site.machines]
    public = [host for host, _ in inside if not ipaddress.ip_address(host).is_private]
    return {
        "endpoints_tested": len(inside),
        "tests": {
            "probe_api_from_public": _outcome(_open_at(outside, bmcs), "is open to others"),
            "probe_mgmt_from_public": _outcome(_open_at(outside, doors), "is open to others"),
            "verify_private_only": _outcome(public, "is no private address"),
            "dns_not_public": _outcome((name for name in names if _resolves(name)), "is known outside"),
        },
    }


def controllers(site: SiteNodes) -> list[tuple[str, int]]:
    """Return address and port of every management controller of the site."""
    return [(one.bmc.address, one.bmc.port) for one in site.machines if one.bmc.address]


def accepts(host: str, port: int, version: tuple[int, int]) -> bool:
    """Offer nothing but one version of TLS or SSL; whether the server goes on with it.

    Args:
        host: address.
        port: TCP port.
        version: the two bytes of its number.
    """
    number = bytes(version)
    body = number + bytes(32) + b"\0" + len(SUITES).to_bytes(2) + SUITES + b"\1\0"
    hello = b"\1" + len(body).to_bytes(3) + body
    record = bytes([HANDSHAKE]) + number + len(hello).to_bytes(2) + hello
    answer = _exchange(host, port, record)
    return (
        len(answer) > 10 and answer[0] == HANDSHAKE and answer[5] == SERVER_HELLO and answer[9:11] == number
    )


def _speaks_http(host: str, port: int) -> bool:
    answer = _exchange(host, port, f"GET /redfish/v1/ HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    return answer.startswith(b"HTTP/1") and b" 200 " in answer.splitlines()[0]


def _exchange(host: str, port: int, words: bytes) -> bytes:
    """Return what a server answers at first; nothing if it closes, resets or stays silent."""
    try:
        with socket.create_connection((host, port), ANSWER_S) as line:
            line.sendall(words)
            return line.recv(4096)
    except OSError:
        return b""


def _connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), ANSWER_S).close()
    except OSError:
        return False
    return True


def _open_from(site: SiteNodes, hosts: Iterable[str], ports: Iterable[int]) -> list[str]:
    """Ports that a tray can connect to, all tried at once by the shell on it."""
    ends = [f"{host}/{port}" for host in sorted(hosts) for port in ports]
    tries = "\n".join(
        f"(timeout {ANSWER_S:.0f} bash -c 'exec 3<>/dev/tcp/{end}' 2>/dev/null && echo {end}) &"
        for end in ends
    )
    return site.node.ask(f"{tries}\nwait").split()


def _answers_ipmi(site: SiteNodes, host: str) -> bool:
    program = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        f"s.settimeout({ANSWER_S}); s.connect(('{host}', {IPMI_PORT})); "
        f"s.send(bytes.fromhex('{PING_RMCP.hex()}')); print(len(s.recv(512)))"
    )
    return bool(site.node.ask(f'python3 -c "{program}" 2>/dev/null || true').strip())


def _own_addresses() -> set[str]:
    """Return this computer's IPv4 addresses that are not loopback."""
    return {
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family is socket.AF_INET and not ipaddress.ip_address(entry.address).is_loopback
    }


def _open_at(hosts: Iterable[str], ends: Iterable[tuple[str, int]]) -> list[str]:
    ports = sorted({port for _, port in ends})
    return [f"{host}:{port}" for host in hosts for port in ports if _connects(host, port)]


def _resolves(name: str) -> bool:
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return False
    return True


def _outcome(found: Iterable[str], what: str) -> dict[str, Any]:
    """A test of the suite: passed if nothing was found, else failed with what was."""
    wrong = sorted(found)
    return {"passed": not wrong, "error": "; ".join(f"{one} {what}" for one in wrong[:5])}
