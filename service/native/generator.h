/* Generator v1, one element at a time: the bits as scalar functions, for C and for CUDA.

   Every other path (the loops of kernel.c, its SIMD forms, a GPU) gives what these functions give.
   Nothing here may be contracted to a fused multiply-add: -ffp-contract=off, --fmad=false.

   Source: docs/generator-v1.md. */
#ifndef TENSORSEED_GENERATOR_H
#define TENSORSEED_GENERATOR_H

#ifdef __CUDACC_RTC__ /* NVRTC has no headers */
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef int int32_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#include <string.h>
#endif

#ifdef __CUDACC__
#define TS_FUNCTION static __device__ __forceinline__
#define TS_LEADING_ZEROS(x) ((uint32_t)__clz((int)(x)))
#define TS_BITS_OF(x) __float_as_uint(x)
#define TS_FLOAT_OF(x) __uint_as_float(x)
#define TS_PRODUCT(a, b) __dmul_rn(a, b)
#define TS_SUM(a, b) __dadd_rn(a, b)
#define TS_QUOTIENT(a, b) __ddiv_rn(a, b)
#define TS_ROOT(a) __dsqrt_rn(a)
#else
#define TS_FUNCTION static inline __attribute__((always_inline))
#define TS_LEADING_ZEROS(x) ((uint32_t)__builtin_clz(x))
#define TS_PRODUCT(a, b) ((a) * (b))
#define TS_SUM(a, b) ((a) + (b))
TS_FUNCTION uint32_t TS_BITS_OF(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
TS_FUNCTION float TS_FLOAT_OF(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
#endif

/* Where a tensor's randomness lives: the Philox key and the upper half of every counter. */
typedef struct {
    uint32_t k0, k1, c2, c3;
} ts_stream;

TS_FUNCTION uint32_t ts_mulhi(uint32_t a, uint32_t b) { return (uint32_t)((uint64_t)a * b >> 32); }

/* The words of elements 4 * block to 4 * block + 3. */
TS_FUNCTION void ts_philox(ts_stream s, uint64_t block, uint32_t words[4]) {
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = s.c2, c3 = s.c3;
    uint32_t k0 = s.k0, k1 = s.k1;
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words[0] = c0, words[1] = c1, words[2] = c2, words[3] = c3;
}

/* The standard normal variate of a word, in units of 2^-28; table is T, 1,024 rows of four. */
TS_FUNCTION int32_t ts_variate(const uint32_t *table, uint32_t h) {
    uint32_t upper = h >> 31, m = upper ? ~h : h, M = 2 * m + 1;
    uint32_t lz = TS_LEADING_ZEROS(M), f = (M << lz) << 1, t = ~(f << 5);
    const uint32_t *row = table + 4 * (lz << 5 | f >> 27);
    uint32_t a = row[0] + ts_mulhi(t, row[1] + ts_mulhi(t, row[2] + ts_mulhi(t, row[3])));
    return upper ? (int32_t)a : -(int32_t)a;
}

/* A word squeezed into `count` words from `first` on: a truncated law's. */
TS_FUNCTION uint32_t ts_squeezed(uint32_t h, uint32_t first, uint32_t count) {
    return first + ts_mulhi(h, count);
}

/* mean + z * step, two roundings; step is std * 2^-28. */
TS_FUNCTION double ts_normal(int32_t variate, double mean, double step) {
    return TS_SUM(mean, TS_PRODUCT((double)variate, step));
}

/* centre + (2h + 1 - 2^32) * step within [low, high]; step is half the width * 2^-32. */
TS_FUNCTION double ts_uniform(uint32_t h, double centre, double step, double low, double high) {
    /* 2 (h - 2^31) + 1, each step exact: a conversion from int32 is one instruction everywhere. */
    double v = TS_SUM(TS_PRODUCT(2.0, (double)(int32_t)(h ^ 0x80000000u)), 1.0);
    double x = TS_SUM(centre, TS_PRODUCT(v, step));
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* Casts from the F32 value, nearest even. The plan lets no value through that would overflow. */

TS_FUNCTION uint32_t ts_bf16(float value) {
    uint32_t bits = TS_BITS_OF(value);
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}

/* The bits of an IEEE-like format: a sign, an exponent with this bias, so many mantissa bits. */
TS_FUNCTION uint32_t ts_narrow(float value, int width, int mantissa, int bias) {
    uint32_t bits = TS_BITS_OF(value), size = bits & 0x7FFFFFFF;
    int shift = 23 - mantissa;
    uint32_t smallest = (uint32_t)(128 - bias) << 23; /* of the normal values: 2^(1 - bias) */
    uint32_t rebased = size - ((uint32_t)(127 - bias) << 23);
    uint32_t normal = (rebased + ((1u << (shift - 1)) - 1) + (rebased >> shift & 1)) >> shift;
    /* Adding a power of two whose last place is one subnormal step makes the addition round to
       that step; the low bits of the sum count the steps. */
    uint32_t magic = (uint32_t)(127 + 24 - bias - mantissa) << 23;
    uint32_t subnormal = TS_BITS_OF(TS_FLOAT_OF(size) + TS_FLOAT_OF(magic)) - magic;
    uint32_t sign = bits >> 31 << (width - 1);
    return (size < smallest ? subnormal : normal) | sign;
}

TS_FUNCTION uint32_t ts_f16(float value) { return ts_narrow(value, 16, 10, 15); }
TS_FUNCTION uint32_t ts_f8_e4m3(float value) { return ts_narrow(value, 8, 3, 7); }
TS_FUNCTION uint32_t ts_f8_e5m2(float value) { return ts_narrow(value, 8, 2, 15); }

#endif
