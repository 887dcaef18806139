/* nvidia-smi: the fields of --query-gpu, a table, and its output as CSV. */
#define _GNU_SOURCE
#include "smi.h"

#include <stdio.h>
#include <string.h>

typedef nvmlReturn_t (*reader)(nvmlDevice_t device, char *text, unsigned size);

#define TEXT(name_, function)                                                                                \
    static nvmlReturn_t name_(nvmlDevice_t device, char *text, unsigned size) {                              \
        return NVML(function, (nvmlDevice_t, char *, unsigned), (device, text, size));                       \
    }
#define NUMBER(name_, type, format, shown_, call)                                                            \
    static nvmlReturn_t name_(nvmlDevice_t device, char *text, unsigned size) {                              \
        type value = {0};                                                                                    \
        nvmlReturn_t code = call;                                                                            \
        if (code == NVML_SUCCESS) snprintf(text, size, format, shown_);                                      \
        return code;                                                                                         \
    }
#define UNSIGNED(function) NVML(function, (nvmlDevice_t, unsigned *), (device, &value))
#define OF_KIND(function, kind) NVML(function, (nvmlDevice_t, int, unsigned *), (device, kind, &value))
#define ECC(kind, counter)                                                                                   \
    NVML(nvmlDeviceGetTotalEccErrors, (nvmlDevice_t, int, int, unsigned long long *),                        \
         (device, NVML_MEMORY_ERROR_TYPE_##kind, NVML_##counter##_ECC, &value))
#define MIB(bytes) (unsigned long long)((bytes) >> 20)

TEXT(name, nvmlDeviceGetName)
TEXT(uuid, nvmlDeviceGetUUID)
TEXT(serial, nvmlDeviceGetSerial)
static nvmlReturn_t driver(nvmlDevice_t device, char *text, unsigned size) {
    (void)device;
    return NVML(nvmlSystemGetDriverVersion, (char *, unsigned), (text, size));
}
NUMBER(minor, unsigned, "%u", value, UNSIGNED(nvmlDeviceGetMinorNumber))
NUMBER(numa, unsigned, "%u", value, UNSIGNED(nvmlDeviceGetNumaNodeId))
NUMBER(pci, nvmlPciInfo_t, "%s", value.busId,
       NVML(nvmlDeviceGetPciInfo_v3, (nvmlDevice_t, nvmlPciInfo_t *), (device, &value)))
NUMBER(pstate, unsigned, "P%u", value, UNSIGNED(nvmlDeviceGetPerformanceState))
NUMBER(persistence, unsigned, "%s", value ? "Enabled" : "Disabled", UNSIGNED(nvmlDeviceGetPersistenceMode))
NUMBER(temperature, unsigned, "%u", value, OF_KIND(nvmlDeviceGetTemperature, NVML_TEMPERATURE_GPU))
NUMBER(slowdown, unsigned, "%u", value,
       OF_KIND(nvmlDeviceGetTemperatureThreshold, NVML_TEMPERATURE_THRESHOLD_SLOWDOWN))
#define RATES NVML(nvmlDeviceGetUtilizationRates, (nvmlDevice_t, nvmlUtilization_t *), (device, &value))
NUMBER(use, nvmlUtilization_t, "%u", value.gpu, RATES)
NUMBER(memory_use, nvmlUtilization_t, "%u", value.memory, RATES)
#define MEMORY NVML(nvmlDeviceGetMemoryInfo, (nvmlDevice_t, nvmlMemory_t *), (device, &value))
NUMBER(memory_total, nvmlMemory_t, "%llu", MIB(value.total), MEMORY)
NUMBER(memory_used, nvmlMemory_t, "%llu", MIB(value.used), MEMORY)
NUMBER(memory_free, nvmlMemory_t, "%llu", MIB(value.free), MEMORY)
NUMBER(power, unsigned, "%.2f", value / 1000.0, UNSIGNED(nvmlDeviceGetPowerUsage))
NUMBER(limit, unsigned, "%.2f", value / 1000.0, UNSIGNED(nvmlDeviceGetPowerManagementLimit))
NUMBER(limit_enforced, unsigned, "%.2f", value / 1000.0, UNSIGNED(nvmlDeviceGetEnforcedPowerLimit))
NUMBER(limit_default, unsigned, "%.2f", value / 1000.0, UNSIGNED(nvmlDeviceGetPowerManagementDefaultLimit))
NUMBER(clock_sm, unsigned, "%u", value, OF_KIND(nvmlDeviceGetClockInfo, NVML_CLOCK_SM))
NUMBER(clock_memory, unsigned, "%u", value, OF_KIND(nvmlDeviceGetClockInfo, NVML_CLOCK_MEM))
NUMBER(clock_max, unsigned, "%u", value, OF_KIND(nvmlDeviceGetMaxClockInfo, NVML_CLOCK_SM))
NUMBER(clock_memory_max, unsigned, "%u", value, OF_KIND(nvmlDeviceGetMaxClockInfo, NVML_CLOCK_MEM))
#define REASONS                                                                                              \
    NVML(nvmlDeviceGetCurrentClocksThrottleReasons, (nvmlDevice_t, unsigned long long *), (device, &value))
NUMBER(reasons, unsigned long long, "0x%016llX", value, REASONS)
NUMBER(thermal, unsigned long long, "%s",
       value & nvmlClocksEventReasonHwThermalSlowdown ? "Active" : "Not Active", REASONS)
NUMBER(ecc_mode, struct { int now; int later; }, "%s", value.now ? "Enabled" : "Disabled",
       NVML(nvmlDeviceGetEccMode, (nvmlDevice_t, int *, int *), (device, &value.now, &value.later)))
NUMBER(corrected, unsigned long long, "%llu", value, ECC(CORRECTED, VOLATILE))
NUMBER(uncorrected, unsigned long long, "%llu", value, ECC(UNCORRECTED, VOLATILE))
NUMBER(corrected_ever, unsigned long long, "%llu", value, ECC(CORRECTED, AGGREGATE))
NUMBER(uncorrected_ever, unsigned long long, "%llu", value, ECC(UNCORRECTED, AGGREGATE))
NUMBER(pending, unsigned, "%s", value ? "Yes" : "No", UNSIGNED(nvmlDeviceGetRetiredPagesPendingStatus))

static nvmlReturn_t retired(nvmlDevice_t device, char *text, unsigned size) {
    unsigned count = 0;
    nvmlReturn_t code = NVML(nvmlDeviceGetRetiredPages, (nvmlDevice_t, int, unsigned *, unsigned long long *),
                             (device, NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR, &count, NULL));
    if (code == NVML_ERROR_INSUFFICIENT_SIZE) code = NVML_SUCCESS; /* it said how many */
    if (code == NVML_SUCCESS) snprintf(text, size, "%u", count);
    return code;
}

/* Names are those of `nvidia-smi --help-query-gpu`; the second is the older one of the same field. Ours alone
 * is temperature.gpu.slowdown, which the XML shows. */
static const struct field { const char *name, *other, *unit; reader read; } FIELDS[] = {
    {"name", "gpu_name", "", name},
    {"uuid", "gpu_uuid", "", uuid},
    {"serial", "gpu_serial", "", serial},
    {"minor_number", NULL, "", minor},
    {"gpu_numa_id", NULL, "", numa},
    {"pci.bus_id", "gpu_bus_id", "", pci},
    {"driver_version", NULL, "", driver},
    {"pstate", NULL, "", pstate},
    {"persistence_mode", NULL, "", persistence},
    {"temperature.gpu", NULL, "", temperature},
    {"temperature.gpu.slowdown", NULL, "", slowdown},
    {"utilization.gpu", NULL, "%", use},
    {"utilization.memory", NULL, "%", memory_use},
    {"memory.total", NULL, "MiB", memory_total},
    {"memory.used", NULL, "MiB", memory_used},
    {"memory.free", NULL, "MiB", memory_free},
    {"power.draw", NULL, "W", power},
    {"power.limit", NULL, "W", limit},
    {"enforced.power.limit", NULL, "W", limit_enforced},
    {"power.default_limit", NULL, "W", limit_default},
    {"clocks.current.sm", "clocks.sm", "MHz", clock_sm},
    {"clocks.current.graphics", "clocks.gr", "MHz", clock_sm},
    {"clocks.current.memory", "clocks.mem", "MHz", clock_memory},
    {"clocks.max.sm", NULL, "MHz", clock_max},
    {"clocks.max.graphics", "clocks.max.gr", "MHz", clock_max},
    {"clocks.max.memory", "clocks.max.mem", "MHz", clock_memory_max},
    {"clocks_event_reasons.active", "clocks_throttle_reasons.active", "", reasons},
    {"clocks_event_reasons.hw_thermal_slowdown", "clocks_throttle_reasons.hw_thermal_slowdown", "", thermal},
    {"ecc.mode.current", NULL, "", ecc_mode},
    {"ecc.errors.corrected.volatile.total", NULL, "", corrected},
    {"ecc.errors.uncorrected.volatile.total", NULL, "", uncorrected},
    {"ecc.errors.corrected.aggregate.total", NULL, "", corrected_ever},
    {"ecc.errors.uncorrected.aggregate.total", NULL, "", uncorrected_ever},
    {"retired_pages.double_bit.count", "retired_pages.dbe", "", retired},
    {"retired_pages.pending", NULL, "", pending},
};

static const struct field *find(const char *wanted) {
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        if (!strcmp(wanted, FIELDS[i].name) || (FIELDS[i].other && !strcmp(wanted, FIELDS[i].other)))
            return &FIELDS[i];
    return NULL;
}

const char *field_unit(const char *wanted) {
    const struct field *field = find(wanted);
    return field ? field->unit : "";
}

int field_text(const char *wanted, const struct shown *gpu, int units, char *text, unsigned size) {
    if (!strcmp(wanted, "index")) return snprintf(text, size, "%u", gpu->index), 1;
    if (!strcmp(wanted, "count")) {
        unsigned count = 0;
        NVML(nvmlDeviceGetCount_v2, (unsigned *), (&count));
        return snprintf(text, size, "%u", count), 1;
    }
    const struct field *field = find(wanted);
    if (!field) return 0;
    char value[128];
    nvmlReturn_t code = gpu->device ? field->read(gpu->device, value, sizeof value) : gpu->code;
    if (code == NVML_SUCCESS)
        snprintf(text, size, "%s%s%s", value, units && *field->unit ? " " : "", units ? field->unit : "");
    else if (code == NVML_ERROR_NOT_SUPPORTED || code == NVML_ERROR_FUNCTION_NOT_FOUND)
        snprintf(text, size, NOT_AVAILABLE);
    else
        snprintf(text, size, "[%s]", explain(code));
    return 1;
}

static unsigned split(const char *fields, char *room, unsigned size, const char **words, unsigned most) {
    unsigned count = 0;
    char *rest = room;
    snprintf(room, size, "%s", fields);
    for (char *word; count < most && (word = strsep(&rest, ", "));)
        if (*word) words[count++] = word;
    return count;
}

nvmlReturn_t query_gpus(const char *fields, const char *format, const struct shown *gpus, unsigned count) {
    char room[2048], text[192];
    const char *words[64];
    unsigned wanted = split(fields, room, sizeof room, words, 64);
    int units = !strstr(format, "nounits");
    nvmlReturn_t worst = NVML_SUCCESS;
    for (unsigned i = 0; i < wanted; i++)
        if (strcmp(words[i], "index") && strcmp(words[i], "count") && !find(words[i])) {
            printf("Field \"%s\" is not a valid field to query.\n", words[i]);
            return NVML_ERROR_INVALID_ARGUMENT;
        }
    if (!strstr(format, "noheader")) {
        for (unsigned i = 0; i < wanted; i++) {
            const char *unit = units ? field_unit(words[i]) : "";
            printf("%s%s%s%s%s", i ? ", " : "", words[i], *unit ? " [" : "", unit, *unit ? "]" : "");
        }
        putchar('\n');
    }
    for (unsigned gpu = 0; gpu < count; gpu++) {
        for (unsigned i = 0; i < wanted; i++) {
            field_text(words[i], &gpus[gpu], units, text, sizeof text);
            printf("%s%s", i ? ", " : "", text);
        }
        putchar('\n');
        if (gpus[gpu].code != NVML_SUCCESS) worst = gpus[gpu].code;
    }
    return worst;
}

nvmlReturn_t query_processes(const char *fields, const char *format, const struct shown *gpus, unsigned count) {
    char room[512];
    const char *words[16];
    unsigned wanted = split(fields, room, sizeof room, words, 16);
    int units = !strstr(format, "nounits"), header = !strstr(format, "noheader");
    for (unsigned i = 0; i < wanted; i++) {
        if (strcmp(words[i], "pid") && strcmp(words[i], "process_name") && strcmp(words[i], "name") &&
            strcmp(words[i], "used_memory") && strcmp(words[i], "gpu_uuid")) {
            printf("Field \"%s\" is not a valid field to query.\n", words[i]);
            return NVML_ERROR_INVALID_ARGUMENT;
        }
    }
    for (unsigned i = 0; header && i < wanted; i++)
        printf("%s%s%s%s", i ? ", " : "", words[i], units && !strcmp(words[i], "used_memory") ? " [MiB]" : "",
               i + 1 == wanted ? "\n" : "");
    for (unsigned gpu = 0; gpu < count; gpu++) {
        nvmlProcessInfo_t infos[64];
        unsigned found = 64;
        if (!gpus[gpu].device ||
            NVML(nvmlDeviceGetComputeRunningProcesses_v3, (nvmlDevice_t, unsigned *, nvmlProcessInfo_t *),
                 (gpus[gpu].device, &found, infos)) != NVML_SUCCESS)
            continue;
        for (unsigned p = 0; p < found; p++) {
            for (unsigned i = 0; i < wanted; i++) {
                char text[256] = NOT_AVAILABLE;
                if (!strcmp(words[i], "pid")) snprintf(text, sizeof text, "%u", infos[p].pid);
                else if (!strcmp(words[i], "used_memory"))
                    snprintf(text, sizeof text, "%llu%s", infos[p].usedGpuMemory >> 20, units ? " MiB" : "");
                else if (!strcmp(words[i], "gpu_uuid"))
                    field_text("uuid", &gpus[gpu], 0, text, sizeof text);
                else NVML(nvmlSystemGetProcessName, (unsigned, char *, unsigned), (infos[p].pid, text, sizeof text));
                printf("%s%s%s", i ? ", " : "", text, i + 1 == wanted ? "\n" : "");
            }
        }
    }
    return NVML_SUCCESS;
}
