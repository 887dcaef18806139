#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INVENTORY "/etc/gigasite/accelerators"
#define FAULTS "/run/gigasite/accelerator-faults"
#define SETTINGS "/run/gigasite/accelerator-settings"

struct nvmlDevice_st { unsigned index; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static char driver[80];
static unsigned cuda, gpu_count, visible_count;
static unsigned visible[MAX_GPUS];
static struct gpu gpus[MAX_GPUS];
static struct nvmlDevice_st handles[MAX_GPUS];
static struct stamp { dev_t device; ino_t inode; off_t size; struct timespec changed; } stamps[3];

/* Below another root for tests; never for a program that runs with another user's rights. */
static const char *place_of(const char *path, char *buffer, size_t size) {
    const char *root = secure_getenv("GIGASITE_ACCELERATOR_ROOT");
    snprintf(buffer, size, "%s%s", root ? root : "", path);
    return buffer;
}

static int has_changed(const char *path, struct stamp *stamp) {
    struct stat now;
    struct stamp fresh;
    memset(&fresh, 0, sizeof fresh);
    if (stat(path, &now) == 0) {
        fresh.device = now.st_dev;
        fresh.inode = now.st_ino;
        fresh.size = now.st_size;
        fresh.changed = now.st_mtim;
    }
    if (!memcmp(&fresh, stamp, sizeof fresh)) return 0;
    *stamp = fresh;
    return 1;
}

static void set_text(char *target, size_t size, const char *value) { snprintf(target, size, "%s", value); }

static void set_part(struct gpu *gpu, const char *key, const char *value) {
    const struct { const char *key; char *target; size_t size; } texts[] = {
        {"name", gpu->name, sizeof gpu->name},       {"uuid", gpu->uuid, sizeof gpu->uuid},
        {"serial", gpu->serial, sizeof gpu->serial}, {"pci", gpu->pci, sizeof gpu->pci},
        {"cpus", gpu->cpus, sizeof gpu->cpus},       {"domain", gpu->domain, sizeof gpu->domain},
    };
    const struct { const char *key; unsigned *target; } numbers[] = {
        {"numa", &gpu->numa},
        {"memory_mib", &gpu->memory_mib},
        {"power_mw", &gpu->power_mw},
        {"power_limit_mw", &gpu->limit_default_mw},
        {"clock_mhz", &gpu->clock_max},
        {"memory_clock_mhz", &gpu->memory_clock},
        {"temperature_c", &gpu->temperature},
        {"slowdown_c", &gpu->slowdown},
        {"nvlinks", &gpu->links},
        {"nvlink_mbps", &gpu->link_mbps},
        {"nvlink_version", &gpu->link_version},
        {"clique", &gpu->clique},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(key, texts[i].key)) set_text(texts[i].target, texts[i].size, value);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(key, numbers[i].key)) *numbers[i].target = (unsigned)strtoul(value, NULL, 10);
    if (gpu->links > MAX_LINKS) gpu->links = MAX_LINKS;
}

static void add_fault(struct gpu *gpu, const char *key, const char *value) {
    char *rest;
    unsigned first = (unsigned)strtoul(value, &rest, 10), second = (unsigned)strtoul(rest, NULL, 10);
    if (!strcmp(key, "xid")) {
        if (gpu->xid_count < MAX_XIDS) gpu->xids[gpu->xid_count++] = first;
        /* 79: "GPU has fallen off the bus" (NVIDIA's public XID catalogue). */
        if (first == 79) gpu->lost = 1;
    } else if (!strcmp(key, "lost")) {
        gpu->lost = 1;
    } else if (!strcmp(key, "ecc")) {
        gpu->ecc += first;
    } else if (!strcmp(key, "nvlink")) {
        if (first < MAX_LINKS) gpu->links_down |= 1U << first;
    } else if (!strcmp(key, "hot")) {
        gpu->hot = first;
    } else if (!strcmp(key, "clock")) {
        gpu->stuck = first;
    } else if (!strcmp(key, "process")) {
        /* One that has ended since no longer holds anything. */
        if (gpu->process_count < MAX_PROCESSES && (kill((pid_t)first, 0) == 0 || errno == EPERM))
            gpu->processes[gpu->process_count++] = (struct process){first, second};
    }
}

static void add_setting(struct gpu *gpu, const char *key, const char *value) {
    char *rest;
    unsigned first = (unsigned)strtoul(value, &rest, 10), second = (unsigned)strtoul(rest, NULL, 10);
    if (!strcmp(key, "limit_mw")) {
        gpu->limit_mw = first;
    } else if (!strcmp(key, "persistence")) {
        gpu->persistence = first;
    } else if (!strcmp(key, "app_clocks")) {
        gpu->app_memory_clock = first;
        gpu->app_clock = second;
    }
}

