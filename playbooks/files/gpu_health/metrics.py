"""Write what was seen as metrics, for the textfile collector of Prometheus' node exporter.

Names and units are those of NVIDIA's DCGM exporter where it has the same, so that its dashboards and rules
hold for both; the rest begins with gpu_health_.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accelerators import places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from accelerators import Outcome

STATES = {"ok": 0, "unhealthy": 1, "unknown": 2}
GAUGES = {
    "DCGM_FI_DEV_GPU_TEMP": ("temperature_c", 1.0, "Temperature in degrees Celsius."),
    "DCGM_FI_DEV_SLOWDOWN_TEMP": ("slowdown_c", 1.0, "Temperature from which it slows itself down."),
    "DCGM_FI_DEV_POWER_USAGE": ("power_mw", 1e-3, "Power draw in watts."),
    "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": ("limit_mw", 1e-3, "Power limit in watts."),
    "DCGM_FI_DEV_SM_CLOCK": ("clock_mhz", 1.0, "Clock of the processors in MHz."),
    "DCGM_FI_DEV_MAX_SM_CLOCK": ("clock_max_mhz", 1.0, "Highest clock of the processors in MHz."),
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": ("reasons", 1.0, "Reasons for a low clock, as bits."),
    "DCGM_FI_DEV_GPU_UTIL": ("busy_percent", 1.0, "Share of time in which it worked, in percent."),
    "DCGM_FI_DEV_FB_TOTAL": ("memory_mib", 1.0, "Memory in MiB."),
    "DCGM_FI_DEV_FB_USED": ("memory_used_mib", 1.0, "Memory in use, in MiB."),
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": (
        "ecc_uncorrected",
        1.0,
        "Uncorrected memory errors since the last reset.",
    ),
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": ("ecc_corrected", 1.0, "Corrected memory errors since the last reset."),
}
"""Metric → key of what was read, factor, help."""


def write_metrics(
    path: Path, plan: dict[str, Any], outcomes: dict[str, Outcome], seen: dict[str, Any]
) -> None:
    """Replace the file by what is planned and was seen; a reader sees the old or the new one whole."""
    fresh = path.with_suffix(".new")
    lines = (*_planned(plan), *_lines(outcomes, seen["gpus"], seen["xids"]))
    fresh.write_text("".join(f"{line}\n" for line in lines))
    fresh.replace(path)


def _planned(plan: dict[str, Any]) -> Iterator[str]:
    node = plan.get("host", {})
    if "power_w" not in node:
        return
    yield from _head("gigasite_planned_power_watts", "Watts that the node is planned with.")
    yield f"gigasite_planned_power_watts {node['power_w']:g}"
    yield from _head("gigasite_planned_heat_watts", "Where the plan puts the node's heat, in watts.")
    for into, watts in (("liquid", node["liquid_w"]), ("air", node["power_w"] - node["liquid_w"])):
        yield f'gigasite_planned_heat_watts{{into="{into}"}} {watts:g}'
    yield from _head("gigasite_planned_accelerators", "Accelerators that the node is planned with.")
    yield f"gigasite_planned_accelerators {plan.get('accelerators', {}).get('count', 0)}"


def _lines(
    outcomes: dict[str, Outcome], gpus: list[dict[str, Any]], xids: dict[str, list[int]]
) -> Iterator[str]:
    yield from _head("gpu_health_check", "Outcome of a check: 0 ok, 1 unhealthy, 2 cannot tell.")
    for name, outcome in outcomes.items():
        yield f'gpu_health_check{{check="{name}"}} {STATES[outcome.state]}'
    yield from _head("gpu_health_accelerator_lost", "1 for an accelerator that does not answer.")
    for gpu in gpus:
        yield f'gpu_health_accelerator_lost{{gpu="{gpu["index"]}"}} {int("lost" in gpu)}'
    here = [gpu for gpu in gpus if "lost" not in gpu]
    yield from _head(
        "gpu_health_accelerators_healthy", "Accelerators that answer, of a node without a finding."
    )
    sound = all(outcome.state == "ok" for outcome in outcomes.values())
    yield f"gpu_health_accelerators_healthy {len(here) if sound else 0}"
    for metric, (key, factor, text) in GAUGES.items():
        yield from _head(metric, text)
        for gpu in here:
            if gpu[key] is not None:
                yield f'{metric}{{gpu="{gpu["index"]}",UUID="{gpu["uuid"]}"}} {gpu[key] * factor:g}'
    yield from _head("gpu_health_nvlink_up", "1 for an NVLink that is up.")
    for gpu in here:
        for link, up in enumerate(gpu["links"]):
            yield f'gpu_health_nvlink_up{{gpu="{gpu["index"]}",link="{link}"}} {up}'
    yield from _head("gpu_health_xid_count", "XIDs since the last start or reset, by accelerator and number.")
    known = places(gpus, xids)
    for pci, codes in sorted(xids.items()):
        for code in sorted(set(codes)):
            gpu = known.get(pci, "")
            yield f'gpu_health_xid_count{{gpu="{gpu}",pci="{pci}",xid="{code}"}} {codes.count(code)}'


def _head(name: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} gauge"
