/* The kernels of a GPU: generator.h for every element, as the file stores it.

   One kernel a law and a dtype writes consecutive elements of a full tensor, from any index on. A
   thread draws four at once, as the generator does. Orthonormal matrices take the two steps of
   reflections.py, each sum by one thread in its fixed order. Compiled by NVRTC, which has no headers,
   behind the text of generator.h; with --fmad=false.

   Source: docs/generator-v1.md. */

/* Where the quantile's table is: its rows are read at random, so each block of threads has a copy. */
#define TABLE(table)                                                                    \
    __shared__ uint32_t rows[4096];                                                     \
    for (uint32_t i = threadIdx.x; i < 4096; i += blockDim.x) rows[i] = (table)[i];     \
    __syncthreads();
#define NO_TABLE(table)

/* Four elements side by side, written at once. */
template <typename T> struct alignas(4 * sizeof(T)) ts_four { T value[4]; };

/* Write the elements [index, index + count). `out` is where element index - index % 4 would be, and
   is aligned to four elements; a, b, c, d are the law's numbers and first, words a truncated one's. */
#define FILL(name, T, LAW, CAST, PREPARE)                                                        \
    extern "C" __global__ void name(uint32_t k0, uint32_t k1, uint32_t c2, uint32_t c3,         \
                                    uint64_t index, uint64_t count, double a, double b, double c, \
                                    double d, uint32_t first, uint32_t words,                   \
                                    const uint32_t *table, T *out) {                            \
        PREPARE(table)                                                                          \
        ts_stream stream = {k0, k1, c2, c3};                                                    \
        uint64_t start = index >> 2, stop = (index + count + 3) >> 2;                           \
        uint64_t at = start + (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;                  \
        for (; at < stop; at += (uint64_t)gridDim.x * blockDim.x) {                             \
            uint32_t drawn[4];                                                                  \
            ts_four<T> made;                                                                    \
            ts_philox(stream, at, drawn);                                                       \
            for (int i = 0; i < 4; i++) {                                                       \
                uint32_t h = drawn[i];                                                          \
                double value = LAW;                                                             \
                made.value[i] = (T)(CAST);                                                      \
            }                                                                                   \
            uint64_t before = 4 * at;                                                           \
            T *to = out + 4 * (at - start);                                                     \
            if (before >= index && before + 4 <= index + count) {                               \
                *(ts_four<T> *)to = made;                                                       \
            } else { /* the first or the last four, of which not all are asked for */           \
                for (int i = 0; i < 4; i++)                                                     \
                    if (before + i >= index && before + i < index + count) to[i] = made.value[i]; \
            }                                                                                   \
        }                                                                                       \
    }

#define UNIFORM ts_uniform(h, a, b, c, d)
#define NORMAL ts_normal(ts_variate(rows, h), a, b)
#define TRUNCATED ts_normal(ts_variate(rows, ts_squeezed(h, first, words)), a, b)

#define LAWS(suffix, T, CAST)                                 \
    FILL(uniform_##suffix, T, UNIFORM, CAST, NO_TABLE)        \
    FILL(normal_##suffix, T, NORMAL, CAST, TABLE)             \
    FILL(truncated_normal_##suffix, T, TRUNCATED, CAST, TABLE)

LAWS(F64, double, value)
LAWS(F32, float, value)
LAWS(F16, uint16_t, ts_f16((float)value))
LAWS(BF16, uint16_t, ts_bf16((float)value))
LAWS(F8_E4M3, uint8_t, ts_f8_e4m3((float)value))
LAWS(F8_E5M2, uint8_t, ts_f8_e5m2((float)value))

/* Reflections, strips of 32 columns: as reflectors.c has them, a sum to a thread. */
#define STRIP 32

/* 0 + v[0][p] a[0][c] + v[1][p] a[1][c] + ..., in this order. */
TS_FUNCTION double ts_product(const double *v, const double *a, uint64_t rows, int p, int c) {
    double sum = 0;
    for (uint64_t i = 0; i < rows; i++)
        sum = TS_SUM(sum, TS_PRODUCT(v[i * STRIP + p], a[i * STRIP + c]));
    return sum;
}

/* Turn the first `width` columns of a strip into reflectors; one block of threads. */
extern "C" __global__ void reflectors(double *strip, uint64_t rows, uint32_t width, double *t,
                                      double *signs) {
    __shared__ double w[STRIP], products[STRIP * STRIP], tau, divisor;
    int me = threadIdx.x, all = blockDim.x;
    for (int j = 0; j < (int)width; j++) {
        double *column = strip + j;
        if (me == 0) {
            double alpha = column[j * STRIP], sum = 0;
            for (uint64_t i = j; i < rows; i++)
                sum = TS_SUM(sum, TS_PRODUCT(column[i * STRIP], column[i * STRIP]));
            double norm = TS_ROOT(sum), beta = alpha < 0 ? norm : -norm;
            int is_zero = norm == 0;
            signs[j] = !is_zero && beta < 0 ? -1 : 1;
            divisor = is_zero ? 1 : TS_SUM(alpha, -beta);
            tau = is_zero ? 0 : TS_QUOTIENT(TS_SUM(beta, -alpha), beta);
            t[j * STRIP + j] = tau;
            column[j * STRIP] = 1;
        }
        __syncthreads();
        for (uint64_t i = j + 1 + me; i < rows; i += all)
            column[i * STRIP] = TS_QUOTIENT(column[i * STRIP], divisor);
        __syncthreads();
        for (int c = me; c < STRIP; c += all) {
            double sum = ts_product(strip + j * STRIP, strip + j * STRIP, rows - j, j, c);
            w[c] = c > j && c < (int)width ? TS_PRODUCT(sum, tau) : 0;
        }
        __syncthreads();
        for (uint64_t k = me; k < (rows - j) * STRIP; k += all) {
            double *row = strip + (j + k / STRIP) * STRIP;
            int c = k % STRIP;
            if (c > j && c < (int)width) row[c] = TS_SUM(row[c], -TS_PRODUCT(row[j], w[c]));
        }
        __syncthreads();
    }
    for (int k = me; k < (int)width * STRIP; k += all)
        if (k % STRIP > k / STRIP) strip[k] = 0;
    __syncthreads();
    for (int k = me; k < STRIP * STRIP; k += all)
        products[k] = ts_product(strip, strip, rows, k / STRIP, k % STRIP);
    __syncthreads();
    for (int q = me; q < STRIP; q += all) /* a row of t depends on itself alone */
        for (int j = q + 1; j < (int)width; j++) {
            double sum = 0;
            for (int r = q; r < j; r++)
                sum = TS_SUM(sum, TS_PRODUCT(t[q * STRIP + r], products[r * STRIP + j]));
            t[q * STRIP + j] = TS_PRODUCT(-t[j * STRIP + j], sum);
        }
}

/* Multiply strips, `apart` elements from one to the next, by a block reflector or its transpose; a
   block of threads for each strip. */
extern "C" __global__ void reflect(const double *v, const double *t, uint32_t width,
                                   uint32_t transposed, uint64_t rows, uint64_t apart,
                                   double *strips) {
    __shared__ double w[STRIP * STRIP], u[STRIP * STRIP];
    double *a = strips + blockIdx.x * apart;
    int me = threadIdx.x, all = blockDim.x;
    for (int k = me; k < STRIP * STRIP; k += all)
        w[k] = ts_product(v, a, rows, k / STRIP, k % STRIP);
    __syncthreads();
    for (int k = me; k < STRIP * STRIP; k += all) {
        int p = k / STRIP, c = k % STRIP;
        int from = transposed ? 0 : p, to = p >= (int)width ? from : transposed ? p + 1 : (int)width;
        double sum = 0;
        for (int q = from; q < to; q++) {
            double factor = transposed ? t[q * STRIP + p] : t[p * STRIP + q];
            sum = TS_SUM(sum, TS_PRODUCT(factor, w[q * STRIP + c]));
        }
        u[k] = sum;
    }
    __syncthreads();
    for (uint64_t k = me; k < rows * STRIP; k += all) {
        double x = a[k];
        for (int p = 0; p < (int)width; p++)
            x = TS_SUM(x, -TS_PRODUCT(v[k / STRIP * STRIP + p], u[p * STRIP + k % STRIP]));
        a[k] = x;
    }
}
