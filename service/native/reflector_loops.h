/* The loops of reflectors.c for one width of vector; included once for each.

   VECTOR: bytes of a vector. TARGET: the attribute of its functions. NAME(x): their names. */

typedef double NAME(vector) __attribute__((vector_size(VECTOR)));
typedef NAME(vector) NAME(unaligned) __attribute__((aligned(8), may_alias));
#define LANES (VECTOR / 8)
#define WIDE (VECTOR == 64 ? 4 : 2) /* vectors a tile: with four rows all stay in registers */
#define LOAD(at) (*(const NAME(unaligned) *)(at))
#define STORE(at, value) (*(NAME(unaligned) *)(at) = (value))

/* w += v' a: both matrices have TS_STRIP columns. */
TARGET static void NAME(gather)(const double *v, const double *a, size_t rows, double *w) {
    for (size_t start = 0; start < rows; start += 64) {
        size_t stop = start + 64 < rows ? start + 64 : rows;
        for (size_t p = 0; p < TS_STRIP; p += 4)
            for (size_t c = 0; c < TS_STRIP; c += WIDE * LANES) {
                NAME(vector) sums[4][WIDE];
                for (size_t r = 0; r < 4; r++)
                    for (size_t k = 0; k < WIDE; k++)
                        sums[r][k] = LOAD(w + (p + r) * TS_STRIP + c + k * LANES);
                for (size_t i = start; i < stop; i++) {
                    const double *at = a + i * TS_STRIP + c, *by = v + i * TS_STRIP + p;
                    for (size_t r = 0; r < 4; r++)
                        for (size_t k = 0; k < WIDE; k++)
                            sums[r][k] = sums[r][k] + by[r] * LOAD(at + k * LANES);
                }
                for (size_t r = 0; r < 4; r++)
                    for (size_t k = 0; k < WIDE; k++)
                        STORE(w + (p + r) * TS_STRIP + c + k * LANES, sums[r][k]);
            }
    }
}

/* a -= v u, over the first `width` columns of v. */
TARGET static void NAME(scatter)(const double *v, const double *u, size_t rows, size_t width,
                                 double *a) {
    for (size_t i = 0; i < rows; i += 4) {
        size_t most = rows - i < 4 ? rows - i : 4;
        for (size_t c = 0; c < TS_STRIP; c += WIDE * LANES) {
            NAME(vector) sums[4][WIDE];
            double *at = a + i * TS_STRIP + c;
            const double *by = v + i * TS_STRIP;
            if (most == 4) {
                for (size_t r = 0; r < 4; r++)
                    for (size_t k = 0; k < WIDE; k++)
                        sums[r][k] = LOAD(at + r * TS_STRIP + k * LANES);
                for (size_t p = 0; p < width; p++)
                    for (size_t r = 0; r < 4; r++)
                        for (size_t k = 0; k < WIDE; k++)
                            sums[r][k] = sums[r][k]
                                         - by[r * TS_STRIP + p] * LOAD(u + p * TS_STRIP + c + k * LANES);
                for (size_t r = 0; r < 4; r++)
                    for (size_t k = 0; k < WIDE; k++)
                        STORE(at + r * TS_STRIP + k * LANES, sums[r][k]);
                continue;
            }
            for (size_t r = 0; r < most; r++)
                for (size_t p = 0; p < width; p++)
                    for (size_t k = 0; k < WIDE * LANES; k++)
                        at[r * TS_STRIP + k] -= by[r * TS_STRIP + p] * u[p * TS_STRIP + c + k];
        }
    }
}

/* row of w: the products of column j with every column; a -= v of column j times them. */
TARGET static void NAME(column)(double *strip, size_t rows, size_t j, size_t width, double tau) {
    double w[TS_STRIP] = {0};
    for (size_t i = j; i < rows; i++)
        for (size_t c = 0; c < TS_STRIP; c++)
            w[c] = w[c] + strip[i * TS_STRIP + j] * strip[i * TS_STRIP + c];
    for (size_t c = 0; c < TS_STRIP; c++) w[c] = c > j && c < width ? w[c] * tau : 0;
    for (size_t i = j; i < rows; i++) {
        double v = strip[i * TS_STRIP + j];
        for (size_t c = j + 1; c < width; c++)
            strip[i * TS_STRIP + c] = strip[i * TS_STRIP + c] - v * w[c];
    }
}

#undef LANES
#undef WIDE
#undef LOAD
#undef STORE
#undef VECTOR
#undef TARGET
#undef NAME
