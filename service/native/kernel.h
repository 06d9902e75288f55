/* The kernel: elements of a tensor's block, written as the file stores them. Source: kernel.c. */
#ifndef TENSORSEED_KERNEL_H
#define TENSORSEED_KERNEL_H

#include "generator.h"
#include <stddef.h>

/* Every field has 8 bytes, so that a writer in any language packs these structures as they stand. */

enum { TS_F64, TS_F32, TS_F16, TS_BF16, TS_F8_E4M3, TS_F8_E5M2, TS_I64, TS_DTYPES };
enum { TS_CONSTANT, TS_UNIFORM, TS_NORMAL, TS_TRUNCATED_NORMAL, TS_LAWS };

typedef struct {
    uint64_t dtype;
    uint64_t rank;                   /* how many ts_axis follow */
    uint64_t cut_stride, cut_size;   /* index / stride % size is the coordinate that chooses a region */
    uint64_t regions;                /* how many ts_region follow, at least 1 */
    uint64_t k0, k1, c2, c3;
} ts_tensor;

typedef struct {
    uint64_t size, start, stop; /* of the full tensor; what of it the block holds */
} ts_axis;

typedef struct {
    uint64_t stop; /* on the cut axis; ascending, the last one cut_size */
    uint64_t law;
    uint64_t first, count;    /* a truncated normal's words */
    double centre, step;      /* the value of a constant is its centre */
    double low, high;         /* a uniform's bounds */
} ts_region;

typedef struct {
    const ts_tensor *tensor;
    const ts_axis *axes;
    const ts_region *regions;
    const uint32_t *table; /* T: 1,024 rows of four */
} ts_program;

/* Bytes of an element. */
size_t ts_dtype_size(uint64_t dtype);

/* Paths with the same bits, slowest first: their names, NULL after the last that this CPU has. */
const char *const *ts_paths(void);

/* Write `count` elements of the block from its element `first` on (row-major) to `out`, which may
   have any alignment. The block is not empty and holds them. */
void ts_fill(int path, const ts_program *program, uint64_t first, uint64_t count, void *out);

/* A transposition: element (a, r, c) of an array of outer x rows x columns goes to
   of_outer[a] + of_column[c] + r, in elements. */
typedef struct {
    size_t outer, rows, columns;
    const int64_t *of_outer, *of_column;
} ts_transpose;

/* Transpose elements of 1, 2, 4 or 8 bytes; both buffers are aligned to that. */
void ts_transpose_block(const ts_transpose *transpose, size_t size, const void *in, void *out);

/* Write the variates of `count` words: for the check over all of them. */
void ts_variates(int path, const uint32_t *table, const uint32_t *words, size_t count, double *out);

#endif
