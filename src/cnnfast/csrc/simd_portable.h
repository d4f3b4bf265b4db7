/* Any other CPU: 4 floats by GNU vector types alone, so its bits may differ from those of a CPU with FMA. */
#define LANES 4
#define REGISTERS 16
#define TILE_OC 3
#define DENSE_OC 12
#define TILE_PIXELS 6
#define TILE_VECTORS 2
typedef float vec __attribute__((vector_size(16)));
typedef int ivec __attribute__((vector_size(16)));
static inline vec vset(float s) { return (vec){s, s, s, s}; }
static inline vec vfma(vec a, vec b, vec c) { return a * b + c; }
/* b where either is NaN, as on x86 */
static inline vec vselect(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }
static inline vec vmax_raw(vec a, vec b) { return vselect(a > b, a, b); }
static inline vec vmin_raw(vec a, vec b) { return vselect(a < b, a, b); }
static inline vec vmax_nan(vec a, vec b) { return vselect(a != a, a, vmax_raw(a, b)); }
static inline vec vsqrt(vec a) {
    vec y;
    for (int l = 0; l < LANES; l++) y[l] = __builtin_sqrtf(a[l]);
    return y;
}
/* as many bytes as there are lanes, as floats */
static inline vec vbytes(const unsigned char *p) { return (vec){p[0], p[1], p[2], p[3]}; }