/* Lines `gpu INDEX KEY VALUE` and `KEY VALUE`; a line that is not understood says nothing. */
static void read_lines(FILE *file, void (*part)(struct gpu *, const char *, const char *)) {
    char line[256], key[32];
    while (fgets(line, sizeof line, file)) {
        unsigned index;
        int used = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "gpu %u %31s %n", &index, key, &used) == 2) {
            if (index >= MAX_GPUS || !used) continue;
            if (part == set_part && index >= gpu_count) gpu_count = index + 1;
            part(&gpus[index], key, line + used);
        } else if (part == set_part && sscanf(line, "%31s %n", key, &used) == 1 && used) {
            if (!strcmp(key, "driver")) set_text(driver, sizeof driver, line + used);
            if (!strcmp(key, "cuda")) cuda = (unsigned)strtoul(line + used, NULL, 10);
        }
    }
}

static void load(void) {
    char inventory[512], faults[512], settings[512];
    place_of(INVENTORY, inventory, sizeof inventory);
    place_of(FAULTS, faults, sizeof faults);
    place_of(SETTINGS, settings, sizeof settings);
    int changed = has_changed(inventory, &stamps[0]);
    changed |= has_changed(faults, &stamps[1]);
    changed |= has_changed(settings, &stamps[2]);
    int busy = 0; /* processes end without a word in any file */
    for (unsigned i = 0; i < gpu_count; i++) busy |= gpus[i].process_count > 0;
    if (!changed && !busy) return;
    memset(gpus, 0, sizeof gpus);
    gpu_count = 0;
    FILE *file = fopen(inventory, "re");
    if (file) {
        read_lines(file, set_part);
        fclose(file);
    }
    for (unsigned i = 0; i < MAX_GPUS; i++) {
        gpus[i].minor = handles[i].index = i;
        gpus[i].limit_mw = gpus[i].limit_default_mw;
        gpus[i].app_clock = gpus[i].clock_max;
        gpus[i].app_memory_clock = gpus[i].memory_clock;
    }
    if ((file = fopen(faults, "re"))) {
        read_lines(file, add_fault);
        fclose(file);
    }
    if ((file = fopen(settings, "re"))) {
        read_lines(file, add_setting);
        fclose(file);
    }
}

/* As the real library does it: what the device cgroup or a node's mode keeps from a process is not there. */
static void find_visible(void) {
    visible_count = 0;
    for (unsigned i = 0; i < gpu_count; i++) {
        char node[32], path[512];
        snprintf(node, sizeof node, "/dev/nvidia%u", i);
        int file = open(place_of(node, path, sizeof path), O_RDWR | O_CLOEXEC | O_NONBLOCK);
        int hidden = file < 0 && (errno == EPERM || errno == EACCES);
        if (file >= 0) close(file);
        if (!hidden) visible[visible_count++] = i;
    }
}

nvmlReturn_t state_open(void) {
    nvmlReturn_t code = NVML_SUCCESS;
    pthread_mutex_lock(&lock);
    load();
    if (gpu_count == 0) {
        code = NVML_ERROR_DRIVER_NOT_LOADED;
    } else if (users++ == 0) {
        find_visible();
    }
    pthread_mutex_unlock(&lock);
    return code;
}

nvmlReturn_t state_close(void) {
    pthread_mutex_lock(&lock);
    nvmlReturn_t code = users ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
    if (users) users--;
    pthread_mutex_unlock(&lock);
    return code;
}

const char *state_driver(void) { return users ? driver : NULL; }

unsigned state_cuda(void) { return cuda; }

unsigned state_count(void) { return users ? visible_count : 0; }

nvmlDevice_t state_handle(unsigned place) { return place < state_count() ? &handles[visible[place]] : NULL; }

unsigned state_place(nvmlDevice_t handle) {
    unsigned place = 0;
    while (place < visible_count && &handles[visible[place]] != handle) place++;
    return place;
}

nvmlReturn_t state_peek(nvmlDevice_t handle, struct gpu *copy) {
    nvmlReturn_t code = NVML_SUCCESS;
    pthread_mutex_lock(&lock);
    if (!users)
        code = NVML_ERROR_UNINITIALIZED;
    else if (state_place(handle) == visible_count)
        code = NVML_ERROR_INVALID_ARGUMENT;
    else {
        load();
        *copy = gpus[handle->index];
    }
    pthread_mutex_unlock(&lock);
    return code;
}

nvmlReturn_t state_read(nvmlDevice_t handle, struct gpu *copy) {
    nvmlReturn_t code = state_peek(handle, copy);
    return code == NVML_SUCCESS && copy->lost ? NVML_ERROR_GPU_IS_LOST : code;
}

nvmlReturn_t state_note(nvmlDevice_t handle, const char *key, unsigned first, unsigned second) {
    char path[512], line[96];
    if (geteuid() != 0) return NVML_ERROR_NO_PERMISSION;
    char *end = strrchr(place_of(SETTINGS, path, sizeof path), '/');
    *end = 0;
    mkdir(path, 0755); /* gone with a restart, as a driver's settings are */
    *end = '/';
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return NVML_ERROR_OPERATING_SYSTEM;
    int size = snprintf(line, sizeof line, "gpu %u %s %u %u\n", handle->index, key, first, second);
    ssize_t written = write(file, line, (size_t)size); /* one write: lines of two programs do not mix */
    close(file);
    return written == size ? NVML_SUCCESS : NVML_ERROR_OPERATING_SYSTEM;
}
