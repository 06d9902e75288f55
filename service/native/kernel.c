/* The loops of the kernel: runs of a block, cut into pieces that stay in the L1 cache.

   A piece goes through three stages, words, float64 values, casts. What is worth it has a SIMD form
   chosen at run time; all else is plain C that the compiler vectorizes for each path. */
#include "kernel.h"

#include <fenv.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "files are little-endian, and so must the machine be: NumPy serves here"
#endif
#if defined(__FAST_MATH__) || (defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0)
#error "every operation must round on its own: NumPy serves here"
#endif

enum {
    PIECE = 512, /* elements: 16 KiB of table, 2 of words and 4 of values share 32 KiB of L1 */
    GROUP = 64,  /* words that the widest form draws at once */
};

/* Elements whose counters share their second word, the upper half of the block's number: a form may
   take it for a constant, because no piece crosses an edge. */
static const uint64_t EDGE = (uint64_t)1 << 34;

#define INLINE static inline __attribute__((always_inline))

/* What a path does in its own way. Counts are rounded up to whole groups of words, and to 16 else. */
typedef struct {
    /* Draw the words of the elements 4 * block and on. */
    void (*words)(ts_stream stream, uint64_t block, size_t count, uint32_t *words);
    /* Squeeze words into so many from `first` on. */
    void (*squeeze)(uint32_t first, uint32_t most, size_t count, uint32_t *words);
    /* Turn words into normal values. */
    void (*normal)(const uint32_t *table, const uint32_t *words, size_t count, double mean,
                   double step, double *values);
    /* Write exactly `count` values as F16. */
    void (*f16)(const double *values, size_t count, uint8_t *out);
} forms;

static void words_portable(ts_stream stream, uint64_t block, size_t count, uint32_t *words) {
    for (size_t i = 0; i < count; i += 4) ts_philox(stream, block++, words + i);
}

static void squeeze_portable(uint32_t first, uint32_t most, size_t count, uint32_t *words) {
    for (size_t i = 0; i < count; i++) words[i] = ts_squeezed(words[i], first, most);
}

static void normal_portable(const uint32_t *table, const uint32_t *words, size_t count, double mean,
                            double step, double *values) {
    for (size_t i = 0; i < count; i++)
        values[i] = ts_normal(ts_variate(table, words[i]), mean, step);
}

/* `type` elements through memcpy: the caller's buffer may have any alignment. */
#define CAST(type, expression)                             \
    for (size_t i = 0; i < count; i++) {                   \
        double value = values[i];                          \
        type cast = (type)(expression);                    \
        memcpy(out + i * sizeof cast, &cast, sizeof cast); \
    }

static void f16_portable(const double *values, size_t count, uint8_t *out) {
    CAST(uint16_t, ts_f16((float)value))
}

static const forms portable = {words_portable, squeeze_portable, normal_portable, f16_portable};

#if defined(__x86_64__)
#include "avx2.h"
#include "avx512.h"
static const forms avx2 = {words_avx2, squeeze_avx2, normal_avx2, f16_avx2};
static const forms avx512 = {words_avx512, squeeze_avx512, normal_avx512, f16_avx512};
#endif

INLINE void uniform(const ts_region *law, const uint32_t *words, size_t count, double *values) {
    double centre = law->centre, step = law->step, low = law->low, high = law->high;
    for (size_t i = 0; i < count; i++) values[i] = ts_uniform(words[i], centre, step, low, high);
}

INLINE void cast(const forms *path, uint64_t dtype, const double *restrict values, size_t count,
                 uint8_t *restrict out) {
    switch (dtype) {
    case TS_F64: memcpy(out, values, count * sizeof *values); break;
    case TS_F32: CAST(float, value) break;
    case TS_F16: path->f16(values, count, out); break;
    case TS_BF16: CAST(uint16_t, ts_bf16((float)value)) break;
    case TS_F8_E4M3: CAST(uint8_t, ts_f8_e4m3((float)value)) break;
    case TS_F8_E5M2: CAST(uint8_t, ts_f8_e5m2((float)value)) break;
    case TS_I64: CAST(int64_t, value) break;
    }
}

/* Consecutive elements of the full tensor under one law. */
typedef void run_form(const ts_program *program, const ts_region *law, uint64_t index,
                      uint64_t count, uint8_t *out);

