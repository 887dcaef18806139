/* NVML: events. Only XIDs are told: each that is noted after a device was registered, once, in its order. */
#include "state.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 50

struct nvmlEventSet_st {
    unsigned long long wanted[MAX_GPUS];
    unsigned seen[MAX_GPUS];
};

NVML_EXPORT nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set) {
    if (!set) return NVML_ERROR_INVALID_ARGUMENT;
    if (!state_driver()) return NVML_ERROR_UNINITIALIZED;
    *set = calloc(1, sizeof **set);
    return *set ? NVML_SUCCESS : NVML_ERROR_MEMORY;
}

NVML_EXPORT nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
    free(set);
    return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *types) {
    struct gpu gpu;
    if (!types) return NVML_ERROR_INVALID_ARGUMENT;
    *types = nvmlEventTypeXidCriticalError;
    return state_read(device, &gpu);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types,
                                                  nvmlEventSet_t set) {
    struct gpu gpu;
    if (!set) return NVML_ERROR_INVALID_ARGUMENT;
    if (types & ~nvmlEventTypeXidCriticalError) return NVML_ERROR_NOT_SUPPORTED;
    nvmlReturn_t code = state_read(device, &gpu);
    if (code != NVML_SUCCESS) return code;
    set->wanted[state_place(device)] = types;
    set->seen[state_place(device)] = gpu.xid_count;
    return NVML_SUCCESS;
}

static int next_event(nvmlEventSet_t set, nvmlEventData_t *event) {
    for (unsigned place = 0; place < state_count(); place++) {
        struct gpu gpu;
        nvmlDevice_t device = state_handle(place);
        if (!(set->wanted[place] & nvmlEventTypeXidCriticalError)) continue;
        if (state_peek(device, &gpu) != NVML_SUCCESS) continue;
        if (gpu.xid_count < set->seen[place]) set->seen[place] = gpu.xid_count; /* faults were cleared */
        if (gpu.xid_count == set->seen[place]) continue;
        *event = (nvmlEventData_t){
            .device = device,
            .eventType = nvmlEventTypeXidCriticalError,
            .eventData = gpu.xids[set->seen[place]++],
            .gpuInstanceId = NVML_VALUE_NOT_AVAILABLE,
            .computeInstanceId = NVML_VALUE_NOT_AVAILABLE,
        };
        return 1;
    }
    return 0;
}

NVML_EXPORT nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *event, unsigned timeout_ms) {
    if (!set || !event) return NVML_ERROR_INVALID_ARGUMENT;
    for (unsigned waited = 0;; waited += POLL_MS) {
        if (!state_driver()) return NVML_ERROR_UNINITIALIZED;
        if (next_event(set, event)) return NVML_SUCCESS;
        if (waited >= timeout_ms) return NVML_ERROR_TIMEOUT;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
}
NVML_EXPORT nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *event, unsigned timeout_ms) {
    return nvmlEventSetWait_v2(set, event, timeout_ms);
}
