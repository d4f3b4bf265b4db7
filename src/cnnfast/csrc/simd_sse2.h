/* The x86-64 baseline: 4 floats, 16 registers, no fused multiply-add, so its bits differ from the others. */
#include <emmintrin.h>
#define LANES 4
#define REGISTERS 16
#define HAVE_FMA 0
#define TILE_OC 3
#define DENSE_OC 12
#define TURNED_OC 0
#define TILE_PIXELS 6
#define TILE_VECTORS 2
typedef float vec __attribute__((vector_size(16)));
typedef int ivec __attribute__((vector_size(16)));
static inline vec vset(float s) { return (vec)_mm_set1_ps(s); }
static inline vec vfma(vec a, vec b, vec c) { return a * b + c; }
/* the second operand of the instruction is returned where one is NaN */
static inline vec vmax_raw(vec a, vec b) { return (vec)_mm_max_ps((__m128)a, (__m128)b); }
static inline vec vmin_raw(vec a, vec b) { return (vec)_mm_min_ps((__m128)a, (__m128)b); }
static inline vec vselect(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }
static inline vec vmax_nan(vec a, vec b) { return vselect(a != a, a, vmax_raw(a, b)); }
static inline vec vsqrt(vec a) { return (vec)_mm_sqrt_ps((__m128)a); }
/* as many bytes as there are lanes, as floats */
static inline vec vbytes(const unsigned char *p) { return (vec){p[0], p[1], p[2], p[3]}; }

/* Eight bits: a lane is a word of four bytes. */
#define DOT_POSITIONS 2 /* 4 x 2 accumulators */
#define DOT_BLOCKS 2
/* four words, repeated in every 128 bits */
static inline ivec iset4(const int *p) {
    return (ivec)_mm_loadu_si128((const __m128i *)p);
}
static inline ivec imax(ivec a, ivec b) {
    const ivec more = a > b;
    return (more & a) | (~more & b);
}
static inline ivec iround(vec a) { return (ivec)_mm_cvtps_epi32((__m128)a); }
static inline ivec bmax(ivec a, ivec b) { return (ivec)_mm_max_epu8((__m128i)a, (__m128i)b); }
static inline ivec bmin(ivec a, ivec b) { return (ivec)_mm_min_epu8((__m128i)a, (__m128i)b); }
static inline ivec zip8_low(ivec a, ivec b) { return (ivec)_mm_unpacklo_epi8((__m128i)a, (__m128i)b); }
static inline ivec zip8_high(ivec a, ivec b) { return (ivec)_mm_unpackhi_epi8((__m128i)a, (__m128i)b); }
static inline ivec zip16_low(ivec a, ivec b) { return (ivec)_mm_unpacklo_epi16((__m128i)a, (__m128i)b); }
static inline ivec zip16_high(ivec a, ivec b) { return (ivec)_mm_unpackhi_epi16((__m128i)a, (__m128i)b); }
/* 32-bit to unsigned bytes, saturated: those of a, then those of b, c, d */
static inline ivec ipack(ivec a, ivec b, ivec c, ivec d) {
    return (ivec)_mm_packus_epi16(_mm_packs_epi32((__m128i)a, (__m128i)b), _mm_packs_epi32((__m128i)c, (__m128i)d));
}
/* 4 x 4 bytes, transposed: twice the two halves zipped */
static inline ivec turned(ivec a) {
    const __m128i once = _mm_unpacklo_epi8((__m128i)a, _mm_srli_si128((__m128i)a, 8));
    return (ivec)_mm_unpacklo_epi8(once, _mm_srli_si128(once, 8));
}
#include "pixels_of_4.h"
static inline ivec madd16(ivec a, ivec b) { return (ivec)_mm_madd_epi16((__m128i)a, (__m128i)b); }
