"""What nvidia-ml-py reads of a machine's accelerators, as JSON; LD_LIBRARY_PATH names the library's folder.

Usage: nvml_reader.py facts | events MILLISECONDS | power-limit INDEX MILLIWATTS
It knows nothing of stand-ins: any libnvidia-ml.so.1 will do.
"""

from __future__ import annotations

import json
import os
import sys

import pynvml as nv


def attempt(function, *words):
    """What a function answers, or the name of its error."""
    try:
        found = function(*words)
    except nv.NVMLError as error:
        return f"error {error.value}"
    return found


def facts():
    found = []
    for index in range(nv.nvmlDeviceGetCount()):
        device = attempt(nv.nvmlDeviceGetHandleByIndex, index)
        if isinstance(device, str):
            found.append({"index": index, "error": device})
            continue
        memory = nv.nvmlDeviceGetMemoryInfo(device)
        links = []
        for link in range(nv.NVML_NVLINK_MAX_LINKS):
            state = attempt(nv.nvmlDeviceGetNvLinkState, device, link)
            if isinstance(state, str):
                break
            links.append(state)
        limits = nv.nvmlDeviceGetPowerManagementLimitConstraints(device)
        found.append(
            {
                "index": nv.nvmlDeviceGetIndex(device),
                "minor": nv.nvmlDeviceGetMinorNumber(device),
                "name": nv.nvmlDeviceGetName(device),
                "uuid": nv.nvmlDeviceGetUUID(device),
                "pci": nv.nvmlDeviceGetPciInfo(device).busId,
                "by_uuid": nv.nvmlDeviceGetIndex(nv.nvmlDeviceGetHandleByUUID(nv.nvmlDeviceGetUUID(device))),
                "by_pci": nv.nvmlDeviceGetIndex(
                    nv.nvmlDeviceGetHandleByPciBusId(nv.nvmlDeviceGetPciInfo(device).busId)
                ),
                "cpus": nv.nvmlDeviceGetCpuAffinity(device, (os.cpu_count() or 1) // 64 + 1)[0],
                "memory": [memory.total, memory.used, memory.free],
                "temperature": nv.nvmlDeviceGetTemperature(device, nv.NVML_TEMPERATURE_GPU),
                "slowdown": nv.nvmlDeviceGetTemperatureThreshold(
                    device, nv.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
                ),
                "power": nv.nvmlDeviceGetPowerUsage(device),
                "limit": nv.nvmlDeviceGetEnforcedPowerLimit(device),
                "limits": limits,
                "clock": nv.nvmlDeviceGetClockInfo(device, nv.NVML_CLOCK_SM),
                "clock_max": nv.nvmlDeviceGetMaxClockInfo(device, nv.NVML_CLOCK_SM),
                "reasons": nv.nvmlDeviceGetCurrentClocksThrottleReasons(device),
                "ecc": attempt(
                    nv.nvmlDeviceGetTotalEccErrors,
                    device,
                    nv.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
                    nv.NVML_VOLATILE_ECC,
                ),
                "retired": attempt(
                    nv.nvmlDeviceGetRetiredPages, device, nv.NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR
                ),
                "remapped": attempt(nv.nvmlDeviceGetRemappedRows, device),
                "links": links,
                "processes": [
                    [one.pid, one.usedGpuMemory] for one in nv.nvmlDeviceGetComputeRunningProcesses(device)
                ],
                "mig": attempt(nv.nvmlDeviceGetMigMode, device),
            }
        )
    return {
        "driver": nv.nvmlSystemGetDriverVersion(),
        "cuda": nv.nvmlSystemGetCudaDriverVersion(),
        "gpus": found,
    }


def events(milliseconds):
    """Register for XIDs of every accelerator, say so, and tell those that come until none does that long."""
    chosen = nv.nvmlEventSetCreate()
    for index in range(nv.nvmlDeviceGetCount()):
        nv.nvmlDeviceRegisterEvents(
            nv.nvmlDeviceGetHandleByIndex(index), nv.nvmlEventTypeXidCriticalError, chosen
        )
    print("registered", flush=True)
    found = []
    while True:
        event = attempt(nv.nvmlEventSetWait_v2, chosen, milliseconds)
        if isinstance(event, str):
            return {"events": found, "ended": event}
        found.append([event.eventType, event.eventData])


def main(words):
    try:
        nv.nvmlInit()
    except nv.NVMLError as error:
        return {"error": error.value}
    try:
        if words[0] == "events":
            return events(int(words[1]))
        if words[0] == "power-limit":
            device = nv.nvmlDeviceGetHandleByIndex(int(words[1]))
            return {"set": attempt(nv.nvmlDeviceSetPowerManagementLimit, device, int(words[2]))}
        return facts()
    finally:
        nv.nvmlShutdown()


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
