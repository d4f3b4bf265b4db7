/* NEON on aarch64: 4 floats, 32 registers. */
#include <arm_neon.h>
#define LANES 4
#define REGISTERS 32
#define TILE_OC 4
#define DENSE_OC 16
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
static inline vec vsqrt(vec a) { return (vec)vsqrtq_f32((float32x4_t)a); }
/* as many bytes as there are lanes, as floats */
static inline vec vbytes(const unsigned char *p) { return (vec){p[0], p[1], p[2], p[3]}; }
