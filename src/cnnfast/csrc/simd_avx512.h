/* AVX-512: 16 floats, 32 registers. */
#include <immintrin.h>
#define LANES 16
#define REGISTERS 32
#define TILE_OC 4   /* 4 x 4 accumulators, 4 inputs, 1 weight */
#define DENSE_OC 16
#define TILE_PIXELS 8   /* 8 x 3 accumulators, 3 weights, 1 input, with channels in the lanes */
#define TILE_VECTORS 3
typedef float vec __attribute__((vector_size(64)));
typedef int ivec __attribute__((vector_size(64)));
static inline vec vset(float s) { return (vec)_mm512_set1_ps(s); }
static inline vec vfma(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
/* the second operand of the instruction is returned where one is NaN */
static inline vec vmax_raw(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
static inline vec vmin_raw(vec a, vec b) { return (vec)_mm512_min_ps((__m512)a, (__m512)b); }
static inline vec vmax_nan(vec a, vec b) {
    __mmask16 nan = _mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_UNORD_Q);
    return (vec)_mm512_mask_mov_ps(_mm512_max_ps((__m512)a, (__m512)b), nan, (__m512)a);
}
static inline vec vselect(ivec mask, vec a, vec b) {
    return (vec)_mm512_mask_mov_ps((__m512)b, _mm512_movepi32_mask((__m512i)mask), (__m512)a);
}
static inline vec vsqrt(vec a) { return (vec)_mm512_sqrt_ps((__m512)a); }
/* as many bytes as there are lanes, as floats */
static inline vec vbytes(const unsigned char *p) {
    return (vec)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

#define HAVE_BLOCK16 1
typedef struct block16 { __m128i row[16]; } block16;

/* transpose 16 x 16 bytes: images side by side into images in the lanes, see load.inc */
static inline __attribute__((always_inline)) block16 transposed(const unsigned char *const *rows, long at) {
    block16 a, b;
    for (int l = 0; l < 16; l++) a.row[l] = _mm_loadu_si128((const __m128i *)(rows[l] + at));
    for (int step = 0; step < 4; step++) {
        for (int i = 0; i < 8; i++) {
            b.row[2 * i] = _mm_unpacklo_epi8(a.row[i], a.row[i + 8]);
            b.row[2 * i + 1] = _mm_unpackhi_epi8(a.row[i], a.row[i + 8]);
        }
        a = b;
    }
    return a;
}
static inline __attribute__((always_inline)) vec widened(const block16 *b, int i) { return (vec)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(b->row[i])); }