INLINE void run(const forms *path, const ts_program *program, const ts_region *law, uint64_t index,
                uint64_t count, uint8_t *out) {
    const ts_tensor *tensor = program->tensor;
    ts_stream stream = {(uint32_t)tensor->k0, (uint32_t)tensor->k1, (uint32_t)tensor->c2,
                        (uint32_t)tensor->c3};
    size_t size = ts_dtype_size(tensor->dtype), skip = index & 3;
    uint32_t words[PIECE + GROUP];
    double values[PIECE + GROUP];
    while (count > 0) {
        uint64_t most = EDGE - index % EDGE;
        size_t n = PIECE - skip;
        if (count < most) most = count;
        if (most < n) n = (size_t)most;
        path->words(stream, index >> 2, skip + n, words);
        if (law->law == TS_UNIFORM) {
            uniform(law, words + skip, n, values);
        } else {
            if (law->law == TS_TRUNCATED_NORMAL)
                path->squeeze((uint32_t)law->first, (uint32_t)law->count, n, words + skip);
            path->normal(program->table, words + skip, n, law->centre, law->step, values);
        }
        cast(path, tensor->dtype, values, n, out);
        out += n * size;
        index += n;
        count -= n;
        skip = 0;
    }
}

/* A constant is cast once, and copied. */
static void run_constant(uint64_t dtype, double value, uint64_t count, uint8_t *out) {
    size_t size = ts_dtype_size(dtype), bytes = (size_t)count * size, done = size;
    cast(&portable, dtype, &value, 1, out);
    for (; done < bytes; done *= 2) memcpy(out + done, out, done < bytes - done ? done : bytes - done);
}

static void run_portable(const ts_program *program, const ts_region *law, uint64_t index,
                         uint64_t count, uint8_t *out) {
    run(&portable, program, law, index, count, out);
}

#if defined(__x86_64__)
AVX2 static void run_avx2(const ts_program *program, const ts_region *law, uint64_t index,
                          uint64_t count, uint8_t *out) {
    run(&avx2, program, law, index, count, out);
}

AVX512 static void run_avx512(const ts_program *program, const ts_region *law, uint64_t index,
                              uint64_t count, uint8_t *out) {
    run(&avx512, program, law, index, count, out);
}
#endif

static const struct {
    run_form *run;
    const forms *forms;
} paths[] = {
    {run_portable, &portable},
#if defined(__x86_64__)
    {run_avx2, &avx2},
    {run_avx512, &avx512},
#endif
};

const char *const *ts_paths(void) {
    static const char *names[] = {"portable", NULL, NULL, NULL};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) {
        names[1] = "avx2";
        if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512ifma"))
            names[2] = "avx512";
    }
#endif
    return names;
}

size_t ts_dtype_size(uint64_t dtype) {
    static const uint8_t sizes[] = {8, 4, 2, 2, 1, 1, 8};
    return sizes[dtype];
}

/* The first region that stops after a coordinate. */
static const ts_region *region_at(const ts_program *program, uint64_t coordinate) {
    uint64_t low = 0, high = program->tensor->regions - 1;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (program->regions[middle].stop > coordinate) high = middle;
        else low = middle + 1;
    }
    return program->regions + low;
}

/* The index in the full tensor of a block's element, and how many stand side by side from it on. */
static uint64_t index_of(const ts_program *program, uint64_t place, uint64_t *side_by_side) {
    uint64_t index = 0, stride = 1, run = 1, before = 0;
    int whole = 1; /* so far, the block holds all of every axis */
    for (uint64_t axis = program->tensor->rank; axis-- > 0;) {
        ts_axis a = program->axes[axis];
        uint64_t held = a.stop - a.start, at = place % held;
        if (whole) before += at * run, run *= held, whole = held == a.size;
        index += (at + a.start) * stride;
        place /= held;
        stride *= a.size;
    }
    *side_by_side = run - before;
    return index;
}

void ts_fill(int path, const ts_program *program, uint64_t first, uint64_t count, void *out) {
    const ts_tensor *tensor = program->tensor;
    size_t size = ts_dtype_size(tensor->dtype);
    uint8_t *to = out;
    fenv_t caller; /* who may round otherwise or flush subnormals to zero */
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    while (count > 0) {
        uint64_t length, index = index_of(program, first, &length);
        uint64_t coordinate = index / tensor->cut_stride % tensor->cut_size;
        const ts_region *region = region_at(program, coordinate);
        if (tensor->regions > 1) {
            uint64_t left = (region->stop - coordinate) * tensor->cut_stride
                            - index % tensor->cut_stride;
            if (left < length) length = left;
        }
        if (count < length) length = count;
        if (region->law == TS_CONSTANT) run_constant(tensor->dtype, region->centre, length, to);
        else paths[path].run(program, region, index, length, to);
        first += length;
        count -= length;
        to += length * size;
    }
    fesetenv(&caller);
}

void ts_variates(int path, const uint32_t *table, const uint32_t *words, size_t count,
                 double *out) {
    uint32_t piece[PIECE];
    double values[PIECE];
    for (size_t done = 0; done < count;) {
        size_t n = count - done < PIECE ? count - done : PIECE;
        memcpy(piece, words + done, n * sizeof *piece);
        memset(piece + n, 0, (PIECE - n) * sizeof *piece);
        paths[path].forms->normal(table, piece, n, 0.0, 1.0, values);
        memcpy(out + done, values, n * sizeof *values);
        done += n;
    }
}
