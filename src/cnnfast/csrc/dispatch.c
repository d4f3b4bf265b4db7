#include "dispatch.h"

#include <stddef.h>
#ifdef __linux__
#include <unistd.h>
#endif
/* CNNFAST_PORTABLE builds what other CPUs get, to test it here. */
#if defined(__x86_64__) && !defined(CNNFAST_PORTABLE)
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#elif defined(__aarch64__) && defined(__linux__) && !defined(CNNFAST_PORTABLE)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(_WIN32) && !defined(CNNFAST_PORTABLE)
#include "small_windows.h"
#endif

/* An instruction set and its integer kernels: by products of 16 bits, by a dot product of bytes and by matrix tiles, which
   only some of its CPUs have, and for which some compilers have no intrinsics. */
enum { MULTIPLIERS = 3 };
typedef struct level {
    const cnnfast_kernels *kernels;
    const cnnfast_int8_kernels *int8[MULTIPLIERS];
} level;

#if defined(__x86_64__) && !defined(CNNFAST_PORTABLE)
extern const cnnfast_kernels cnnfast_sse2, cnnfast_avx2, cnnfast_avx512;
extern const cnnfast_int8_kernels cnnfast_int8_sse2, cnnfast_int8_avx2, cnnfast_int8_avx512;
extern const cnnfast_int8_kernels cnnfast_int8_avx2vnni, cnnfast_int8_avx512vnni, cnnfast_int8_avx512amx;
#ifdef CNNFAST_WITHOUT_AVX2VNNI
#define AVX2VNNI NULL
#else
#define AVX2VNNI &cnnfast_int8_avx2vnni
#endif
#ifdef CNNFAST_WITHOUT_AVX512VNNI
#define AVX512VNNI NULL
#else
#define AVX512VNNI &cnnfast_int8_avx512vnni
#endif
#ifdef CNNFAST_WITHOUT_AVX512AMX
#define AVX512AMX NULL
#else
#define AVX512AMX &cnnfast_int8_avx512amx
#endif
static const level known[] = {
    {&cnnfast_sse2, {&cnnfast_int8_sse2}},
    {&cnnfast_avx2, {&cnnfast_int8_avx2, AVX2VNNI}},
    {&cnnfast_avx512, {&cnnfast_int8_avx512, AVX512VNNI, AVX512AMX}},
};

/* What the CPU says of itself, asked once, because a virtual machine answers slowly. The compiler's own functions for this are
   in a library that not every compiler brings. Registers count only if the system saves them, which XCR0 says. */
typedef struct cpu {
    unsigned basic, more_b, more_c, more_d, later; /* leaf 1: ecx; leaf 7: ebx, ecx, edx; leaf 7, 1: eax */
    unsigned saved;
} cpu;

enum { FMA = 1 << 12, HAS_XCR0 = 1 << 27, AVX2 = 1 << 5, VNNI = 1 << 11, AVX_VNNI = 1 << 4 };
enum { YMM_SAVED = 0x6, ZMM_SAVED = 0xe6 };
static const unsigned AVX512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */

static const cpu *this_cpu(void) {
    static cpu known;
    static int asked;
    /* threads that ask at the same time write the same */
    if (!__atomic_load_n(&asked, __ATOMIC_ACQUIRE)) {
        unsigned a, b, c, d;
        cpu k = {0};
        if (__get_cpuid(1, &a, &b, &c, &d)) k.basic = c;
        if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) k.more_b = b, k.more_c = c, k.more_d = d;
        if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) k.later = a;
        if (k.basic & HAS_XCR0) __asm__ volatile("xgetbv" : "=a"(k.saved), "=d"(d) : "c"(0));
        known = k;
        __atomic_store_n(&asked, 1, __ATOMIC_RELEASE);
    }
    return &known;
}

