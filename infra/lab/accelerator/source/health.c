/* NVML: how an accelerator is: temperature, power, clocks, memory errors. */
#include "state.h"

#include <string.h>

#define SHUTDOWN_MARGIN_C 5
#define CLOCK_STEP_MHZ 15
/* What a device keeps of its highest clock while it is too hot. */
#define HOT_SHARE 2
#define LOWEST_LIMIT_SHARE 4

static int too_hot(const struct gpu *gpu) { return gpu->hot && gpu->hot >= gpu->slowdown; }

static unsigned current_clock(const struct gpu *gpu) {
    if (gpu->stuck) return gpu->stuck;
    return too_hot(gpu) ? gpu->app_clock / HOT_SHARE : gpu->app_clock;
}

static unsigned power_of(const struct gpu *gpu) {
    unsigned wanted = gpu->process_count ? gpu->limit_default_mw : gpu->power_mw;
    if (gpu->clock_max) wanted = (unsigned)((unsigned long long)wanted * current_clock(gpu) / gpu->clock_max);
    return wanted < gpu->limit_mw ? wanted : gpu->limit_mw;
}

static unsigned long long reasons_of(const struct gpu *gpu) {
    unsigned long long reasons = 0;
    if (too_hot(gpu)) reasons |= nvmlClocksEventReasonHwSlowdown | nvmlClocksEventReasonHwThermalSlowdown;
    if (gpu->app_clock < gpu->clock_max) reasons |= nvmlClocksEventReasonApplicationsClocksSetting;
    if (gpu->process_count && gpu->limit_mw < gpu->limit_default_mw) reasons |= nvmlClocksEventReasonSwPowerCap;
    /* A clock that is stuck gives no reason: that is how it is told from one that rests. */
    if (!reasons && !gpu->process_count && !gpu->stuck) reasons = nvmlClocksEventReasonGpuIdle;
    return reasons;
}

#define NUMBER(name, type, value)                                                                            \
    NVML_EXPORT nvmlReturn_t name(nvmlDevice_t device, type *found) {                                        \
        WANT(found);                                                                                         \
        READ(device, gpu);                                                                                   \
        *found = value;                                                                                      \
        return NVML_SUCCESS;                                                                                 \
    }

