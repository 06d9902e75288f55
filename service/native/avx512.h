/* The SIMD forms for AVX-512 with its 52-bit multiply-add: as avx2.h, twice as wide. */
#define AVX512 \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512cd,avx512bw,avx512ifma,f16c")))

AVX512 INLINE void store_words_avx512(const __m512i c[4], uint32_t *words) {
    /* Each lane of `low` is the first half of a counter's four words, of `high` the second. */
    __m512i low = _mm512_mask_shuffle_epi32(c[0], 0xAAAA, c[1], _MM_PERM_CCAA);
    __m512i high = _mm512_mask_shuffle_epi32(c[2], 0xAAAA, c[3], _MM_PERM_CCAA);
    __m512i even = _mm512_unpacklo_epi64(low, high), odd = _mm512_unpackhi_epi64(low, high);
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    _mm512_storeu_si512(words, _mm512_permutex2var_epi64(even, first, odd));
    _mm512_storeu_si512(words + 16, _mm512_permutex2var_epi64(even, second, odd));
}

AVX512 static void words_avx512(ts_stream s, uint64_t block, size_t count, uint32_t *words) {
    const __m512i m0 = _mm512_set1_epi64(0xD2511F53), m1 = _mm512_set1_epi64(0xCD9E8D57);
    const __m512i c1 = _mm512_set1_epi64((long long)(block >> 32));
    const __m512i c2 = _mm512_set1_epi64(s.c2), c3 = _mm512_set1_epi64(s.c3);
    __m512i next = _mm512_add_epi64(_mm512_set1_epi64((long long)block),
                                    _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    for (size_t i = 0; i < count; i += 32 * ABREAST) {
        __m512i c[ABREAST][4];
        for (int v = 0; v < ABREAST; v++) {
            c[v][0] = next, c[v][1] = c1, c[v][2] = c2, c[v][3] = c3;
            next = _mm512_add_epi64(next, _mm512_set1_epi64(8));
        }
        uint32_t k0 = s.k0, k1 = s.k1;
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            const __m512i key0 = _mm512_set1_epi64(k0), key1 = _mm512_set1_epi64(k1);
#pragma GCC unroll 4
            for (int v = 0; v < ABREAST; v++) {
                __m512i p0 = _mm512_mul_epu32(c[v][0], m0), p1 = _mm512_mul_epu32(c[v][2], m1);
                __m512i high0 = _mm512_srli_epi64(p0, 32), high1 = _mm512_srli_epi64(p1, 32);
                c[v][0] = _mm512_ternarylogic_epi64(high1, c[v][1], key0, 0x96); /* a ^ b ^ c */
                c[v][1] = p1;
                c[v][2] = _mm512_ternarylogic_epi64(high0, c[v][3], key1, 0x96);
                c[v][3] = p0;
            }
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        for (int v = 0; v < ABREAST; v++) store_words_avx512(c[v], words + i + 32 * v);
    }
}

AVX512 static void squeeze_avx512(uint32_t first, uint32_t most, size_t count, uint32_t *words) {
    const __m512i from = _mm512_set1_epi32((int)first), range = _mm512_set1_epi64(most);
    for (size_t i = 0; i < count; i += 16) {
        __m512i h = _mm512_loadu_si512(words + i);
        __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(h, range), 32);
        __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(h, 32), range);
        h = _mm512_add_epi32(_mm512_mask_blend_epi32(0xAAAA, even, odd), from);
        _mm512_storeu_si512(words + i, h);
    }
}

AVX512 INLINE void segments_avx512(const uint32_t *words, size_t count, uint32_t *at, uint32_t *t) {
    const __m512i segment = _mm512_set1_epi32(0x1F0);
    for (size_t i = 0; i < count; i += 16) {
        __m512i h = _mm512_loadu_si512(words + i);
        __m512i m = _mm512_xor_si512(h, _mm512_srai_epi32(h, 31));
        __m512i M = _mm512_or_si512(_mm512_add_epi32(m, m), _mm512_set1_epi32(1));
        __m512i lz = _mm512_lzcnt_epi32(M);
        __m512i f = _mm512_sllv_epi32(_mm512_add_epi32(M, M), lz);
        __m512i row = _mm512_ternarylogic_epi32(_mm512_srli_epi32(f, 23), segment,
                                                _mm512_slli_epi32(lz, 9), 0xEA); /* a & b | c */
        _mm512_storeu_si512(at + i, row);
        _mm512_storeu_si512(t + i, _mm512_xor_si512(_mm512_slli_epi32(f, 5), _mm512_set1_epi32(-1)));
    }
}

/* Every other one of eight rows of the table, side by side. */
AVX512 INLINE __m512i rows_avx512(const uint32_t *table, const uint32_t *at) {
    __m512i low = _mm512_castsi256_si512(rows(table, at[0], at[2]));
    return _mm512_inserti64x4(low, rows(table, at[4], at[6]), 1);
}

AVX512 static void normal_avx512(const uint32_t *table, const uint32_t *words, size_t count,
                                 double mean, double step, double *values) {
    const __m512d means = _mm512_set1_pd(mean), steps = _mm512_set1_pd(-step);
    const __m512i lower = _mm512_set1_epi64(0xFFFFFFFF);
    const __m512i sign = _mm512_set1_epi64((long long)0x8000000000000000);
    uint32_t at[PIECE], ts[PIECE];
    segments_avx512(words, count, at, ts);
    for (size_t i = 0; i < count; i += 8) {
        __m512i t = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)(ts + i)));
        __m512i h = _mm512_cvtepi32_epi64(_mm256_loadu_si256((const __m256i *)(words + i)));
        __m512i r02 = rows_avx512(table, at + i), r13 = rows_avx512(table, at + i + 1);
        __m512i r01 = _mm512_unpacklo_epi64(r02, r13), r23 = _mm512_unpackhi_epi64(r02, r13);
        /* The high 52 bits of t 2^20 times a are mulhi(t, a), and what is added comes with them. */
        t = _mm512_slli_epi64(t, 20);
        __m512i a = _mm512_srli_epi64(r23, 32);
        a = _mm512_madd52hi_epu64(_mm512_and_si512(r23, lower), t, a);
        a = _mm512_madd52hi_epu64(_mm512_srli_epi64(r01, 32), t, a);
        a = _mm512_madd52hi_epu64(_mm512_and_si512(r01, lower), t, a);
        __m512i z = _mm512_castpd_si512(_mm512_cvtepi64_pd(a));
        z = _mm512_ternarylogic_epi64(z, h, sign, 0x78); /* a ^ (b & c); see avx2.h */
        __m512d product = _mm512_mul_pd(_mm512_castsi512_pd(z), steps);
        _mm512_storeu_pd(values + i, _mm512_add_pd(means, product));
    }
}

AVX512 static void f16_avx512(const double *values, size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i += 8) {
        __m128i half = _mm256_cvtps_ph(_mm512_cvtpd_ps(_mm512_loadu_pd(values + i)), 0);
        memcpy(out + 2 * i, &half, count - i < 8 ? 2 * (count - i) : sizeof half);
    }
}
