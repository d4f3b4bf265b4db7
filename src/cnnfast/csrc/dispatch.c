#include "dispatch.h"

#if defined(__x86_64__)
extern const cnnfast_kernels cnnfast_sse2, cnnfast_avx2, cnnfast_avx512;
static const cnnfast_kernels *const known[] = {&cnnfast_sse2, &cnnfast_avx2, &cnnfast_avx512};

int cnnfast_isa_supported(int index) {
    __builtin_cpu_init();
    switch (index) {
    case 0: return 1;
    case 1: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case 2:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    default: return 0;
    }
}
#elif defined(__aarch64__)
extern const cnnfast_kernels cnnfast_neon;
static const cnnfast_kernels *const known[] = {&cnnfast_neon};
int cnnfast_isa_supported(int index) { return index == 0; }
#else
extern const cnnfast_kernels cnnfast_portable;
static const cnnfast_kernels *const known[] = {&cnnfast_portable};
int cnnfast_isa_supported(int index) { return index == 0; }
#endif

enum { COUNT = sizeof known / sizeof known[0] };
static const cnnfast_kernels *active;

int cnnfast_isa_count(void) { return COUNT; }
const char *cnnfast_isa_name(int index) { return known[index]->isa; }
void cnnfast_select(int index) { active = known[index]; }

const cnnfast_kernels *cnnfast_active(void) {
    if (!active) {
        int best = 0;
        for (int i = 0; i < COUNT; i++)
            if (cnnfast_isa_supported(i)) best = i;
        active = known[best];
    }
    return active;
}