NUMBER(nvmlDeviceGetPowerUsage, unsigned, power_of(&gpu))
NUMBER(nvmlDeviceGetPowerManagementLimit, unsigned, gpu.limit_mw)
NUMBER(nvmlDeviceGetEnforcedPowerLimit, unsigned, gpu.limit_mw)
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned, gpu.limit_default_mw)
NUMBER(nvmlDeviceGetPowerManagementMode, unsigned, 1)
NUMBER(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, reasons_of(&gpu))
NUMBER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, reasons_of(&gpu))
NUMBER(nvmlDeviceGetPerformanceState, unsigned, 0)
NUMBER(nvmlDeviceGetPersistenceMode, unsigned, gpu.persistence)
NUMBER(nvmlDeviceGetComputeMode, unsigned, 0)
NUMBER(nvmlDeviceGetRetiredPagesPendingStatus, unsigned, gpu.ecc > 0)

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned *degrees) {
    WANT(degrees && sensor == NVML_TEMPERATURE_GPU);
    READ(device, gpu);
    *degrees = gpu.hot ? gpu.hot : gpu.temperature;
    return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, int which, unsigned *degrees) {
    WANT(degrees);
    READ(device, gpu);
    switch (which) {
    case NVML_TEMPERATURE_THRESHOLD_SHUTDOWN: *degrees = gpu.slowdown + SHUTDOWN_MARGIN_C; return NVML_SUCCESS;
    case NVML_TEMPERATURE_THRESHOLD_SLOWDOWN: *degrees = gpu.slowdown; return NVML_SUCCESS;
    case NVML_TEMPERATURE_THRESHOLD_GPU_MAX: *degrees = gpu.slowdown - SHUTDOWN_MARGIN_C; return NVML_SUCCESS;
    default: return NVML_ERROR_NOT_SUPPORTED;
    }
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned *low,
                                                                      unsigned *high) {
    WANT(low && high);
    READ(device, gpu);
    *low = gpu.limit_default_mw / LOWEST_LIMIT_SHARE;
    *high = gpu.limit_default_mw;
    return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceSetPowerManagementLimit(nvmlDevice_t device, unsigned limit) {
    READ(device, gpu);
    if (limit > gpu.limit_default_mw || limit < gpu.limit_default_mw / LOWEST_LIMIT_SHARE)
        return NVML_ERROR_INVALID_ARGUMENT;
    return state_note(device, "limit_mw", limit, 0);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceSetPersistenceMode(nvmlDevice_t device, unsigned mode) {
    WANT(mode <= 1);
    READ(device, gpu);
    return state_note(device, "persistence", mode, 0);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, int type, unsigned *clock) {
    WANT(clock && type >= NVML_CLOCK_GRAPHICS && type <= NVML_CLOCK_VIDEO);
    READ(device, gpu);
    *clock = type == NVML_CLOCK_MEM ? gpu.app_memory_clock : current_clock(&gpu);
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, int type, unsigned *clock) {
    WANT(clock && type >= NVML_CLOCK_GRAPHICS && type <= NVML_CLOCK_VIDEO);
    READ(device, gpu);
    *clock = type == NVML_CLOCK_MEM ? gpu.memory_clock : gpu.clock_max;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetApplicationsClock(nvmlDevice_t device, int type, unsigned *clock) {
    WANT(clock && type >= NVML_CLOCK_GRAPHICS && type <= NVML_CLOCK_VIDEO);
    READ(device, gpu);
    *clock = type == NVML_CLOCK_MEM ? gpu.app_memory_clock : gpu.app_clock;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetSupportedMemoryClocks(nvmlDevice_t device, unsigned *count,
                                                            unsigned *clocks) {
    WANT(count);
    READ(device, gpu);
    unsigned room = *count;
    *count = 1;
    if (room < 1 || !clocks) return NVML_ERROR_INSUFFICIENT_SIZE;
    clocks[0] = gpu.memory_clock;
    return NVML_SUCCESS;
}
/* From the highest down to a quarter of it, as devices list them. */
NVML_EXPORT nvmlReturn_t nvmlDeviceGetSupportedGraphicsClocks(nvmlDevice_t device, unsigned memory,
                                                              unsigned *count, unsigned *clocks) {
    WANT(count);
    READ(device, gpu);
    if (memory != gpu.memory_clock) return NVML_ERROR_NOT_FOUND;
    unsigned room = *count, lowest = gpu.clock_max / 4, wanted = (gpu.clock_max - lowest) / CLOCK_STEP_MHZ + 1;
    *count = wanted;
    if (room < wanted || !clocks) return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < wanted; i++) clocks[i] = gpu.clock_max - i * CLOCK_STEP_MHZ;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceSetApplicationsClocks(nvmlDevice_t device, unsigned memory, unsigned clock) {
    READ(device, gpu);
    if (memory != gpu.memory_clock || clock > gpu.clock_max || clock < gpu.clock_max / 4)
        return NVML_ERROR_INVALID_ARGUMENT;
    return state_note(device, "app_clocks", memory, clock);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceResetApplicationsClocks(nvmlDevice_t device) {
    READ(device, gpu);
    return state_note(device, "app_clocks", gpu.memory_clock, gpu.clock_max);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, int *current, int *pending) {
    WANT(current && pending);
    READ(device, gpu);
    *current = *pending = 1;
    return NVML_SUCCESS;
}
/* Errors of the stand-ins are uncorrected ones in device memory. */
NVML_EXPORT nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, int type, int counter,
                                                     unsigned long long *count) {
    (void)counter;
    WANT(count);
    READ(device, gpu);
    *count = type == NVML_MEMORY_ERROR_TYPE_UNCORRECTED ? gpu.ecc : 0;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, int type, int counter, int where,
                                                         unsigned long long *count) {
    WANT(count);
    nvmlReturn_t code = nvmlDeviceGetTotalEccErrors(device, type, counter, count);
    if (code == NVML_SUCCESS && where != NVML_MEMORY_LOCATION_DEVICE_MEMORY) *count = 0;
    return code;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetDetailedEccErrors(nvmlDevice_t device, int type, int counter,
                                                        nvmlEccErrorCounts_t *counts) {
    WANT(counts);
    memset(counts, 0, sizeof *counts);
    return nvmlDeviceGetTotalEccErrors(device, type, counter, &counts->deviceMemory);
}
/* A storm of uncorrected errors retires one page, and its row waits for a reset to be mapped elsewhere. */
NVML_EXPORT nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device, int cause, unsigned *count,
                                                   unsigned long long *pages) {
    WANT(count);
    READ(device, gpu);
    unsigned room = *count, wanted = cause == NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR && gpu.ecc;
    *count = wanted;
    if (!wanted) return NVML_SUCCESS;
    if (room < wanted || !pages) return NVML_ERROR_INSUFFICIENT_SIZE;
    pages[0] = 0x1000;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned *corrected,
                                                   unsigned *uncorrected, unsigned *pending, unsigned *failed) {
    WANT(corrected && uncorrected && pending && failed);
    READ(device, gpu);
    *corrected = *uncorrected = *failed = 0;
    *pending = gpu.ecc > 0;
    return NVML_SUCCESS;
}
