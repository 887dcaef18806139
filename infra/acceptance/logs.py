"""Steps of logs: hosts and switches, each read where it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.acceptance.node import Node
from infra.errors import UserError
from infra.plan import Role

if TYPE_CHECKING:
    from infra.acceptance.site_nodes import SiteNodes

READ = "journalctl --no-pager --quiet --output=short-iso"
MARK = "logger --tag gigasite-acceptance asked for the log"
FRESH_MIN = 10
MOST = 500


@dataclass(frozen=True, slots=True)
class Log:
    """A log that the suite asks for.

    Attributes:
        source: what is read.
        command: prints it, one line an entry that begins with its time.
        count: the suite's name of the number of machines.
        tests: the suite's names of what it asks: the log answers, is there, has entries.
        mark: whether an entry is written first, so that a machine that is silent has a fresh one.
    """

    source: str
    command: str
    count: str
    tests: tuple[str, str, str]
    mark: bool = False


HOST = Log(
    "journald", f"{READ} --since=-{FRESH_MIN}min", "hosts_checked",
    ("syslog_endpoint_reachable", "host_log_source_present", "entries_recent"), mark=True,
)  # fmt: skip
SWITCH = Log(
    "journald, unit frr", f"{READ} --unit=frr --lines={MOST}", "switches_checked",
    ("log_endpoint_reachable", "switch_log_source_present", "entries_queryable"),
)  # fmt: skip
SWITCH_SYSLOG = Log(
    "journald", f"{READ} --since=-{FRESH_MIN}min", "switches_checked",
    ("syslog_endpoint_reachable", "switch_syslog_source_present", "entries_recent"), mark=True,
)  # fmt: skip
SWITCH_KERNEL = Log(
    "journald, kernel", f"{READ} --dmesg --lines={MOST}", "switches_checked",
    ("log_endpoint_reachable", "kernel_log_source_present", "entries_queryable"),
)  # fmt: skip


def read_hosts(site: SiteNodes) -> dict[str, Any]:
    """Read the system log of every tray."""
    return _read(site.trays, HOST)


def read_switches(site: SiteNodes) -> dict[str, Any]:
    """Read the log of every switch's routing daemons."""
    return _read(_switches(site), SWITCH)


def read_switch_syslogs(site: SiteNodes) -> dict[str, Any]:
    """Read the system log of every switch."""
    return _read(_switches(site), SWITCH_SYSLOG)


def read_switch_kernels(site: SiteNodes) -> dict[str, Any]:
    """Read the kernel's log of every switch."""
    return _read(_switches(site), SWITCH_KERNEL)


def _switches(site: SiteNodes) -> tuple[Node, ...]:
    found = tuple(Node(one) for one in site.machines if one.role is Role.SWITCH)
    if not found:
        raise UserError("has no switch that is a machine", where=site.site)
    return found


def _read(nodes: tuple[Node, ...], log: Log) -> dict[str, Any]:
    """Ask every machine; each must have an entry."""
    entries = {}
    for node in nodes:
        if log.mark:
            node.ask(MARK)
        entries[node.name] = node.ask(log.command).splitlines()
    silent = [name for name, lines in entries.items() if not lines]
    latest = max((lines[-1].split()[0] for lines in entries.values() if lines), default="")
    probes = {
        log.count: len(nodes),
        "log_source": log.source,
        "entry_count": sum(map(len, entries.values())),
        "latest_timestamp": latest,
    }
    said = f"no entry on {', '.join(silent)}" if silent else ""
    return {"tests": {name: {"passed": not silent, "error": said, "probes": probes} for name in log.tests}}
