"""Judge what NVML and the kernel's log say of a machine's accelerators by what is planned for it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

NO_REASON, IDLE = 0x0, 0x1
HW_SLOWDOWN, HW_THERMAL, HW_POWER_BRAKE = 0x8, 0x40, 0x80
"""Reasons for a low clock (docs.nvidia.com/deploy/nvml-api, nvmlClocksEventReasons)."""
FABRIC_NOT_SUPPORTED, FABRIC_COMPLETED = 0, 3
MILLI = 1000


class Outcome(NamedTuple):
    """What a check found.

    Attributes:
        state: `ok`, `unhealthy`, or `unknown` where it could not be told.
        detail: what was seen, or what is wrong.
    """

    state: str
    detail: str


def judged(problems: list[str], seen: str) -> Outcome:
    """Return unhealthy with the problems, or ok with what was seen."""
    return Outcome("unhealthy", "; ".join(problems)) if problems else Outcome("ok", seen)


def check_accelerators(plan: dict[str, Any], seen: dict[str, Any]) -> Outcome:
    """As many accelerators as planned answer, each with its memory."""
    wanted, gpus = plan["count"], seen["gpus"]
    problems = [f"gpu {gpu['index']}: {gpu['lost']}" for gpu in gpus if "lost" in gpu]
    if len(gpus) != wanted:
        problems.insert(0, f"{len(gpus)} of {wanted} are there")
    problems += [
        f"gpu {gpu['index']}: {gpu['memory_mib']} MiB of memory, at least {plan['memory_mib']} are planned"
        for gpu in answering(gpus)
        if gpu["memory_mib"] < plan["memory_mib"]
    ]
    return judged(problems, f"{len(gpus)} of {wanted}")


def check_driver(plan: dict[str, Any], seen: dict[str, Any]) -> Outcome:
    """The driver is at least the platform's."""
    found, least = seen["driver"], plan.get("driver", "")
    if least and numbers(found) < numbers(least):
        return Outcome("unhealthy", f"{found} is older than {least}")
    return Outcome("ok", found)


def check_ecc(plan: dict[str, Any], seen: dict[str, Any]) -> Outcome:
    """No memory error is uncorrected, and no page or row waits for a reset."""
    del plan
    problems = []
    for gpu in answering(seen["gpus"]):
        if gpu["ecc_uncorrected"]:
            problems.append(f"gpu {gpu['index']}: {gpu['ecc_uncorrected']} uncorrected errors")
        if gpu["remap_failed"]:
            problems.append(f"gpu {gpu['index']}: a row could not be remapped")
        elif gpu["remap_pending"] or gpu["pages_pending"]:
            problems.append(f"gpu {gpu['index']}: a page or row waits for a reset")
    corrected = sum(gpu["ecc_corrected"] or 0 for gpu in answering(seen["gpus"]))
    return judged(problems, f"none uncorrected, {corrected} corrected")


def check_nvlink(plan: dict[str, Any], seen: dict[str, Any]) -> Outcome:
    """Every planned NVLink is up, and the accelerators are in the NVLink domain of their rack."""
    wanted, problems, domains = plan["links"], [], set()
    if not wanted:
        return Outcome("ok", "none planned")
    for gpu in answering(seen["gpus"]):
        down = [str(link) for link, up in enumerate(gpu["links"]) if not up]
        if down:
            problems.append(f"gpu {gpu['index']}: link {', '.join(down)} down")
        elif len(gpu["links"]) < wanted:
            problems.append(f"gpu {gpu['index']}: {len(gpu['links'])} of {wanted} links")
        state, status, domain = gpu["fabric"] or (FABRIC_NOT_SUPPORTED, 0, "")
        if plan["domain"] == "rack" and (state != FABRIC_COMPLETED or status):
            problems.append(f"gpu {gpu['index']}: not in its NVLink domain (state {state}, status {status})")
        domains.add(domain if state == FABRIC_COMPLETED else "none")
    if len(domains) > 1:
        problems.append(f"in several NVLink domains: {', '.join(sorted(domains))}")
    return judged(problems, f"{wanted} up at each, domain {''.join(domains)}")


