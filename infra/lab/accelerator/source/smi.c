/* nvidia-smi: words of the command line, and lists of accelerators. */
#define _GNU_SOURCE
#include "smi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *library;

void *symbol(const char *name) { return library ? dlsym(library, name) : NULL; }

const char *explain(nvmlReturn_t code) {
    const char *(*function)(nvmlReturn_t) = (const char *(*)(nvmlReturn_t))symbol("nvmlErrorString");
    return function ? function(code) : "Unknown Error";
}

static nvmlReturn_t list(const struct shown *gpus, unsigned count) {
    nvmlReturn_t worst = NVML_SUCCESS;
    for (unsigned i = 0; i < count; i++) {
        char name[96], uuid[96];
        nvmlReturn_t code = gpus[i].code;
        if (code == NVML_SUCCESS)
            code = NVML(nvmlDeviceGetName, (nvmlDevice_t, char *, unsigned), (gpus[i].device, name, sizeof name));
        if (code == NVML_SUCCESS)
            code = NVML(nvmlDeviceGetUUID, (nvmlDevice_t, char *, unsigned), (gpus[i].device, uuid, sizeof uuid));
        if (code == NVML_SUCCESS) {
            printf("GPU %u: %s (UUID: %s)\n", gpus[i].index, name, uuid);
        } else {
            printf("Unable to determine the device handle for GPU%u: %s\n", gpus[i].index, explain(code));
            worst = code;
        }
    }
    return worst;
}

static nvmlReturn_t overview(const struct shown *gpus, unsigned count) {
    return query_gpus("index,name,pci.bus_id,temperature.gpu,power.draw,power.limit,memory.used,memory.total,"
                      "utilization.gpu,clocks.sm,ecc.errors.uncorrected.volatile.total",
                      "csv", gpus, count);
}

/* In the words of NVIDIA's own program; a setting that cannot be made does not keep it from the others. */
static nvmlReturn_t set_each(const struct shown *gpus, unsigned count, const char *persistence, const char *limit) {
    nvmlReturn_t worst = NVML_SUCCESS;
    for (unsigned i = 0; i < count; i++) {
        char pci[96];
        unsigned old = 0;
        nvmlReturn_t code = gpus[i].code;
        field_text("pci.bus_id", &gpus[i], 0, pci, sizeof pci);
        if (code == NVML_SUCCESS && persistence) {
            code = NVML(nvmlDeviceSetPersistenceMode, (nvmlDevice_t, unsigned), (gpus[i].device, *persistence == '1'));
            if (code == NVML_SUCCESS)
                printf("%s persistence mode for GPU %s.\n", *persistence == '1' ? "Enabled" : "Disabled", pci);
        }
        if (code == NVML_SUCCESS && limit) {
            double watts = strtod(limit, NULL);
            NVML(nvmlDeviceGetPowerManagementLimit, (nvmlDevice_t, unsigned *), (gpus[i].device, &old));
            code = NVML(nvmlDeviceSetPowerManagementLimit, (nvmlDevice_t, unsigned),
                        (gpus[i].device, (unsigned)(watts * 1000)));
            if (code == NVML_SUCCESS)
                printf("Power limit for GPU %s was set to %.2f W from %.2f W.\n", pci, watts, old / 1000.0);
        }
        if (code == NVML_SUCCESS) continue;
        printf("Unable to set %s for GPU %s: %s\n", limit ? "the power limit" : "persistence mode", pci, explain(code));
        worst = code;
    }
    return worst;
}

static int is_number(const char *text) {
    char *end;
    return strtod(text, &end) > 0 && !*end;
}

/* Those that -i names: indices or UUIDs, with commas between. */
static int is_chosen(const char *chosen, unsigned index, nvmlDevice_t device) {
    char list_[512], uuid[96] = "", *rest = list_;
    if (!chosen) return 1;
    if (device) NVML(nvmlDeviceGetUUID, (nvmlDevice_t, char *, unsigned), (device, uuid, sizeof uuid));
    snprintf(list_, sizeof list_, "%s", chosen);
    for (char *word; (word = strsep(&rest, ","));) {
        char *end;
        unsigned long number = strtoul(word, &end, 10);
        if ((*word && !*end && number == index) || (*uuid && !strcmp(word, uuid))) return 1;
    }
    return 0;
}

