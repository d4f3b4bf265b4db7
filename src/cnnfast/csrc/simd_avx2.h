/* AVX2 with FMA: 8 floats, 16 registers. */
#include <immintrin.h>
#define LANES 8
#define REGISTERS 16
#define HAVE_FMA 1
#define TILE_OC 3   /* 3 x 4 accumulators, 3 weights, 1 input */
#define DENSE_OC 12
#define TURNED_OC 24 /* 3 x 4 accumulators, 3 weights, 1 input */
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
/* as many bytes as there are lanes, as floats */
static inline vec vbytes(const unsigned char *p) {
    return (vec)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

#define HAVE_BLOCK16 1
typedef struct block16 { __m128i row[8]; } block16;

/* transpose 8 x 16 bytes: images side by side into images in the lanes, see load.inc; two positions, of 8 lanes each,
   share a register */
static inline __attribute__((always_inline)) block16 transposed(const unsigned char *const *rows, long at) {
    block16 a, b;
    for (int l = 0; l < 8; l++) a.row[l] = _mm_loadu_si128((const __m128i *)(rows[l] + at));
    for (int step = 0; step < 3; step++) {
        for (int i = 0; i < 4; i++) {
            b.row[2 * i] = _mm_unpacklo_epi8(a.row[i], a.row[i + 4]);
            b.row[2 * i + 1] = _mm_unpackhi_epi8(a.row[i], a.row[i + 4]);
        }
        a = b;
    }
    return a;
}
static inline __attribute__((always_inline)) vec widened(const block16 *b, int i) {
    const __m128i half = i % 2 ? _mm_srli_si128(b->row[i / 2], 8) : b->row[i / 2];
    return (vec)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(half));
}

/* Eight bits: a lane is a word of four bytes. Packs and zips stay within halves of 128 bits. */
#define DOT_POSITIONS 2 /* 4 x 2 accumulators */
#define DOT_BLOCKS 2
/* four words, repeated in every 128 bits */
static inline ivec iset4(const int *p) {
    return (ivec)_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)p));
}
static inline ivec imax(ivec a, ivec b) { return (ivec)_mm256_max_epi32((__m256i)a, (__m256i)b); }
static inline ivec iround(vec a) { return (ivec)_mm256_cvtps_epi32((__m256)a); }
static inline ivec bmax(ivec a, ivec b) { return (ivec)_mm256_max_epu8((__m256i)a, (__m256i)b); }
static inline ivec bmin(ivec a, ivec b) { return (ivec)_mm256_min_epu8((__m256i)a, (__m256i)b); }
static inline ivec zip8_low(ivec a, ivec b) { return (ivec)_mm256_unpacklo_epi8((__m256i)a, (__m256i)b); }
static inline ivec zip8_high(ivec a, ivec b) { return (ivec)_mm256_unpackhi_epi8((__m256i)a, (__m256i)b); }
static inline ivec zip16_low(ivec a, ivec b) { return (ivec)_mm256_unpacklo_epi16((__m256i)a, (__m256i)b); }
static inline ivec zip16_high(ivec a, ivec b) { return (ivec)_mm256_unpackhi_epi16((__m256i)a, (__m256i)b); }
/* 32-bit to unsigned bytes, saturated: those of a, then those of b, c, d */
static inline ivec ipack(ivec a, ivec b, ivec c, ivec d) {
    return (ivec)_mm256_packus_epi16(_mm256_packs_epi32((__m256i)a, (__m256i)b), _mm256_packs_epi32((__m256i)c, (__m256i)d));
}
/* 4 x 4 bytes, transposed */
static inline ivec turned(ivec a) {
    return (ivec)_mm256_shuffle_epi8((__m256i)a, _mm256_set_epi32(0x0f0b0703, 0x0e0a0602, 0x0d090501, 0x0c080400,
                                                                  0x0f0b0703, 0x0e0a0602, 0x0d090501, 0x0c080400));
}
/* With channels in the lanes: packed words of four pixels, brought into the order of the pixels; and four pixels of L bytes. */
static inline ivec by_pixel(ivec a) {
    return (ivec)_mm256_permutevar8x32_epi32((__m256i)a, _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0));
}
static inline ivec pixels_from(const unsigned char *a, const unsigned char *b, const unsigned char *c, const unsigned char *d) {
    const __m128i ab = _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)a), _mm_loadl_epi64((const __m128i *)b));
    const __m128i cd = _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)c), _mm_loadl_epi64((const __m128i *)d));
    return (ivec)_mm256_set_m128i(cd, ab);
}
/* within halves; the bytes of indices below zero become zero */
#define LOOKUP_SHUFFLES 1
static inline ivec bshuffle(ivec entries, ivec index) { return (ivec)_mm256_shuffle_epi8((__m256i)entries, (__m256i)index); }
/* signed, and no less than -128 */
static inline ivec bless16(ivec a) { return (ivec)_mm256_subs_epi8((__m256i)a, _mm256_set1_epi8(16)); }
#ifdef __AVXVNNI__
#define DOT_NATIVE "vnni"
static inline ivec idot(ivec acc, ivec u, ivec s) { return (ivec)_mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)u, (__m256i)s); }
#else
static inline ivec madd16(ivec a, ivec b) { return (ivec)_mm256_madd_epi16((__m256i)a, (__m256i)b); }
#endif
