/* nvidia-smi: all that is known as XML, and the state of NVLinks. */
#include "smi.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Elements are named as nvidia-smi's own XML names them; those that NVML does not tell publicly are left out. */
static const struct { const char *open, *element, *field, *close; } ELEMENTS[] = {
    {"", "product_name", "name", ""},
    {"", "uuid", "uuid", ""},
    {"", "serial", "serial", ""},
    {"", "minor_number", "minor_number", ""},
    {"", "persistence_mode", "persistence_mode", ""},
    {"pci", "pci_bus_id", "pci.bus_id", "pci"},
    {"", "performance_state", "pstate", ""},
    {"clocks_event_reasons", "active", "clocks_event_reasons.active", ""},
    {"", "hw_thermal_slowdown", "clocks_event_reasons.hw_thermal_slowdown", "clocks_event_reasons"},
    {"fb_memory_usage", "total", "memory.total", ""},
    {"", "used", "memory.used", ""},
    {"", "free", "memory.free", "fb_memory_usage"},
    {"utilization", "gpu_util", "utilization.gpu", ""},
    {"", "memory_util", "utilization.memory", "utilization"},
    {"ecc_mode", "current_ecc", "ecc.mode.current", "ecc_mode"},
    {"ecc_errors", "volatile_corrected", "ecc.errors.corrected.volatile.total", ""},
    {"", "volatile_uncorrected", "ecc.errors.uncorrected.volatile.total", ""},
    {"", "aggregate_corrected", "ecc.errors.corrected.aggregate.total", ""},
    {"", "aggregate_uncorrected", "ecc.errors.uncorrected.aggregate.total", "ecc_errors"},
    {"retired_pages", "double_bit_retirement_count", "retired_pages.double_bit.count", ""},
    {"", "pending_retirement", "retired_pages.pending", "retired_pages"},
    {"temperature", "gpu_temp", "temperature.gpu", ""},
    {"", "gpu_temp_slow_threshold", "temperature.gpu.slowdown", "temperature"},
    {"gpu_power_readings", "power_draw", "power.draw", ""},
    {"", "current_power_limit", "power.limit", ""},
    {"", "default_power_limit", "power.default_limit", "gpu_power_readings"},
    {"clocks", "sm_clock", "clocks.current.sm", ""},
    {"", "mem_clock", "clocks.current.memory", "clocks"},
    {"max_clocks", "sm_clock", "clocks.max.sm", ""},
    {"", "mem_clock", "clocks.max.memory", "max_clocks"},
};

static void print_text(const char *text) {
    for (; *text; text++) {
        if (*text == '&') fputs("&amp;", stdout);
        else if (*text == '<') fputs("&lt;", stdout);
        else if (*text == '>') fputs("&gt;", stdout);
        else putchar(*text);
    }
}

static void print_gpu(const struct shown *gpu) {
    char text[192];
    field_text("pci.bus_id", gpu, 0, text, sizeof text);
    printf("\t<gpu id=\"");
    print_text(text);
    printf("\">\n");
    int inside = 0;
    for (size_t i = 0; i < sizeof ELEMENTS / sizeof *ELEMENTS; i++) {
        if (*ELEMENTS[i].open) inside = 1, printf("\t\t<%s>\n", ELEMENTS[i].open);
        field_text(ELEMENTS[i].field, gpu, 1, text, sizeof text);
        printf("\t\t%s<%s>", inside ? "\t" : "", ELEMENTS[i].element);
        print_text(text);
        printf("</%s>\n", ELEMENTS[i].element);
        if (*ELEMENTS[i].close) inside = 0, printf("\t\t</%s>\n", ELEMENTS[i].close);
    }
    printf("\t</gpu>\n");
}

nvmlReturn_t print_xml(const struct shown *gpus, unsigned count) {
    char driver[96] = NOT_AVAILABLE, when[64];
    int cuda = 0;
    time_t now = time(NULL);
    nvmlReturn_t worst = NVML_SUCCESS;
    strftime(when, sizeof when, "%a %b %e %H:%M:%S %Y", localtime(&now));
    NVML(nvmlSystemGetDriverVersion, (char *, unsigned), (driver, sizeof driver));
    NVML(nvmlSystemGetCudaDriverVersion_v2, (int *), (&cuda));
    printf("<?xml version=\"1.0\" ?>\n<nvidia_smi_log>\n\t<timestamp>%s</timestamp>\n"
           "\t<driver_version>%s</driver_version>\n\t<cuda_version>%d.%d</cuda_version>\n"
           "\t<attached_gpus>%u</attached_gpus>\n",
           when, driver, cuda / 1000, cuda % 1000 / 10, count);
    for (unsigned i = 0; i < count; i++) {
        print_gpu(&gpus[i]);
        if (gpus[i].code != NVML_SUCCESS) worst = gpus[i].code;
    }
    puts("</nvidia_smi_log>");
    return worst;
}

/* Links are counted by asking: the first number that is refused ends them. */
static void print_links_of(nvmlDevice_t device) {
    for (unsigned link = 0, active; link < 64; link++) {
        if (NVML(nvmlDeviceGetNvLinkState, (nvmlDevice_t, unsigned, unsigned *), (device, link, &active)))
            return;
        nvmlFieldValue_t speed = {.fieldId = NVML_FI_DEV_NVLINK_GET_SPEED, .scopeId = link};
        if (!active)
            printf("\t Link %u: <inactive>\n", link);
        else if (NVML(nvmlDeviceGetFieldValues, (nvmlDevice_t, int, nvmlFieldValue_t *), (device, 1, &speed)) ||
                 speed.nvmlReturn)
            printf("\t Link %u: active\n", link);
        else
            printf("\t Link %u: %.3f GB/s\n", link, speed.value.uiVal / 1000.0);
    }
}

nvmlReturn_t print_links(const struct shown *gpus, unsigned count) {
    nvmlReturn_t worst = NVML_SUCCESS;
    for (unsigned i = 0; i < count; i++) {
        char name[192], uuid[192];
        field_text("name", &gpus[i], 0, name, sizeof name);
        field_text("uuid", &gpus[i], 0, uuid, sizeof uuid);
        if (gpus[i].code != NVML_SUCCESS) {
            worst = gpus[i].code;
            printf("Unable to determine the device handle for GPU%u: %s\n", gpus[i].index, explain(worst));
            continue;
        }
        printf("GPU %u: %s (UUID: %s)\n", gpus[i].index, name, uuid);
        print_links_of(gpus[i].device);
    }
    return worst;
}