static unsigned find_gpus(const char *chosen, struct shown *gpus) {
    unsigned count = 0, found = 0;
    NVML(nvmlDeviceGetCount_v2, (unsigned *), (&count));
    for (unsigned i = 0; i < count && found < MAX_SHOWN; i++) {
        struct shown gpu = {.index = i};
        gpu.code = NVML(nvmlDeviceGetHandleByIndex_v2, (unsigned, nvmlDevice_t *), (i, &gpu.device));
        if (gpu.code != NVML_SUCCESS) gpu.device = NULL;
        if (is_chosen(chosen, i, gpu.device)) gpus[found++] = gpu;
    }
    return found;
}

static int usage(FILE *where, int code) {
    fprintf(where,
            "nvidia-smi of gigasite, over the public functions of libnvidia-ml.so.1:\n"
            "  nvidia-smi [-i INDEX|UUID,…]                      one line for each accelerator\n"
            "  nvidia-smi -L                                     names and UUIDs\n"
            "  nvidia-smi --query-gpu=FIELD,… --format=csv[,noheader][,nounits]\n"
            "  nvidia-smi --query-compute-apps=FIELD,… --format=csv[,noheader][,nounits]\n"
            "  nvidia-smi -q -x                                  all that is known, as XML\n"
            "  nvidia-smi nvlink -s                              state and speed of each NVLink\n"
            "  nvidia-smi [-i INDEX|UUID,…] -pm 0|1              persistence mode, as root\n"
            "  nvidia-smi [-i INDEX|UUID,…] -pl WATTS            power limit, as root\n");
    return code;
}

static const char *value_of(const char *word, const char *option) {
    size_t size = strlen(option);
    return !strncmp(word, option, size) && word[size] == '=' ? word + size + 1 : NULL;
}

int main(int argc, char **argv) {
    const char *query = NULL, *apps = NULL, *format = NULL, *chosen = NULL, *value;
    const char *persistence = NULL, *limit = NULL;
    int names = 0, all = 0, xml = 0, links = 0, speeds = 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!strcmp(word, "-h") || !strcmp(word, "--help")) return usage(stdout, 0);
        if (!strcmp(word, "-L") || !strcmp(word, "--list-gpus")) names = 1;
        else if (!strcmp(word, "-q") || !strcmp(word, "--query")) all = 1;
        else if (!strcmp(word, "-x") || !strcmp(word, "--xml-format")) xml = 1;
        else if (i == 1 && !strcmp(word, "nvlink")) links = 1;
        else if (links && (!strcmp(word, "-s") || !strcmp(word, "--status"))) speeds = 1;
        else if (!strcmp(word, "-i") && i + 1 < argc) chosen = argv[++i];
        else if (!strcmp(word, "-pm") && i + 1 < argc && (!strcmp(argv[i + 1], "0") || !strcmp(argv[i + 1], "1")))
            persistence = argv[++i];
        else if (!strcmp(word, "-pl") && i + 1 < argc && is_number(argv[i + 1])) limit = argv[++i];
        else if ((value = value_of(word, "--id"))) chosen = value;
        else if ((value = value_of(word, "--query-gpu"))) query = value;
        else if ((value = value_of(word, "--query-compute-apps"))) apps = value;
        else if ((value = value_of(word, "--format"))) format = value;
        else {
            fprintf(stderr, "Invalid combination of input arguments: %s\n", word);
            return usage(stderr, 1);
        }
    }
    if ((query || apps) && (!format || strncmp(format, "csv", 3))) {
        fprintf(stderr, "\"--format=\" switch is missing; csv is the one format\n");
        return 2;
    }
    if (all != xml || links != speeds) return usage(stderr, 1);
    library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (!library) {
        fprintf(stderr, "NVIDIA-SMI couldn't find libnvidia-ml.so.1 library in your system: %s\n", dlerror());
        return NVML_ERROR_LIBRARY_NOT_FOUND;
    }
    nvmlReturn_t code = NVML(nvmlInit_v2, (void), ());
    if (code != NVML_SUCCESS) {
        printf("Failed to initialize NVML: %s\n", explain(code));
        return (int)code;
    }
    struct shown gpus[MAX_SHOWN];
    unsigned count = find_gpus(chosen, gpus);
    if (!count) {
        puts("No devices were found");
        code = NVML_ERROR_NOT_FOUND;
    } else if (names) code = list(gpus, count);
    else if (query) code = query_gpus(query, format, gpus, count);
    else if (apps) code = query_processes(apps, format, gpus, count);
    else if (all) code = print_xml(gpus, count);
    else if (links) code = print_links(gpus, count);
    else if (persistence || limit) code = set_each(gpus, count, persistence, limit);
    else code = overview(gpus, count);
    NVML(nvmlShutdown, (void), ());
    return (int)code;
}
