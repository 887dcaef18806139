/* NVML: the library itself, and what an accelerator is: name, place, memory, who uses it. */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static nvmlReturn_t give_text(const char *text, char *target, unsigned size) {
    WANT(target);
    if (strlen(text) >= size) return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(target, text);
    return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlInit_v2(void) { return state_open(); }
NVML_EXPORT nvmlReturn_t nvmlInit(void) { return state_open(); }
NVML_EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned flags) { (void)flags; return state_open(); }
NVML_EXPORT nvmlReturn_t nvmlShutdown(void) { return state_close(); }

NVML_EXPORT const char *nvmlErrorString(nvmlReturn_t code) {
    switch (code) {
    case NVML_SUCCESS: return "Success";
    case NVML_ERROR_UNINITIALIZED: return "Uninitialized";
    case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
    case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
    case NVML_ERROR_NO_PERMISSION: return "Insufficient Permissions";
    case NVML_ERROR_NOT_FOUND: return "Not Found";
    case NVML_ERROR_INSUFFICIENT_SIZE: return "Insufficient Size";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case NVML_ERROR_TIMEOUT: return "Timeout";
    case NVML_ERROR_LIBRARY_NOT_FOUND: return "NVML Shared Library Not Found";
    case NVML_ERROR_FUNCTION_NOT_FOUND: return "Function Not Found";
    case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
    case NVML_ERROR_OPERATING_SYSTEM: return "GPU access blocked by the operating system";
    case NVML_ERROR_MEMORY: return "Insufficient Memory";
    case NVML_ERROR_ARGUMENT_VERSION_MISMATCH: return "Argument Version Mismatch";
    default: return "Unknown Error";
    }
}

NVML_EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned size) {
    const char *driver = state_driver();
    return driver ? give_text(driver, version, size) : NVML_ERROR_UNINITIALIZED;
}

NVML_EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned size) {
    char text[96];
    const char *driver = state_driver();
    if (!driver) return NVML_ERROR_UNINITIALIZED;
    snprintf(text, sizeof text, "%u.%s", state_cuda() / 1000, driver); /* CUDA's number, then the driver's */
    return give_text(text, version, size);
}

NVML_EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
    WANT(version);
    if (!state_driver()) return NVML_ERROR_UNINITIALIZED;
    *version = (int)state_cuda();
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *v) { return nvmlSystemGetCudaDriverVersion_v2(v); }

