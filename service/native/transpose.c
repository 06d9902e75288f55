/* Transposition by tiles: whole cache lines in, whole cache lines out. */
#include "kernel.h"

#include <string.h>

/* A tile is a cache line wide, so each line is read once, and writes runs of many lines. */
enum { ROWS = 128, LINE = 64 };

#define TRANSPOSE(type)                                                                    \
    static void transpose_##type(const ts_transpose *t, const type *in, type *out) {       \
        enum { COLUMNS = LINE / sizeof(type) };                                            \
        type tile[ROWS][COLUMNS];                                                          \
        for (size_t a = 0; a < t->outer; a++, in += t->rows * t->columns) {                \
            for (size_t r = 0; r < t->rows; r += ROWS) {                                   \
                size_t rows = t->rows - r < ROWS ? t->rows - r : ROWS;                     \
                for (size_t c = 0; c < t->columns; c += COLUMNS) {                         \
                    size_t columns = t->columns - c < COLUMNS ? t->columns - c : COLUMNS;  \
                    for (size_t i = 0; i < rows; i++)                                      \
                        memcpy(tile[i], in + (r + i) * t->columns + c, columns * sizeof *in); \
                    for (size_t k = 0; k < columns; k++) {                                 \
                        type *to = out + t->of_outer[a] + t->of_column[c + k] + r;         \
                        for (size_t i = 0; i < rows; i++) to[i] = tile[i][k];              \
                    }                                                                      \
                }                                                                          \
            }                                                                              \
        }                                                                                  \
    }

TRANSPOSE(uint8_t)
TRANSPOSE(uint16_t)
TRANSPOSE(uint32_t)
TRANSPOSE(uint64_t)

void ts_transpose_block(const ts_transpose *transpose, size_t size, const void *in, void *out) {
    switch (size) {
    case 1: transpose_uint8_t(transpose, in, out); break;
    case 2: transpose_uint16_t(transpose, in, out); break;
    case 4: transpose_uint32_t(transpose, in, out); break;
    case 8: transpose_uint64_t(transpose, in, out); break;
    }
}
