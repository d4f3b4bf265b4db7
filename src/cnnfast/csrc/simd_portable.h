/* Any other CPU: 4 floats by GNU vector types alone. */
#define LANES 4
typedef float vec __attribute__((vector_size(16)));
static inline vec vset(float s) { return (vec){s, s, s, s}; }
static inline vec vfma(vec a, vec b, vec c) { return a * b + c; }
