/* Transposition by tiles: whole cache lines in, whole cache lines out. */
#include "kernel.h"

#include <string.h>

/* A tile is a cache line wide, so each line is read once, and writes runs of many lines. */
enum { ROWS = 128, LINE = 64 };

#define TURN(type)                                                                          \
    static void turn_##type(const ts_turn *t, const type *in, type *out) {                  \
        enum { COLUMNS = LINE / sizeof(type) };                                             \
        type tile[ROWS][COLUMNS];                                                           \
        for (size_t a = 0; a < t->outer; a++, in += t->rows * t->columns) {                 \
            for (size_t r = 0; r < t->rows; r += ROWS) {                                    \
                size_t rows = t->rows - r < ROWS ? t->rows - r : ROWS;                      \
                for (size_t c = 0; c < t->columns; c += COLUMNS) {                          \
                    size_t columns = t->columns - c < COLUMNS ? t->columns - c : COLUMNS;   \
                    for (size_t i = 0; i < rows; i++)                                       \
                        memcpy(tile[i], in + (r + i) * t->columns + c, columns * sizeof *in); \
                    for (size_t k = 0; k < columns; k++) {                                  \
                        type *to = out + t->of_outer[a] + t->of_column[c + k] + r;          \
                        for (size_t i = 0; i < rows; i++) to[i] = tile[i][k];               \
                    }                                                                       \
                }                                                                           \
            }                                                                               \
        }                                                                                   \
    }

TURN(uint8_t)
TURN(uint16_t)
TURN(uint32_t)
TURN(uint64_t)

void ts_turn_block(const ts_turn *turn, size_t size, const void *in, void *out) {
    switch (size) {
    case 1: turn_uint8_t(turn, in, out); break;
    case 2: turn_uint16_t(turn, in, out); break;
    case 4: turn_uint32_t(turn, in, out); break;
    case 8: turn_uint64_t(turn, in, out); break;
    }
}
