/* The SIMD forms for AVX2: words, squeezes, normal values and F16.

   _mm256_mul_epu32 multiplies the low halves of 64-bit lanes and ignores the high ones, so lanes
   carry junk there until it matters. */
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,f16c"))) /* no processor has the first without the second */

/* Four counters a vector, and so many vectors side by side: a round's multiplications wait for one
   another, those of different counters do not. */
enum { ABREAST = 2 };

AVX2 INLINE void store_words(const __m256i c[4], uint32_t *words) {
    /* Each lane of `low` is the first half of a counter's four words, of `high` the second. */
    __m256i low = _mm256_blend_epi32(c[0], _mm256_slli_epi64(c[1], 32), 0xAA);
    __m256i high = _mm256_blend_epi32(c[2], _mm256_slli_epi64(c[3], 32), 0xAA);
    __m256i even = _mm256_unpacklo_epi64(low, high), odd = _mm256_unpackhi_epi64(low, high);
    _mm256_storeu_si256((__m256i *)words, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256((__m256i *)words + 1, _mm256_permute2x128_si256(even, odd, 0x31));
}

AVX2 static void words_avx2(ts_stream s, uint64_t block, size_t count, uint32_t *words) {
    const __m256i m0 = _mm256_set1_epi64x(0xD2511F53), m1 = _mm256_set1_epi64x(0xCD9E8D57);
    const __m256i c1 = _mm256_set1_epi64x(block >> 32);
    const __m256i c2 = _mm256_set1_epi64x(s.c2), c3 = _mm256_set1_epi64x(s.c3);
    __m256i next = _mm256_add_epi64(_mm256_set1_epi64x((long long)block),
                                    _mm256_setr_epi64x(0, 1, 2, 3));
    for (size_t i = 0; i < count; i += 16 * ABREAST) {
        __m256i c[ABREAST][4];
        for (int v = 0; v < ABREAST; v++) {
            c[v][0] = next, c[v][1] = c1, c[v][2] = c2, c[v][3] = c3;
            next = _mm256_add_epi64(next, _mm256_set1_epi64x(4));
        }
        uint32_t k0 = s.k0, k1 = s.k1;
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            const __m256i key0 = _mm256_set1_epi64x(k0), key1 = _mm256_set1_epi64x(k1);
#pragma GCC unroll 4
            for (int v = 0; v < ABREAST; v++) {
                __m256i p0 = _mm256_mul_epu32(c[v][0], m0), p1 = _mm256_mul_epu32(c[v][2], m1);
                c[v][0] = _mm256_xor_si256(_mm256_srli_epi64(p1, 32),
                                           _mm256_xor_si256(c[v][1], key0));
                c[v][1] = p1;
                c[v][2] = _mm256_xor_si256(_mm256_srli_epi64(p0, 32),
                                           _mm256_xor_si256(c[v][3], key1));
                c[v][3] = p0;
            }
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        for (int v = 0; v < ABREAST; v++) store_words(c[v], words + i + 16 * v);
    }
}

AVX2 static void squeeze_avx2(uint32_t first, uint32_t most, size_t count, uint32_t *words) {
    const __m256i from = _mm256_set1_epi32((int)first), range = _mm256_set1_epi64x(most);
    for (size_t i = 0; i < count; i += 8) {
        __m256i h = _mm256_loadu_si256((const __m256i *)(words + i));
        __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(h, range), 32);
        __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(h, 32), range);
        h = _mm256_add_epi32(_mm256_blend_epi32(even, odd, 0xAA), from);
        _mm256_storeu_si256((__m256i *)(words + i), h);
    }
}

/* Find the segments of words: byte offsets of their rows (16 a row, 32 rows a leading zero) and
   their places t in them. */