NVML_EXPORT nvmlReturn_t nvmlSystemGetProcessName(unsigned pid, char *name, unsigned size) {
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%u/comm", pid);
    FILE *file = fopen(path, "re");
    if (!file) return NVML_ERROR_NOT_FOUND;
    if (!fgets(text, sizeof text, file)) text[0] = 0;
    fclose(file);
    text[strcspn(text, "\n")] = 0;
    return give_text(text, name, size);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) {
    WANT(count);
    if (!state_driver()) return NVML_ERROR_UNINITIALIZED;
    *count = state_count();
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetCount(unsigned *count) { return nvmlDeviceGetCount_v2(count); }

NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    WANT(device);
    if (!state_driver()) return NVML_ERROR_UNINITIALIZED;
    nvmlDevice_t found = state_handle(index);
    WANT(found);
    READ(found, gpu);
    *device = found;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned index, nvmlDevice_t *device) {
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

static int has_uuid(const struct gpu *gpu, const char *value) { return !strcmp(gpu->uuid, value); }
static int has_serial(const struct gpu *gpu, const char *value) { return !strcmp(gpu->serial, value); }
static int has_pci(const struct gpu *gpu, const char *value) {
    unsigned long domain, bus, slot, own[3];
    char *end;
    sscanf(gpu->pci, "%lx:%lx:%lx", &own[0], &own[1], &own[2]);
    domain = strtoul(value, &end, 16); /* a domain of four or eight digits */
    if (*end != ':') return 0;
    bus = strtoul(end + 1, &end, 16);
    if (*end != ':') return 0;
    slot = strtoul(end + 1, NULL, 16);
    return domain == own[0] && bus == own[1] && slot == own[2];
}

static nvmlReturn_t find(const char *value, nvmlDevice_t *device, int (*has)(const struct gpu *, const char *)) {
    WANT(value && device);
    if (!state_driver()) return NVML_ERROR_UNINITIALIZED;
    for (unsigned place = 0; place < state_count(); place++) {
        struct gpu gpu;
        nvmlDevice_t found = state_handle(place);
        if (state_peek(found, &gpu) != NVML_SUCCESS || !has(&gpu, value)) continue;
        if (gpu.lost) return NVML_ERROR_GPU_IS_LOST;
        *device = found;
        return NVML_SUCCESS;
    }
    return NVML_ERROR_NOT_FOUND;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    return find(uuid, device, has_uuid);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device) {
    return find(serial, device, has_serial);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *pci, nvmlDevice_t *device) {
    return find(pci, device, has_pci);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char *pci, nvmlDevice_t *device) {
    return find(pci, device, has_pci);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned size) {
    READ(device, gpu);
    return give_text(gpu.name, name, size);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned size) {
    READ(device, gpu);
    return give_text(gpu.uuid, uuid, size);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *serial, unsigned size) {
    READ(device, gpu);
    return give_text(gpu.serial, serial, size);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index) {
    WANT(index);
    READ(device, gpu);
    *index = state_place(device);
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor) {
    WANT(minor);
    READ(device, gpu);
    *minor = gpu.minor;
    return NVML_SUCCESS;
}

/* Also of an accelerator that is lost: its address is where an operator looks for it. */
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci) {
    struct gpu gpu;
    WANT(pci);
    nvmlReturn_t code = state_peek(device, &gpu);
    if (code != NVML_SUCCESS) return code;
    memset(pci, 0, sizeof *pci);
    sscanf(gpu.pci, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device);
    pci->pciDeviceId = 0x10de; /* NVIDIA's vendor number; no device number: a stand-in is none of its models */
    snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:%02X.0", pci->domain, pci->bus & 0xff, pci->device & 0x1f);
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", pci->domain & 0xffff,
             pci->bus & 0xff, pci->device & 0x1f);
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t d, nvmlPciInfo_t *p) {
    return nvmlDeviceGetPciInfo_v3(d, p);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t d, nvmlPciInfo_t *p) {
    return nvmlDeviceGetPciInfo_v3(d, p);
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t device, unsigned words, unsigned long *set) {
    WANT(set && words);
    READ(device, gpu);
    const unsigned bits = 8 * sizeof *set;
    memset(set, 0, words * sizeof *set);
    for (char *text = gpu.cpus; *text;) { /* a list such as 0-3,8 */
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        if (end == text) break;
        for (unsigned long cpu = first; cpu <= last && cpu / bits < words; cpu++) set[cpu / bits] |= 1UL << cpu % bits;
        text = *end ? end + 1 : end;
    }
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetCpuAffinityWithinScope(nvmlDevice_t device, unsigned words,
                                                             unsigned long *set, int scope) {
    (void)scope;
    return nvmlDeviceGetCpuAffinity(device, words, set);
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryAffinity(nvmlDevice_t device, unsigned words, unsigned long *set,
                                                     int scope) {
    (void)scope;
    WANT(set && words);
    READ(device, gpu);
    memset(set, 0, words * sizeof *set);
    if (gpu.numa < 8 * sizeof *set) set[0] = 1UL << gpu.numa;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetNumaNodeId(nvmlDevice_t device, unsigned *node) {
    WANT(node);
    READ(device, gpu);
    *node = gpu.numa;
    return NVML_SUCCESS;
}

static unsigned long long used_bytes(const struct gpu *gpu) {
    unsigned long long used = 0;
    for (unsigned i = 0; i < gpu->process_count; i++) used += (unsigned long long)gpu->processes[i].memory_mib << 20;
    return used;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    WANT(memory);
    READ(device, gpu);
    memory->total = (unsigned long long)gpu.memory_mib << 20;
    memory->used = used_bytes(&gpu);
    memory->free = memory->used < memory->total ? memory->total - memory->used : 0;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
    nvmlMemory_t plain;
    WANT(memory);
    if (memory->version != NVML_STRUCT_VERSION(nvmlMemory_v2_t, 2)) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    nvmlReturn_t code = nvmlDeviceGetMemoryInfo(device, &plain);
    if (code != NVML_SUCCESS) return code;
    memory->total = plain.total;
    memory->used = plain.used;
    memory->free = plain.free;
    memory->reserved = 0;
    return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                                 nvmlProcessInfo_t *infos) {
    WANT(count);
    READ(device, gpu);
    unsigned room = *count;
    *count = gpu.process_count;
    if (gpu.process_count > room || (gpu.process_count && !infos)) return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < gpu.process_count; i++)
        infos[i] = (nvmlProcessInfo_t){
            .pid = gpu.processes[i].pid,
            .usedGpuMemory = (unsigned long long)gpu.processes[i].memory_mib << 20,
            .gpuInstanceId = NVML_VALUE_NOT_AVAILABLE,
            .computeInstanceId = NVML_VALUE_NOT_AVAILABLE,
        };
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                                  nvmlProcessInfo_t *infos) {
    (void)infos;
    WANT(count);
    READ(device, gpu);
    *count = 0;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
                                                         nvmlProcessUtilizationSample_t *samples,
                                                         unsigned *count, unsigned long long since) {
    (void)since;
    WANT(count);
    READ(device, gpu);
    unsigned room = *count;
    *count = gpu.process_count;
    if (!gpu.process_count) return NVML_ERROR_NOT_FOUND;
    if (gpu.process_count > room || !samples) return NVML_ERROR_INSUFFICIENT_SIZE;
    memset(samples, 0, gpu.process_count * sizeof *samples);
    for (unsigned i = 0; i < gpu.process_count; i++) {
        samples[i].pid = gpu.processes[i].pid;
        samples[i].smUtil = 100 / gpu.process_count;
    }
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    WANT(rates);
    READ(device, gpu);
    rates->gpu = gpu.process_count ? 100 : 0;
    rates->memory = gpu.memory_mib ? (unsigned)(100 * (used_bytes(&gpu) >> 20) / gpu.memory_mib) : 0;
    return NVML_SUCCESS;
}

/* Multi-instance GPU: stand-ins are whole. */
#define WHOLE(declaration)                                                                                   \
    NVML_EXPORT nvmlReturn_t declaration {                                                                   \
        READ(device, gpu);                                                                                   \
        return NVML_ERROR_NOT_SUPPORTED;                                                                     \
    }
#pragma GCC diagnostic ignored "-Wunused-parameter"
WHOLE(nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending))
WHOLE(nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index, nvmlDevice_t *mig))
WHOLE(nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned *id))
WHOLE(nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned *id))
WHOLE(nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes))
NVML_EXPORT nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned *count) {
    WANT(count);
    READ(device, gpu);
    *count = 0;
    return NVML_SUCCESS;
}