int cnnfast_isa_supported(int index) {
    const cpu *k = this_cpu();
    switch (index) {
    case 0: return 1;
    case 1: return (k->basic & FMA) && (k->more_b & AVX2) && (k->saved & YMM_SAVED) == YMM_SAVED;
    case 2: return (k->basic & FMA) && (k->more_b & AVX512) == AVX512 && (k->saved & ZMM_SAVED) == ZMM_SAVED;
    default: return 0;
    }
}

/* Matrix tiles of bytes: a process asks Linux for them, which saves their eight kilobytes for each of its threads. */
static int has_amx(void) {
#ifdef __linux__
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, TILES_AND_BYTES = 3 << 24 };
    static int has = -1;
    if (has < 0)
        has = (this_cpu()->more_d & TILES_AND_BYTES) == TILES_AND_BYTES &&
              syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
    return has;
#else
    return 0;
#endif
}

static int has_multiplier(int index, int which) {
    if (index == 1) return (this_cpu()->later & AVX_VNNI) != 0;
    return index == 2 && (which == 1 ? (this_cpu()->more_c & VNNI) != 0 : has_amx());
}
#elif defined(__aarch64__) && !defined(CNNFAST_PORTABLE)
extern const cnnfast_kernels cnnfast_neon;
extern const cnnfast_int8_kernels cnnfast_int8_neon, cnnfast_int8_neondot;
#ifdef CNNFAST_WITHOUT_NEONDOT
#define NEONDOT NULL
#else
#define NEONDOT &cnnfast_int8_neondot
#endif
static const level known[] = {{&cnnfast_neon, {&cnnfast_int8_neon, NEONDOT}}};
int cnnfast_isa_supported(int index) { return index == 0; }
#if defined(__linux__)
static int has_multiplier(int index, int which) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#elif defined(__APPLE__)
static int has_multiplier(int index, int which) { return 1; } /* every one of them has it */
#elif defined(_WIN32)
enum { DOT_PRODUCTS = 43 }; /* PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE, which older headers lack */
static int has_multiplier(int index, int which) { return IsProcessorFeaturePresent(DOT_PRODUCTS) != 0; }
#else
static int has_multiplier(int index, int which) { return 0; }
#endif
#else
extern const cnnfast_kernels cnnfast_portable;
extern const cnnfast_int8_kernels cnnfast_int8_portable;
static const level known[] = {{&cnnfast_portable, {&cnnfast_int8_portable}}};
int cnnfast_isa_supported(int index) { return index == 0; }
static int has_multiplier(int index, int which) { return 0; }
#endif

enum { COUNT = sizeof known / sizeof known[0] };
static int active = -1, multiplier = MULTIPLIERS - 1;

static int active_index(void) {
    if (active < 0)
        for (int i = 0; i < COUNT; i++)
            if (cnnfast_isa_supported(i)) active = i;
    return active;
}

int cnnfast_isa_count(void) { return COUNT; }
const char *cnnfast_isa_name(int index) { return known[index].kernels->isa; }
int cnnfast_isa_has_fma(int index) { return known[index].kernels->has_fma; }
void cnnfast_select(int index) { active = index; }
const cnnfast_kernels *cnnfast_active(void) { return known[active_index()].kernels; }

int cnnfast_dot_count(void) {
    const level *l = &known[active_index()];
    int count = 1;
    while (count < MULTIPLIERS && l->int8[count] && has_multiplier(active_index(), count)) count++;
    return count;
}

const char *cnnfast_dot_name(int index) { return known[active_index()].int8[index]->dot; }
void cnnfast_use_dot(int index) { multiplier = index; }

const cnnfast_int8_kernels *cnnfast_active_int8(void) {
    const int count = cnnfast_dot_count();
    return known[active_index()].int8[multiplier < count ? multiplier : count - 1];
}

/* Where the system does not say, the size that most have. */
long cnnfast_near_cache(void) {
    static long known;
    if (known) return known;
    long bytes = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return known = bytes > 0 ? bytes : 1 << 20;
}