AVX2 INLINE void segments(const uint32_t *words, size_t count, uint32_t *at, uint32_t *t) {
    const __m256i ones = _mm256_set1_epi32(-1);
    for (size_t i = 0; i < count; i += 8) {
        __m256i h = _mm256_loadu_si256((const __m256i *)(words + i));
        __m256i m = _mm256_xor_si256(h, _mm256_srai_epi32(h, 31));
        /* The float's exponent is the place of m's leading one, once a second one below it cannot
           round it up; for m = 0 it counts as the one below 1. */
        __m256i lead = _mm256_castps_si256(
            _mm256_cvtepi32_ps(_mm256_andnot_si256(_mm256_srli_epi32(m, 1), m)));
        __m256i exponent = _mm256_max_epi32(_mm256_srli_epi32(lead, 23), _mm256_set1_epi32(126));
        __m256i lz = _mm256_sub_epi32(_mm256_set1_epi32(157), exponent);
        __m256i M2 = _mm256_add_epi32(_mm256_slli_epi32(m, 2), _mm256_set1_epi32(2));
        __m256i f = _mm256_sllv_epi32(M2, lz);
        __m256i row = _mm256_and_si256(_mm256_srli_epi32(f, 23), _mm256_set1_epi32(0x1F0));
        row = _mm256_or_si256(row, _mm256_slli_epi32(lz, 9));
        _mm256_storeu_si256((__m256i *)(at + i), row);
        _mm256_storeu_si256((__m256i *)(t + i), _mm256_xor_si256(_mm256_slli_epi32(f, 5), ones));
    }
}

/* Two rows of the table side by side. */
AVX2 INLINE __m256i rows(const uint32_t *table, uint32_t low, uint32_t high) {
    __m128i first = _mm_loadu_si128((const __m128i *)((const char *)table + low));
    __m128i second = _mm_loadu_si128((const __m128i *)((const char *)table + high));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
}

AVX2 static void normal_avx2(const uint32_t *table, const uint32_t *words, size_t count,
                             double mean, double step, double *values) {
    const __m256d means = _mm256_set1_pd(mean), steps = _mm256_set1_pd(-step);
    const __m256i two52 = _mm256_set1_epi64x(0x4330000000000000);
    const __m256i upper = _mm256_set1_epi64x((long long)0xFFFFFFFF00000000);
    uint32_t at[PIECE], ts[PIECE];
    segments(words, count, at, ts);
    for (size_t i = 0; i < count; i += 4) {
        __m256i t = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(ts + i)));
        __m256i h = _mm256_cvtepi32_epi64(_mm_loadu_si128((const __m128i *)(words + i)));
        __m256i r02 = rows(table, at[i], at[i + 2]), r13 = rows(table, at[i + 1], at[i + 3]);
        __m256i r01 = _mm256_unpacklo_epi64(r02, r13); /* a row's 0 in the low half, 1 in the high */
        __m256i r23 = _mm256_unpackhi_epi64(r02, r13);
        __m256i a = _mm256_mul_epu32(t, _mm256_srli_epi64(r23, 32));
        a = _mm256_mul_epu32(t, _mm256_add_epi64(_mm256_srli_epi64(a, 32), r23));
        a = _mm256_srli_epi64(_mm256_add_epi64(a, _mm256_and_si256(r01, upper)), 32);
        a = _mm256_add_epi64(_mm256_srli_epi64(_mm256_mul_epu32(t, a), 32), r01);
        /* 2^52 + a has a as its low bits; subtracting 2^52 is exact. */
        __m256d z = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_blend_epi32(a, two52, 0xAA)),
                                  _mm256_castsi256_pd(two52));
        /* The variate is a where the word's top bit is set and -a where not: the step is negated.
           A zero's sign is lost in the addition, for the mean is never -0. */
        z = _mm256_xor_pd(z, _mm256_and_pd(_mm256_castsi256_pd(h), _mm256_set1_pd(-0.0)));
        _mm256_storeu_pd(values + i, _mm256_add_pd(means, _mm256_mul_pd(z, steps)));
    }
}

AVX2 static void f16_avx2(const double *values, size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i += 4) {
        __m128i half = _mm_cvtps_ph(_mm256_cvtpd_ps(_mm256_loadu_pd(values + i)), 0);
        memcpy(out + 2 * i, &half, count - i < 4 ? 2 * (count - i) : 8);
    }
}
