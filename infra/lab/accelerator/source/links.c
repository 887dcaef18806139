/* NVML: NVLink and the fabric it makes, the ways between accelerators, and fields asked by number. */
#include "state.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINK(device, link, gpu)                                                                              \
    READ(device, gpu);                                                                                       \
    if (!gpu.links) return NVML_ERROR_NOT_SUPPORTED;                                                         \
    if ((link) >= gpu.links) return NVML_ERROR_INVALID_ARGUMENT

/* What a link that went down had counted by then. */
#define ERRORS_OF_A_DEAD_LINK 1024

static unsigned is_up(const struct gpu *gpu, unsigned link) { return !(gpu->links_down >> link & 1U); }

NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned link, unsigned *active) {
    WANT(active);
    LINK(device, link, gpu);
    *active = is_up(&gpu, link);
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned link, unsigned *version) {
    WANT(version);
    LINK(device, link, gpu);
    *version = gpu.link_version;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkCapability(nvmlDevice_t device, unsigned link, int capability,
                                                       unsigned *has) {
    WANT(has);
    LINK(device, link, gpu);
    *has = capability == NVML_NVLINK_CAP_P2P_SUPPORTED || capability == NVML_NVLINK_CAP_P2P_ATOMICS ||
           capability == NVML_NVLINK_CAP_VALID;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned link, int counter,
                                                         unsigned long long *count) {
    (void)counter;
    WANT(count);
    LINK(device, link, gpu);
    *count = is_up(&gpu, link) ? 0 : ERRORS_OF_A_DEAD_LINK;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned link, int *type) {
    WANT(type);
    LINK(device, link, gpu);
    *type = NVML_NVLINK_DEVICE_TYPE_SWITCH;
    return NVML_SUCCESS;
}
/* Every link ends in a switch of its own number, in a PCI domain that no accelerator is in. */
NVML_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned link,
                                                             nvmlPciInfo_t *pci) {
    WANT(pci);
    LINK(device, link, gpu);
    memset(pci, 0, sizeof *pci);
    pci->domain = 0xffff;
    pci->bus = link;
    pci->pciDeviceId = 0x10de;
    snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:00.0", pci->domain, link & 0xff);
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:00.0", pci->domain & 0xffff, link & 0xff);
    return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t one, nvmlDevice_t other, int *level) {
    WANT(level);
    READ(one, first);
    READ(other, second);
    *level = one == other                     ? NVML_TOPOLOGY_INTERNAL
             : first.numa == second.numa ? NVML_TOPOLOGY_NODE
                                         : NVML_TOPOLOGY_SYSTEM;
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t one, nvmlDevice_t other, int index, int *status) {
    WANT(status);
    READ(one, first);
    READ(other, second);
    int linked = index == NVML_P2P_CAPS_INDEX_NVLINK && first.links && second.links;
    *status = linked ? NVML_P2P_STATUS_OK : NVML_P2P_STATUS_NOT_SUPPORTED;
    return NVML_SUCCESS;
}

static void fill_fabric(const struct gpu *gpu, unsigned char *uuid, unsigned *clique, int *state) {
    memset(uuid, 0, 16);
    for (unsigned byte = 0, digit = 0; byte < 16 && gpu->domain[digit]; digit++) {
        unsigned value;
        if (gpu->domain[digit] == '-') continue;
        if (sscanf(gpu->domain + digit, "%2x", &value) != 1) break;
        uuid[byte++] = (unsigned char)value;
        digit++;
    }
    *clique = gpu->clique;
    *state = gpu->domain[0] ? NVML_GPU_FABRIC_STATE_COMPLETED : NVML_GPU_FABRIC_STATE_NOT_SUPPORTED;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *info) {
    WANT(info);
    READ(device, gpu);
    info->status = NVML_SUCCESS;
    fill_fabric(&gpu, info->clusterUuid, &info->cliqueId, &info->state);
    return NVML_SUCCESS;
}
NVML_EXPORT nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, nvmlGpuFabricInfo_v2_t *info) {
    WANT(info);
    if (info->version != NVML_STRUCT_VERSION(nvmlGpuFabricInfo_v2_t, 2)) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    READ(device, gpu);
    info->status = NVML_SUCCESS;
    info->healthMask = 0;
    fill_fabric(&gpu, info->clusterUuid, &info->cliqueId, &info->state);
    return NVML_SUCCESS;
}

NVML_EXPORT nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values) {
    struct timespec now;
    WANT(values && count > 0);
    READ(device, gpu);
    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < count; i++) {
        nvmlFieldValue_t *value = &values[i];
        const unsigned link = value->scopeId;
        int needs_link = 0;
        unsigned number = 0;
        value->timestamp = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
        value->latencyUsec = 0;
        value->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
        value->nvmlReturn = NVML_SUCCESS;
        value->value.ullVal = 0;
        switch (value->fieldId) {
        case NVML_FI_DEV_ECC_DBE_VOL_TOTAL:
            value->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
            value->value.ullVal = gpu.ecc;
            continue;
        case NVML_FI_DEV_RETIRED_DBE:
        case NVML_FI_DEV_RETIRED_PENDING: number = gpu.ecc > 0; break;
        case NVML_FI_DEV_NVLINK_LINK_COUNT: number = gpu.links; break;
        case NVML_FI_DEV_NVLINK_SPEED_MBPS_COMMON: number = gpu.link_mbps; break;
        case NVML_FI_DEV_NVLINK_GET_SPEED: needs_link = 1; number = gpu.link_mbps; break;
        case NVML_FI_DEV_NVLINK_GET_VERSION: needs_link = 1; number = gpu.link_version; break;
        case NVML_FI_DEV_NVLINK_GET_STATE: needs_link = 1; break;
        default: value->nvmlReturn = NVML_ERROR_NOT_SUPPORTED; continue;
        }
        if (needs_link && link >= gpu.links) {
            value->nvmlReturn = NVML_ERROR_INVALID_ARGUMENT;
            continue;
        }
        if (needs_link && !is_up(&gpu, link)) number = 0;
        else if (value->fieldId == NVML_FI_DEV_NVLINK_GET_STATE) number = 1;
        value->value.uiVal = number;
    }
    return NVML_SUCCESS;
}
