/* What a stand-in's accelerators are, what is wrong with them and what was set: plain files, read anew when they change. */
#ifndef GIGASITE_STATE_H
#define GIGASITE_STATE_H

#include "nvml.h"

#define MAX_GPUS 16
#define MAX_LINKS 32
#define MAX_XIDS 64
#define MAX_PROCESSES 32

struct process { unsigned pid; unsigned memory_mib; };

struct gpu {
    char name[96], uuid[80], serial[30], pci[32], cpus[96], domain[40];
    unsigned minor, numa, memory_mib, power_mw, limit_default_mw, clock_max, memory_clock, temperature, slowdown;
    unsigned links, link_mbps, link_version, clique;
    /* What happened to it since the machine started. */
    int lost;
    unsigned xids[MAX_XIDS], xid_count;
    unsigned long long ecc;
    unsigned links_down; /* one bit a link */
    unsigned hot;        /* degrees C, 0: not */
    unsigned stuck;      /* MHz, 0: not */
    unsigned limit_mw, app_clock, app_memory_clock, persistence;
    struct process processes[MAX_PROCESSES];
    unsigned process_count;
};

/* Count one more user of the library; DRIVER_NOT_LOADED on a machine without accelerators. */
nvmlReturn_t state_open(void);
nvmlReturn_t state_close(void);
const char *state_driver(void);
unsigned state_cuda(void);
/* Accelerators that this process may use: a job's device cgroup hides the others. */
unsigned state_count(void);
/* The handle of the accelerator in this place; NULL if there is none. */
nvmlDevice_t state_handle(unsigned place);
/* A copy of an accelerator as it is now, also of one that is lost; INVALID_ARGUMENT for no handle of ours. */
nvmlReturn_t state_peek(nvmlDevice_t handle, struct gpu *copy);
/* The same; GPU_IS_LOST if it is. */
nvmlReturn_t state_read(nvmlDevice_t handle, struct gpu *copy);
/* The handle's place among those that this process may use. */
unsigned state_place(nvmlDevice_t handle);
/* Note a setting; NO_PERMISSION for who may not. */
nvmlReturn_t state_note(nvmlDevice_t handle, const char *key, unsigned first, unsigned second);

/* First lines of most functions: `copy` becomes a copy of the device as it is now. */
#define READ(device, copy)                                                                                   \
    struct gpu copy;                                                                                         \
    do {                                                                                                     \
        nvmlReturn_t code_ = state_read(device, &copy);                                                      \
        if (code_ != NVML_SUCCESS) return code_;                                                             \
    } while (0)
#define WANT(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) return NVML_ERROR_INVALID_ARGUMENT;                                                \
    } while (0)

#endif
