/* nvidia-smi of the stand-ins: only what NVML's public interface can answer, over whichever library is there. */
#ifndef GIGASITE_SMI_H
#define GIGASITE_SMI_H

#include "nvml.h"

#define MAX_SHOWN 64
/* The public reference's own words for what a device does not tell. */
#define NOT_AVAILABLE "[N/A]"

struct shown {
    unsigned index;
    nvmlDevice_t device; /* NULL: `code` says why there is no handle */
    nvmlReturn_t code;
};

/* A function of the library; NULL if it has none of that name. */
void *symbol(const char *name);
/* Call NVML(name, (types), (arguments)): FUNCTION_NOT_FOUND where the library lacks it. */
#define NVML(name, types, arguments)                                                                         \
    __extension__({                                                                                          \
        nvmlReturn_t(*function_) types = (nvmlReturn_t(*) types)symbol(#name);                               \
        function_ ? function_ arguments : NVML_ERROR_FUNCTION_NOT_FOUND;                                     \
    })
const char *explain(nvmlReturn_t code);
/* Text of a field of --query-gpu, with its unit or without; 0 if there is no such field. */
int field_text(const char *name, const struct shown *gpu, int units, char *text, unsigned size);
const char *field_unit(const char *name);
nvmlReturn_t query_gpus(const char *fields, const char *format, const struct shown *gpus, unsigned count);
nvmlReturn_t query_processes(const char *fields, const char *format, const struct shown *gpus, unsigned count);
nvmlReturn_t print_xml(const struct shown *gpus, unsigned count);
nvmlReturn_t print_links(const struct shown *gpus, unsigned count);

#endif
