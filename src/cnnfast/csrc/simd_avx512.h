/* AVX-512: 16 floats, 32 registers. */
#include <immintrin.h>
#define LANES 16
typedef float vec __attribute__((vector_size(64)));
static inline vec vset(float s) { return (vec)_mm512_set1_ps(s); }
static inline vec vfma(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
