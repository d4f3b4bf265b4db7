/* What the instruction sets with four lanes share, once ivec is defined.

   With channels in the lanes: packed words of four pixels, brought into the order of the pixels; and four pixels of
   L = 4 bytes. */
#pragma once

static inline ivec by_pixel(ivec a) { return a; }
static inline ivec pixels_from(const unsigned char *a, const unsigned char *b, const unsigned char *c, const unsigned char *d) {
    ivec all;
    __builtin_memcpy((char *)&all, a, 4), __builtin_memcpy((char *)&all + 4, b, 4);
    __builtin_memcpy((char *)&all + 8, c, 4), __builtin_memcpy((char *)&all + 12, d, 4);
    return all;
}
