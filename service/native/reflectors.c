/* Householder reflections in a fixed order. Source: docs/generator-v1.md, "Orthogonal". */
#include "reflectors.h"

#include <math.h>
#include <string.h>

#define VECTOR 16
#define TARGET
#define NAME(x) x##_portable
#include "reflector_loops.h"

#if defined(__x86_64__)
#define VECTOR 32
#define TARGET __attribute__((target("avx2")))
#define NAME(x) x##_avx2
#include "reflector_loops.h"

#define VECTOR 64
#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl")))
#define NAME(x) x##_avx512
#include "reflector_loops.h"
#endif

static const struct {
    void (*gather)(const double *v, const double *a, size_t rows, double *w);
    void (*scatter)(const double *v, const double *u, size_t rows, size_t width, double *a);
    void (*column)(double *strip, size_t rows, size_t j, size_t width, double tau);
} paths[] = {
    {gather_portable, scatter_portable, column_portable},
#if defined(__x86_64__)
    {gather_avx2, scatter_avx2, column_avx2},
    {gather_avx512, scatter_avx512, column_avx512},
#endif
};

/* Reflect column j onto its diagonal element; returns tau, 0 for a column of zeros. */
static double reflector(double *strip, size_t rows, size_t j, double *sign) {
    double sum = 0, norm, alpha = strip[j * TS_STRIP + j], beta;
    for (size_t i = j; i < rows; i++) {
        double x = strip[i * TS_STRIP + j];
        sum = sum + x * x;
    }
    norm = sqrt(sum);
    beta = alpha < 0 ? norm : -norm;
    *sign = beta < 0 ? -1 : 1;
    strip[j * TS_STRIP + j] = 1;
    if (norm == 0) {
        *sign = 1;
        return 0;
    }
    for (size_t i = j + 1; i < rows; i++)
        strip[i * TS_STRIP + j] = strip[i * TS_STRIP + j] / (alpha - beta);
    return (beta - alpha) / beta;
}

void ts_reflectors(int path, double *strip, size_t rows, size_t width, double *t, double *signs) {
    double products[TS_STRIP * TS_STRIP] = {0};
    memset(t, 0, sizeof products);
    for (size_t j = 0; j < width; j++) {
        double tau = reflector(strip, rows, j, signs + j);
        t[j * TS_STRIP + j] = tau;
        paths[path].column(strip, rows, j, width, tau);
    }
    for (size_t j = 0; j < width; j++)
        for (size_t c = j + 1; c < TS_STRIP; c++) strip[j * TS_STRIP + c] = 0;
    paths[path].gather(strip, strip, rows, products);
    for (size_t j = 1; j < width; j++)
        for (size_t q = 0; q < j; q++) {
            double sum = 0;
            for (size_t r = q; r < j; r++)
                sum = sum + t[q * TS_STRIP + r] * products[r * TS_STRIP + j];
            t[q * TS_STRIP + j] = -t[j * TS_STRIP + j] * sum;
        }
}

void ts_reflect(int path, const double *v, const double *t, int transposed, size_t rows,
                size_t width, double *strip) {
    double w[TS_STRIP * TS_STRIP] = {0}, u[TS_STRIP * TS_STRIP] = {0};
    paths[path].gather(v, strip, rows, w);
    for (size_t p = 0; p < width; p++) {
        size_t from = transposed ? 0 : p, to = transposed ? p + 1 : width;
        for (size_t q = from; q < to; q++) {
            double factor = transposed ? t[q * TS_STRIP + p] : t[p * TS_STRIP + q];
            for (size_t c = 0; c < TS_STRIP; c++)
                u[p * TS_STRIP + c] = u[p * TS_STRIP + c] + factor * w[q * TS_STRIP + c];
        }
    }
    paths[path].scatter(v, u, rows, width, strip);
}