def check_thermal(plan: dict[str, Any], seen: dict[str, Any]) -> Outcome:
    """No accelerator is so hot that it slows itself down."""
    del plan
    problems, warmest = [], 0
    for gpu in answering(seen["gpus"]):
        degrees, limit = gpu["temperature_c"] or 0, gpu["slowdown_c"]
        warmest = max(warmest, degrees)
        if (gpu["reasons"] or 0) & HW_THERMAL or (limit and degrees >= limit):
            problems.append(f"gpu {gpu['index']}: {degrees} °C, it slows itself down")
    return judged(problems, f"at most {warmest} °C")


def check_power(plan: dict[str, Any], seen: dict[str, Any]) -> Outcome:
    """No accelerator may draw more than its share of the rack's power, and none is braked."""
    problems, draws = [], 0
    for gpu in answering(seen["gpus"]):
        limit = (gpu["limit_mw"] or 0) / MILLI
        draws += gpu["power_mw"] or 0
        if limit > plan["power_w"]:
            problems.append(
                f"gpu {gpu['index']}: its limit is {limit:.0f} W, at most {plan['power_w']:.0f} W are planned"
            )
        if (gpu["reasons"] or 0) & HW_POWER_BRAKE:
            problems.append(f"gpu {gpu['index']}: braked by the power supply")
    return judged(problems, f"{draws / MILLI:.0f} W in all")


def check_clocks(plan: dict[str, Any], seen: dict[str, Any]) -> Outcome:
    """No clock is low without a reason."""
    problems = []
    for gpu in answering(seen["gpus"]):
        clock, highest, reasons = gpu["clock_mhz"], gpu["clock_max_mhz"], gpu["reasons"]
        if None in {clock, highest, reasons}:
            continue
        if reasons == NO_REASON and clock < plan["clock_share"] * highest:
            problems.append(f"gpu {gpu['index']}: stuck at {clock} of {highest} MHz without a reason")
    return judged(problems, "none low without a reason")


def check_xid(plan: dict[str, Any], seen: dict[str, Any]) -> Outcome:
    """No XID that calls for a reset was told since this start of the machine without one."""
    serious, open_xids, problems = plan["xids"], seen["xids"], []
    known = places(seen["gpus"], open_xids)
    others = 0
    for pci, codes in open_xids.items():
        for code in dict.fromkeys(codes):
            if str(code) in serious:
                place = f"gpu {known[pci]}" if pci in known else f"PCI {pci}"
                problems.append(f"{place}: XID {code} ({serious[str(code)]})")
            else:
                others += 1
    return judged(problems, f"none that calls for a reset, {others} other")


CHECKS = {
    "accelerators": check_accelerators,
    "driver": check_driver,
    "ecc": check_ecc,
    "nvlink": check_nvlink,
    "thermal": check_thermal,
    "power": check_power,
    "clocks": check_clocks,
}
"""By the word that Slurm's reason begins with; `xid` takes the kernel's log too."""


def places(gpus: list[dict[str, Any]], xids: dict[str, list[int]]) -> dict[str, int]:
    """Return the number of the accelerator at each PCI address that is known or told an XID."""
    found = {gpu["pci"]: gpu["index"] for gpu in answering(gpus)}
    # One that is lost does not tell its address; NVML counts accelerators in the order of their addresses.
    lost = [gpu["index"] for gpu in gpus if "lost" in gpu]
    silent = sorted(xids.keys() - found.keys())
    return found | (dict(zip(silent, lost, strict=True)) if len(lost) == len(silent) else {})


def answering(gpus: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those that are not lost."""
    return [gpu for gpu in gpus if "lost" not in gpu]


def numbers(version: str) -> list[int]:
    """Return a version's numbers, which compare as versions do."""
    return [int(part) for part in re.findall(r"\d+", version)]
