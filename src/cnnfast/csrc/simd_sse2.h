/* The x86-64 baseline: 4 floats, 16 registers, no fused multiply-add, so its bits differ from the others. */
#include <emmintrin.h>
#define LANES 4
#define REGISTERS 16
#define TILE_OC 3
#define DENSE_OC 12
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
