"""Read accelerators by NVIDIA's public management library (NVML), through ctypes alone."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_int, c_uint, c_ulonglong, c_void_p

LIBRARY = "libnvidia-ml.so.1"
NOT_SUPPORTED, NOT_FOUND, FUNCTION_NOT_FOUND, GPU_IS_LOST = 3, 6, 13, 15
"""Of NVML's return codes (docs.nvidia.com/deploy/nvml-api, nvmlReturn_t)."""
_UNCORRECTED, _CORRECTED, _VOLATILE = 1, 0, 0
_SM_CLOCK, _GPU_SENSOR, _SLOWDOWN = 1, 0, 1
_MAX_LINKS = 64


class NvmlError(Exception):
    """What the library refused.

    Attributes:
        code: its return code; None if there is no library.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class _Pci(ctypes.Structure):
    _fields_ = (
        ("legacy", ctypes.c_char * 16),
        *((name, c_uint) for name in ("domain", "bus", "device", "id", "subsystem")),
        ("bus_id", ctypes.c_char * 32),
    )


class _Memory(ctypes.Structure):
    _fields_ = tuple((name, c_ulonglong) for name in ("total", "free", "used"))


class _Fabric(ctypes.Structure):
    _fields_ = (
        ("cluster", ctypes.c_ubyte * 16),
        ("status", c_int),
        ("clique", c_uint),
        ("state", ctypes.c_ubyte),
    )


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", c_uint), ("memory", c_uint))


class Library:
    """The loaded and initialised library.

    Raises:
        NvmlError: it is missing, or finds no driver.
    """

    def __init__(self, name: str = LIBRARY) -> None:
        try:
            self.library = ctypes.CDLL(name)
        except OSError as error:
            raise NvmlError(f"{name} cannot be loaded: {error}") from error
        self.library.nvmlErrorString.restype = c_char_p
        self.call("nvmlInit_v2")

    def call(self, function: str, *words: object) -> None:
        """Call a function that returns a code.

        Raises:
            NvmlError: the code is not success, or this driver's library has no such function.
        """
        try:
            called = getattr(self.library, function)
        except AttributeError as error:
            raise NvmlError(f"the library has no {function}", FUNCTION_NOT_FOUND) from error
        code = called(*words)
        if code:
            raise NvmlError(self.library.nvmlErrorString(code).decode(errors="replace"), code)

    def text(self, function: str, *before: object, size: int = 96) -> str:
        """Return the text that a function writes."""
        buffer = ctypes.create_string_buffer(size)
        self.call(function, *before, buffer, c_uint(size))
        return buffer.value.decode(errors="replace")

    def ask(self, function: str, *before: object, kind: type = c_uint) -> int | None:
        """Return the number that a function writes; None where the device or the driver has no such thing.

        Raises:
            NvmlError: it failed for another reason, such as a device that is lost.
        """
        found = kind()
        try:
            self.call(function, *before, byref(found))
        except NvmlError as error:
            if error.code in {NOT_SUPPORTED, NOT_FOUND, FUNCTION_NOT_FOUND}:
                return None
            raise
        return int(found.value)


def read_accelerators(name: str = LIBRARY) -> dict[str, object]:
    """Read the driver's version and every accelerator; one that does not answer has the key `lost`.

    Returns:
        `driver`, and `gpus`: mappings of plain values, None where a device does not have such a value.

    Raises:
        NvmlError: there is no library or no driver.
    """
    library = Library(name)
    count = c_uint()
    library.call("nvmlDeviceGetCount_v2", byref(count))
    return {
        "driver": library.text("nvmlSystemGetDriverVersion"),
        "gpus": [_read(library, index) for index in range(count.value)],
    }


def _read(library: Library, index: int) -> dict[str, object]:
    found: dict[str, object] = {"index": index}
    try:
        device = c_void_p()
        library.call("nvmlDeviceGetHandleByIndex_v2", c_uint(index), byref(device))
        found |= _identity(library, device)
        found |= _condition(library, device)
        found["links"] = _links(library, device)
    except NvmlError as error:
        found["lost"] = str(error)
    return found


def _identity(library: Library, device: c_void_p) -> dict[str, object]:
    pci, memory = _Pci(), _Memory()
    library.call("nvmlDeviceGetPciInfo_v3", device, byref(pci))
    library.call("nvmlDeviceGetMemoryInfo", device, byref(memory))
    return {
        "uuid": library.text("nvmlDeviceGetUUID", device),
        "name": library.text("nvmlDeviceGetName", device),
        "pci": f"{pci.domain:04x}:{pci.bus:02x}:{pci.device:02x}",
        "memory_mib": memory.total >> 20,
        "memory_used_mib": memory.used >> 20,
    }


def _condition(library: Library, device: c_void_p) -> dict[str, object]:
    def ask(function: str, *words: int, kind: type = c_uint) -> int | None:
        return library.ask(function, device, *map(c_uint, words), kind=kind)

    def errors(kind: int) -> int | None:
        return ask("nvmlDeviceGetTotalEccErrors", kind, _VOLATILE, kind=c_ulonglong)

    remapped = _remapped(library, device)
    return {
        "temperature_c": ask("nvmlDeviceGetTemperature", _GPU_SENSOR),
        "slowdown_c": ask("nvmlDeviceGetTemperatureThreshold", _SLOWDOWN),
        "power_mw": ask("nvmlDeviceGetPowerUsage"),
        "limit_mw": ask("nvmlDeviceGetEnforcedPowerLimit"),
        "clock_mhz": ask("nvmlDeviceGetClockInfo", _SM_CLOCK),
        "clock_max_mhz": ask("nvmlDeviceGetMaxClockInfo", _SM_CLOCK),
        "reasons": ask("nvmlDeviceGetCurrentClocksThrottleReasons", kind=c_ulonglong),
        "ecc_uncorrected": errors(_UNCORRECTED),
        "ecc_corrected": errors(_CORRECTED),
        "pages_pending": ask("nvmlDeviceGetRetiredPagesPendingStatus"),
        "remap_pending": remapped and remapped[2],
        "remap_failed": remapped and remapped[3],
        "busy_percent": _busy(library, device),
        "fabric": _fabric(library, device),
    }


def _remapped(library: Library, device: c_void_p) -> list[int] | None:
    """Rows remapped for corrected and uncorrected errors, whether one is pending, whether one failed."""
    rows = [c_uint() for _ in range(4)]
    try:
        library.call("nvmlDeviceGetRemappedRows", device, *map(byref, rows))
    except NvmlError as error:
        if error.code in {NOT_SUPPORTED, FUNCTION_NOT_FOUND}:
            return None
        raise
    return [row.value for row in rows]


def _busy(library: Library, device: c_void_p) -> int | None:
    busy = _Utilization()
    try:
        library.call("nvmlDeviceGetUtilizationRates", device, byref(busy))
    except NvmlError as error:
        if error.code == GPU_IS_LOST:
            raise
        return None
    return int(busy.gpu)


def _fabric(library: Library, device: c_void_p) -> list[object] | None:
    """State (0 not supported, 1 not started, 2 in progress, 3 completed), status and UUID of its domain."""
    fabric = _Fabric()
    try:
        library.call("nvmlDeviceGetGpuFabricInfo", device, byref(fabric))
    except NvmlError as error:
        if error.code == GPU_IS_LOST:
            raise
        return None
    text = bytes(fabric.cluster).hex()
    parts = (text[:8], text[8:12], text[12:16], text[16:20], text[20:])
    return [int(fabric.state), int(fabric.status), "-".join(parts)]


def _links(library: Library, device: c_void_p) -> list[int]:
    """Return 1 for each NVLink that is up and 0 for each that is down, in order; empty without any."""
    links = []
    for link in range(_MAX_LINKS):
        active = c_uint()
        try:
            library.call("nvmlDeviceGetNvLinkState", device, c_uint(link), byref(active))
        except NvmlError as error:
            if error.code == GPU_IS_LOST:
                raise
            break  # no link of this number
        links.append(active.value)
    return links
