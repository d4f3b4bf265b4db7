#include "dispatch.h"

#include <stddef.h>
/* CNNFAST_PORTABLE builds what other CPUs get, to test it here. */
#if defined(__x86_64__) && !defined(CNNFAST_PORTABLE)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__) && !defined(CNNFAST_PORTABLE)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

/* An instruction set, its integer kernels, and those with a dot product of bytes that only some of its CPUs have. */
typedef struct level {
    const cnnfast_kernels *kernels;
    const cnnfast_int8_kernels *widening, *dot;
} level;

#if defined(__x86_64__) && !defined(CNNFAST_PORTABLE)
extern const cnnfast_kernels cnnfast_sse2, cnnfast_avx2, cnnfast_avx512;
extern const cnnfast_int8_kernels cnnfast_int8_sse2, cnnfast_int8_avx2, cnnfast_int8_avx512;
extern const cnnfast_int8_kernels cnnfast_int8_avx2vnni, cnnfast_int8_avx512vnni;
static const level known[] = {
    {&cnnfast_sse2, &cnnfast_int8_sse2, NULL},
    {&cnnfast_avx2, &cnnfast_int8_avx2, &cnnfast_int8_avx2vnni},
    {&cnnfast_avx512, &cnnfast_int8_avx512, &cnnfast_int8_avx512vnni},
};

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

/* AVX-VNNI, which older compilers do not know by name; asked once, because a virtual machine answers slowly */
static int has_avx_vnni(void) {
    static int has = -1;
    unsigned a = 0, b, c, d;
    if (has < 0) has = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1 << 4);
    return has;
}

static int has_dot(int index) {
    switch (index) {
    case 1: return has_avx_vnni();
    case 2: return __builtin_cpu_supports("avx512vnni") != 0;
    default: return 0;
    }
}
#elif defined(__aarch64__) && !defined(CNNFAST_PORTABLE)
extern const cnnfast_kernels cnnfast_neon;
extern const cnnfast_int8_kernels cnnfast_int8_neon, cnnfast_int8_neondot;
static const level known[] = {{&cnnfast_neon, &cnnfast_int8_neon, &cnnfast_int8_neondot}};
int cnnfast_isa_supported(int index) { return index == 0; }
#if defined(__linux__)
static int has_dot(int index) { return index == 0 && (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#elif defined(__APPLE__)
static int has_dot(int index) { return index == 0; } /* every one of them has it */
#else
static int has_dot(int index) { return 0; }
#endif
#else
extern const cnnfast_kernels cnnfast_portable;
extern const cnnfast_int8_kernels cnnfast_int8_portable;
static const level known[] = {{&cnnfast_portable, &cnnfast_int8_portable, NULL}};
int cnnfast_isa_supported(int index) { return index == 0; }
static int has_dot(int index) { return 0; }
#endif

enum { COUNT = sizeof known / sizeof known[0] };
static int active = -1, use_dot = 1;

static int active_index(void) {
    if (active < 0)
        for (int i = 0; i < COUNT; i++)
            if (cnnfast_isa_supported(i)) active = i;
    return active;
}

int cnnfast_isa_count(void) { return COUNT; }
const char *cnnfast_isa_name(int index) { return known[index].kernels->isa; }
void cnnfast_select(int index) { active = index; }
const cnnfast_kernels *cnnfast_active(void) { return known[active_index()].kernels; }

int cnnfast_dot_supported(void) { return known[active_index()].dot && has_dot(active_index()); }
void cnnfast_use_dot(int use) { use_dot = use; }

const cnnfast_int8_kernels *cnnfast_active_int8(void) {
    const level *l = &known[active_index()];
    return l->dot && use_dot && has_dot(active_index()) ? l->dot : l->widening;
}
