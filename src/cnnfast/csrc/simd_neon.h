/* NEON on aarch64: 4 floats, 32 registers. */
#include <arm_neon.h>
#define LANES 4
typedef float vec __attribute__((vector_size(16)));
static inline vec vset(float s) { return (vec)vdupq_n_f32(s); }
static inline vec vfma(vec a, vec b, vec c) { return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
