/* Any other CPU: 4 floats by GNU vector types alone. Where its compiler says that it multiplies and adds with one rounding, as on
   every RISC-V that has floats, its bits are those of the other CPUs that do. */
#define LANES 4
#define REGISTERS 16
#if defined(__FP_FAST_FMAF) || defined(__riscv_flen)
#define HAVE_FMA 1
#else
#define HAVE_FMA 0
#endif
#define TILE_OC 3
#define DENSE_OC 12
#define TURNED_OC 0
#define TILE_PIXELS 6
#define TILE_VECTORS 2
typedef float vec __attribute__((vector_size(16)));
typedef int ivec __attribute__((vector_size(16)));
static inline vec vset(float s) { return (vec){s, s, s, s}; }
#if HAVE_FMA
static inline vec vfma(vec a, vec b, vec c) {
    return (vec){__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]), __builtin_fmaf(a[2], b[2], c[2]),
                 __builtin_fmaf(a[3], b[3], c[3])};
}
#else
static inline vec vfma(vec a, vec b, vec c) { return a * b + c; }
#endif
/* b where either is NaN, as on x86 */
static inline vec vselect(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }
static inline vec vmax_raw(vec a, vec b) { return vselect(a > b, a, b); }
static inline vec vmin_raw(vec a, vec b) { return vselect(a < b, a, b); }
static inline vec vmax_nan(vec a, vec b) { return vselect(a != a, a, vmax_raw(a, b)); }
static inline vec vsqrt(vec a) {
    vec y;
    for (int l = 0; l < LANES; l++) y[l] = __builtin_sqrtf(a[l]);
    return y;
}
/* as many bytes as there are lanes, as floats */
static inline vec vbytes(const unsigned char *p) { return (vec){p[0], p[1], p[2], p[3]}; }

/* Eight bits: a lane is a word of four bytes, the first of them the lowest in memory. */
#define DOT_POSITIONS 2 /* 4 x 2 accumulators */
#define DOT_BLOCKS 2
typedef unsigned char bvec __attribute__((vector_size(16)));
typedef short svec16 __attribute__((vector_size(16)));
/* four words, repeated in every 128 bits */
static inline ivec iset4(const int *p) {
    return (ivec){p[0], p[1], p[2], p[3]};
}
static inline ivec imax(ivec a, ivec b) {
    const ivec more = a > b;
    return (more & a) | (~more & b);
}
static inline ivec iround(vec a) {
    return (ivec){(int)__builtin_rintf(a[0]), (int)__builtin_rintf(a[1]), (int)__builtin_rintf(a[2]),
                  (int)__builtin_rintf(a[3])};
}
static inline ivec bmax(ivec a, ivec b) {
    const bvec x = (bvec)a, y = (bvec)b, more = (bvec)(x > y);
    return (ivec)((more & x) | (~more & y));
}
static inline ivec bmin(ivec a, ivec b) {
    const bvec x = (bvec)a, y = (bvec)b, more = (bvec)(x > y);
    return (ivec)((more & y) | (~more & x));
}
static inline ivec zip8(ivec a, ivec b, int first) {
    bvec y;
    for (int i = 0; i < 8; i++) y[2 * i] = ((bvec)a)[first + i], y[2 * i + 1] = ((bvec)b)[first + i];
    return (ivec)y;
}
static inline ivec zip16(ivec a, ivec b, int first) {
    svec16 y;
    for (int i = 0; i < 4; i++) y[2 * i] = ((svec16)a)[first + i], y[2 * i + 1] = ((svec16)b)[first + i];
    return (ivec)y;
}
static inline ivec zip8_low(ivec a, ivec b) { return zip8(a, b, 0); }
static inline ivec zip8_high(ivec a, ivec b) { return zip8(a, b, 8); }
static inline ivec zip16_low(ivec a, ivec b) { return zip16(a, b, 0); }
static inline ivec zip16_high(ivec a, ivec b) { return zip16(a, b, 4); }
static inline unsigned char saturated(int a) { return (unsigned char)(a < 0 ? 0 : a > 255 ? 255 : a); }
/* 32-bit to unsigned bytes, saturated: those of a, then those of b, c, d */
static inline ivec ipack(ivec a, ivec b, ivec c, ivec d) {
    bvec y;
    for (int i = 0; i < 4; i++)
        y[i] = saturated(a[i]), y[4 + i] = saturated(b[i]), y[8 + i] = saturated(c[i]), y[12 + i] = saturated(d[i]);
    return (ivec)y;
}
/* 4 x 4 bytes, transposed */
static inline ivec turned(ivec a) {
    bvec y;
    for (int i = 0; i < 16; i++) y[i] = ((bvec)a)[i % 4 * 4 + i / 4];
    return (ivec)y;
}
#include "pixels_of_4.h"
static inline ivec madd16(ivec a, ivec b) {
    const svec16 x = (svec16)a, y = (svec16)b;
    ivec sum;
    for (int i = 0; i < 4; i++) sum[i] = x[2 * i] * y[2 * i] + x[2 * i + 1] * y[2 * i + 1];
    return sum;
}
