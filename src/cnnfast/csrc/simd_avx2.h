/* AVX2 with FMA: 8 floats, 16 registers. */
#include <immintrin.h>
#define LANES 8
#define TILE_OC 3   /* 3 x 4 accumulators, 3 weights, 1 input */
#define DENSE_OC 12
#define TILE_PIXELS 6   /* 6 x 2 accumulators, 2 weights, 1 input, with channels in the lanes */
#define TILE_VECTORS 2
typedef float vec __attribute__((vector_size(32)));
typedef int ivec __attribute__((vector_size(32)));
static inline vec vset(float s) { return (vec)_mm256_set1_ps(s); }
static inline vec vfma(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
/* the second operand of the instruction is returned where one is NaN */
static inline vec vmax_raw(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
static inline vec vmin_raw(vec a, vec b) { return (vec)_mm256_min_ps((__m256)a, (__m256)b); }
static inline vec vmax_nan(vec a, vec b) {
    __m256 nan = _mm256_cmp_ps((__m256)a, (__m256)a, _CMP_UNORD_Q);
    return (vec)_mm256_blendv_ps(_mm256_max_ps((__m256)a, (__m256)b), (__m256)a, nan);
}
static inline vec vselect(ivec mask, vec a, vec b) {
    return (vec)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
}
static inline vec vsqrt(vec a) { return (vec)_mm256_sqrt_ps((__m256)a); }
/* so many bytes as there are lanes, as floats */
static inline vec vbytes(const unsigned char *p) {
    return (vec)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
