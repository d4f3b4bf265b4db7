/* NEON on aarch64: 4 floats, 32 registers. */
#include <arm_neon.h>
#define LANES 4
#define REGISTERS 32
#define HAVE_FMA 1
#define TILE_OC 4
#define DENSE_OC 16
#define TURNED_OC 0
#define TILE_PIXELS 8
#define TILE_VECTORS 3
typedef float vec __attribute__((vector_size(16)));
typedef int ivec __attribute__((vector_size(16)));
static inline vec vset(float s) { return (vec)vdupq_n_f32(s); }
static inline vec vfma(vec a, vec b, vec c) { return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
/* b where either is NaN, as on x86 */
static inline vec vselect(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }
static inline vec vmax_raw(vec a, vec b) { return vselect(a > b, a, b); }
static inline vec vmin_raw(vec a, vec b) { return vselect(a < b, a, b); }
static inline vec vmax_nan(vec a, vec b) { return vselect(a != a, a, vmax_raw(a, b)); }
static inline vec vload_once(const vec *p) { return *p; }
static inline vec vsqrt(vec a) { return (vec)vsqrtq_f32((float32x4_t)a); }
/* as many bytes as there are lanes, as floats */
static inline vec vbytes(const unsigned char *p) { return (vec){p[0], p[1], p[2], p[3]}; }

/* Eight bits: a lane is a word of four bytes. */
#define DOT_POSITIONS 4 /* 4 x 4 accumulators, 4 inputs, 1 weight */
#define DOT_BLOCKS 4
/* four words, repeated in every 128 bits */
static inline ivec iset4(const int *p) {
    return (ivec)vld1q_s32(p);
}
static inline ivec imax(ivec a, ivec b) { return (ivec)vmaxq_s32((int32x4_t)a, (int32x4_t)b); }
static inline ivec iround(vec a) { return (ivec)vcvtnq_s32_f32((float32x4_t)a); }
static inline ivec bmax(ivec a, ivec b) { return (ivec)vmaxq_u8((uint8x16_t)a, (uint8x16_t)b); }
static inline ivec bmin(ivec a, ivec b) { return (ivec)vminq_u8((uint8x16_t)a, (uint8x16_t)b); }
static inline ivec zip8_low(ivec a, ivec b) { return (ivec)vzip1q_u8((uint8x16_t)a, (uint8x16_t)b); }
static inline ivec zip8_high(ivec a, ivec b) { return (ivec)vzip2q_u8((uint8x16_t)a, (uint8x16_t)b); }
static inline ivec zip16_low(ivec a, ivec b) { return (ivec)vzip1q_u16((uint16x8_t)a, (uint16x8_t)b); }
static inline ivec zip16_high(ivec a, ivec b) { return (ivec)vzip2q_u16((uint16x8_t)a, (uint16x8_t)b); }
/* 32-bit to unsigned bytes, saturated: those of a, then those of b, c, d */
static inline ivec ipack(ivec a, ivec b, ivec c, ivec d) {
    const int16x8_t low = vcombine_s16(vqmovn_s32((int32x4_t)a), vqmovn_s32((int32x4_t)b));
    const int16x8_t high = vcombine_s16(vqmovn_s32((int32x4_t)c), vqmovn_s32((int32x4_t)d));
    return (ivec)vcombine_u8(vqmovun_s16(low), vqmovun_s16(high));
}
/* 4 x 4 bytes, transposed */
static inline ivec turned(ivec a) {
    const uint8x16_t from = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    return (ivec)vqtbl1q_u8((uint8x16_t)a, from);
}
#include "pixels_of_4.h"
#define LOOKUP_64 looked_up
static inline ivec looked_up(const unsigned char *table, ivec index) {
    uint8x16_t of = (uint8x16_t)index, found = vdupq_n_u8(0);
    for (int k = 0; k < 4; k++) {
        found = vorrq_u8(found, vqtbl4q_u8(vld1q_u8_x4(table + 64 * k), of));
        of = vsubq_u8(of, vdupq_n_u8(64));
    }
    return (ivec)found;
}
#ifdef __ARM_FEATURE_DOTPROD
/* both operands are signed: inputs are used minus 128, and each sum begins with 128 times the sum of its weights */
#define DOT_NATIVE "sdot"
#define DOT_LESS 128
static inline ivec idot(ivec acc, ivec u, ivec s) { return (ivec)vdotq_s32((int32x4_t)acc, (int8x16_t)u, (int8x16_t)s); }
#else
static inline ivec madd16(ivec a, ivec b) {
    const int32x4_t low = vmull_s16(vget_low_s16((int16x8_t)a), vget_low_s16((int16x8_t)b));
    const int32x4_t high = vmull_high_s16((int16x8_t)a, (int16x8_t)b);
    return (ivec)vpaddq_s32(low, high);
}
#endif
