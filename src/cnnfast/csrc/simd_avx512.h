/* AVX-512: 16 floats, 32 registers. */
#include <immintrin.h>
#define LANES 16
#define REGISTERS 32
#define HAVE_FMA 1
#define TILE_OC 6   /* 6 x 4 accumulators, 4 inputs, 1 weight */
#define DENSE_OC 16
#define TURNED_OC 32
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
/* one load, whatever reads the value: GCC would make it an operand of each instruction */
static inline vec vload_once(const vec *p) {
    vec v = *p;
    __asm__("" : "+v"(v));
    return v;
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

/* Eight bits: a lane is a word of four bytes. Packs and zips stay within quarters of 128 bits. */
#define DOT_POSITIONS 4 /* 4 x 4 accumulators, 4 inputs, 1 weight */
#define DOT_BLOCKS 4
/* four words, repeated in every 128 bits */
static inline ivec iset4(const int *p) {
    return (ivec)_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)p));
}
static inline ivec imax(ivec a, ivec b) { return (ivec)_mm512_max_epi32((__m512i)a, (__m512i)b); }
static inline ivec iround(vec a) { return (ivec)_mm512_cvtps_epi32((__m512)a); }
static inline ivec bmax(ivec a, ivec b) { return (ivec)_mm512_max_epu8((__m512i)a, (__m512i)b); }
static inline ivec bmin(ivec a, ivec b) { return (ivec)_mm512_min_epu8((__m512i)a, (__m512i)b); }
static inline ivec zip8_low(ivec a, ivec b) { return (ivec)_mm512_unpacklo_epi8((__m512i)a, (__m512i)b); }
static inline ivec zip8_high(ivec a, ivec b) { return (ivec)_mm512_unpackhi_epi8((__m512i)a, (__m512i)b); }
static inline ivec zip16_low(ivec a, ivec b) { return (ivec)_mm512_unpacklo_epi16((__m512i)a, (__m512i)b); }
static inline ivec zip16_high(ivec a, ivec b) { return (ivec)_mm512_unpackhi_epi16((__m512i)a, (__m512i)b); }
/* 32-bit to unsigned bytes, saturated: those of a, then those of b, c, d */
static inline ivec ipack(ivec a, ivec b, ivec c, ivec d) {
    return (ivec)_mm512_packus_epi16(_mm512_packs_epi32((__m512i)a, (__m512i)b), _mm512_packs_epi32((__m512i)c, (__m512i)d));
}
/* 4 x 4 bytes, transposed */
static inline ivec turned(ivec a) {
    return (ivec)_mm512_shuffle_epi8((__m512i)a, _mm512_set4_epi32(0x0f0b0703, 0x0e0a0602, 0x0d090501, 0x0c080400));
}
/* With channels in the lanes: packed words of four pixels, brought into the order of the pixels; and four pixels of L bytes. */
static inline ivec by_pixel(ivec a) {
    return (ivec)_mm512_permutexvar_epi32(_mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0), (__m512i)a);
}
static inline ivec pixels_from(const unsigned char *a, const unsigned char *b, const unsigned char *c, const unsigned char *d) {
    __m512i all = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)a));
    all = _mm512_inserti32x4(all, _mm_loadu_si128((const __m128i *)b), 1);
    all = _mm512_inserti32x4(all, _mm_loadu_si128((const __m128i *)c), 2);
    return (ivec)_mm512_inserti32x4(all, _mm_loadu_si128((const __m128i *)d), 3);
}
/* within quarters; the bytes of indices below zero become zero */
#define LOOKUP_SHUFFLES 1
static inline ivec bshuffle(ivec entries, ivec index) { return (ivec)_mm512_shuffle_epi8((__m512i)entries, (__m512i)index); }
/* signed, and no less than -128 */
static inline ivec bless16(ivec a) { return (ivec)_mm512_subs_epi8((__m512i)a, _mm512_set1_epi8(16)); }
#define HAS_LOOKUP_128 __builtin_cpu_supports("avx512vbmi")
#define LOOKUP_128_TARGET __attribute__((target("avx512vbmi")))
#define LOOKUP_128 permuted
LOOKUP_128_TARGET static inline ivec permuted(const unsigned char *entries, ivec index) {
    const __m512i of = (__m512i)index;
    const __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(entries), of, _mm512_loadu_si512(entries + 64));
    const __m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512(entries + 128), of, _mm512_loadu_si512(entries + 192));
    return (ivec)_mm512_mask_blend_epi8(_mm512_movepi8_mask(of), low, high);
}
#ifdef __AVX512VNNI__
#define DOT_NATIVE "vnni"
static inline ivec idot(ivec acc, ivec u, ivec s) { return (ivec)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)u, (__m512i)s); }
#else
static inline ivec madd16(ivec a, ivec b) { return (ivec)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
#endif
