/* AVX2 with FMA: 8 floats, 16 registers. */
#include <immintrin.h>
#define LANES 8
typedef float vec __attribute__((vector_size(32)));
static inline vec vset(float s) { return (vec)_mm256_set1_ps(s); }
static inline vec vfma(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
