"""Judge the rest of a node by what is planned for it: links, mounts, clock, disk and memory."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from accelerators import Outcome, judged

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_S = 10
"""How long a mount or a daemon may take to answer; a mount whose server is away would take for ever."""


def check_links(plan: dict[str, Any], root: Path) -> Outcome:
    """Every planned data interface is up, with its MTU and its speed."""
    problems = []
    for link in plan["links"]:
        name, folder = link["name"], root / "sys/class/net" / link["name"]
        if not folder.is_dir():
            problems.append(f"{name} is not there")
            continue
        if _text(folder / "carrier") != "1":  # not readable while it is down
            problems.append(f"{name} has no carrier")
            continue
        mtu, speed = _number(folder / "mtu"), _number(folder / "speed")
        if mtu != link["mtu"]:
            problems.append(f"{name}: MTU {mtu}, planned {link['mtu']}")
        if speed is not None and 0 < speed < link.get("mbit", 0):
            problems.append(f"{name}: {speed} Mbit/s, planned {link['mbit']}")
    return judged(problems, f"{len(plan['links'])} up")


def check_mounts(plan: dict[str, Any], root: Path) -> Outcome:
    """Every planned folder is mounted from its server, which answers."""
    mounted = {}
    for line in (_text(root / "proc/mounts") or "").splitlines():
        source, target = line.split()[:2]
        mounted[target.encode().decode("unicode_escape")] = source
    problems = []
    for mount in plan["mounts"]:
        source = mounted.get(mount["path"])
        if source != mount["source"]:
            problems.append(f"{mount['path']} is {f'from {source}' if source else 'not mounted'}")
        elif not _answers(root / mount["path"].lstrip("/")):
            problems.append(f"{mount['path']}: {mount['source']} gives no answer within {ANSWER_S} s")
    return judged(problems, f"{len(plan['mounts'])} answer")


def check_time(plan: dict[str, Any], root: Path) -> Outcome:
    """The clock is near its server's, as chrony sees it."""
    del root
    try:
        done = subprocess.run(
            ["chronyc", "-c", "-n", "tracking"], capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Outcome("unknown", f"chronyc: {error}")
    fields = done.stdout.strip().split(",")
    if done.returncode or len(fields) < 14:
        return Outcome("unknown", (done.stdout or done.stderr).strip()[:100] or "chronyc says nothing")
    if fields[13] == "Not synchronised":
        return Outcome("unknown", "not synchronised yet")
    offset = abs(float(fields[4]))
    problems = [f"{offset:.3f} s off, at most {plan['time_s']:g} s"] if offset > plan["time_s"] else []
    return judged(problems, f"{offset * 1e6:.0f} µs off {fields[1]}")


def check_disk(plan: dict[str, Any], root: Path) -> Outcome:
    """The system's file system takes writes and has room."""
    state = os.statvfs(root)
    free, inodes = state.f_bavail / state.f_blocks, state.f_favail / state.f_files if state.f_files else 1.0
    problems = []
    if state.f_flag & os.ST_RDONLY:
        problems.append("/ is read-only")
    if min(free, inodes) < plan["disk_free"]:
        what = "space" if free <= inodes else "inodes"
        problems.append(f"/ has {min(free, inodes):.1%} of its {what} free, at least {plan['disk_free']:.0%}")
    return judged(problems, f"{free:.0%} free")


def check_memory(plan: dict[str, Any], root: Path) -> Outcome:
    """The planned memory is there and none of it is bad."""
    found = dict(line.split(":") for line in (_text(root / "proc/meminfo") or "").splitlines() if ":" in line)
    if "MemTotal" not in found:
        return Outcome("unknown", "/proc/meminfo does not say")
    there, bad = (int(found.get(key, "0").split()[0]) >> 10 for key in ("MemTotal", "HardwareCorrupted"))
    problems = []
    if there < plan["memory_mib"]:
        problems.append(f"{there} MiB, at least {plan['memory_mib']} are planned")
    if int(found.get("HardwareCorrupted", "0").split()[0]):
        problems.append(f"{bad or 'less than 1'} MiB set aside as bad")
    errors = sum(_number(path) or 0 for path in sorted(root.glob("sys/devices/system/edac/mc/mc*/ue_count")))
    if errors:
        problems.append(f"{errors} uncorrected errors")
    return judged(problems, f"{there} MiB")


CHECKS = {
    "links": check_links,
    "mounts": check_mounts,
    "time": check_time,
    "disk": check_disk,
    "memory": check_memory,
}
"""By the word that Slurm's reason begins with."""


def _answers(path: Path) -> bool:
    """Whether a file system says something of itself; asked by a process that can be left behind."""
    asked = subprocess.Popen(["stat", "-f", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return asked.wait(ANSWER_S) == 0
    except subprocess.TimeoutExpired:
        asked.kill()  # and not waited for: it may hang in the kernel
        return False


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None
