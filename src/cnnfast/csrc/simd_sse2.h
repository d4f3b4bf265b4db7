/* The x86-64 baseline: 4 floats, 16 registers, no fused multiply-add, so its bits differ from the others. */
#define LANES 4
typedef float vec __attribute__((vector_size(16)));
static inline vec vset(float s) { return (vec){s, s, s, s}; }
static inline vec vfma(vec a, vec b, vec c) { return a * b + c; }
