"""Steps of one bare-metal node: described, stopped, started, rebooted, power-cycled, made anew."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.acceptance import logs
from infra.errors import UserError
from infra.lab.image import SUITE
from infra.process import run
from infra.provider.drivers import Power

if TYPE_CHECKING:
    from infra.acceptance.node import Node
    from infra.acceptance.site_nodes import SiteNodes

STATES = {Power.ON: "running", Power.OFF: "stopped"}
REPLACE_S = 1500.0
FRESH_MIN = 5
"""A status log whose last entry is older than this, in minutes, is not one (the suite's own limit)."""
CONSOLE_CHARS = 500
LOGS = {
    "journalctl_recent": logs.READ,
    "dmesg_recent": f"{logs.READ} --dmesg",
}


def describe(site: SiteNodes) -> dict[str, Any]:
    """Return who the node is and whether its management controller says that it runs."""
    node = site.node
    facts = node.facts()
    return {
        "instance_id": node.name,
        "state": STATES[facts.power_state],
        "instance_type": node.machine.platform,
        "public_ip": node.machine.management_address,
        "private_ip": node.machine.loopback or "",
        "key_file": str(paths.state(site.site) / "ssh" / "id_ed25519"),
        "vpc_id": site.site,
    }


def list_nodes(site: SiteNodes) -> dict[str, Any]:
    """Return all trays of the site that a controller answers for."""
    found = [
        {"instance_id": one.name, "state": STATES[one.facts().power_state], "vpc_id": site.site}
        for one in site.trays
    ]
    return {"instances": found, "count": len(found), "found_target": True, "target_instance": site.node.name}


def stop(site: SiteNodes) -> dict[str, Any]:
    """Shut the node down and wait until its controller says that it is off."""
    node = site.node
    facts = node.set_power(Power.OFF)
    return {"instance_id": node.name, "stop_initiated": True, "state": STATES[facts.power_state]}


def start(site: SiteNodes) -> dict[str, Any]:
    """Switch the node on and wait until it lets us in."""
    node = site.node
    facts = node.set_power(Power.ON)
    node.wait_for_ssh()
    return {
        **describe(site),
        "start_initiated": True,
        "state": STATES[facts.power_state],
        "ssh_ready": True,
    }


def reboot(site: SiteNodes) -> dict[str, Any]:
    """Restart the node's operating system and wait until another start of it lets us in."""
    node = site.node
    before = node.boot_id()
    # The answer can be lost with the machine: what counts is that it comes back from another start.
    node.ask("nohup sh -c 'sleep 1; systemctl reboot' >/dev/null 2>&1 &")
    node.wait_for_ssh(since=before)
    return {
        **describe(site),
        "reboot_initiated": True,
        "ssh_ready": True,
        "uptime_seconds": node.uptime(),
        "reboot_confirmed": node.boot_id() != before,
    }


def power_cycle(site: SiteNodes) -> dict[str, Any]:
    """Cut the node's power without asking its operating system, give it back, wait until it lets us in."""
    node = site.node
    before = node.boot_id()
    off = node.set_power(Power.OFF, graceful=False)
    begin = time.monotonic()
    node.set_power(Power.ON)
    node.wait_for_ssh(since=before)
    return {
        **describe(site),
        "power_cycle_initiated": True,
        "power_was_off": off.power_state is Power.OFF,
        "ssh_ready": True,
        "recovery_seconds": round(time.monotonic() - begin),
    }


def reinstall(site: SiteNodes) -> dict[str, Any]:
    """Make the node's disk anew by `gigasite replace` and wait until it is as declared."""
    node = site.node
    if node.machine.stand_in is None:
        raise UserError("only stand-ins are made anew so", where=node.name)
    before = node.boot_id()
    run([paths.ROOT / "gigasite", "replace", node.name, "--yes"], timeout=REPLACE_S)
    return {**describe(site), "ssh_ready": True, "reinstalled": node.boot_id() != before}


def status_log(site: SiteNodes) -> dict[str, Any]:
    """Return how many entries of the node's logs are fresh, and when the last one was written."""
    node, found = site.node, {}
    node.ask(logs.MARK)
    for name, command in LOGS.items():
        lines = node.ask(f"{command} --since=-{FRESH_MIN}min").splitlines()
        latest = lines[-1].split()[0] if lines else ""
        found[name] = {
            "passed": bool(lines),
            "message": f"{len(lines)} entries in the last {FRESH_MIN} min",
            "entry_count": len(lines),
            "latest_timestamp": latest,
        }
    return {"test_name": "host_status_log", "tests": found}


def serial_console(site: SiteNodes) -> dict[str, Any]:
    """Return the end of the node's serial console; how long it is kept is told as it is: not for a month."""
    node = site.node
    log = paths.state(site.site) / "machines" / node.name / "console.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    age = (time.time() - log.stat().st_mtime) / 86400 if text else 0
    return {
        "instance_id": node.name,
        "console_available": bool(text),
        "serial_access_enabled": False,
        "output_length": len(text),
        "output_snippet": text[-CONSOLE_CHARS:],
        "console_log_queryable": bool(text),
        "retention_days_required": 30,
        "retention_days_configured": 0,
        "oldest_queryable_log_age_days": round(age, 1),
        "query_result_count": 1 if text else 0,
        "retention_evidence": "the file of this start of the lab",
    }


def image(site: SiteNodes) -> dict[str, Any]:
    """Return the image that the node runs, as it is written inside it.

    Raises:
        UserError: it is another release than images are built of.
    """
    node = site.node
    inside = dict(line.split("=", 1) for line in node.ask("cat /etc/os-release").splitlines() if "=" in line)
    release = shlex.split(inside["VERSION_CODENAME"])[0]
    if node.machine.stand_in is not None and release != SUITE:
        raise UserError(f"runs Debian {release}, not {SUITE}", where=node.name)
    state = describe(site)["state"]
    return {
        "instance_id": node.name,
        "image_id": release,
        "image_name": shlex.split(inside["PRETTY_NAME"])[0],
        "instance_state": state,
        "state": state,
    }


def release(site: SiteNodes) -> dict[str, Any]:
    """Leave the node as it is: it is the site's, not the run's."""
    node: Node = site.node
    return {"instance_id": node.name, "resources_deleted": [], "message": "the node stays with its site"}
