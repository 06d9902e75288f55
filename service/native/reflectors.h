/* Householder reflections in a fixed order: the orthonormal matrices of docs/generator-v1.md.

   A matrix is stored in strips of TS_STRIP columns, each row-major and contiguous, so a strip of
   factored columns is itself the block of reflectors that the later strips are multiplied by.
   Every sum runs over ascending indices, one multiplication and one addition a term; SIMD lanes and
   threads hold different outputs, so neither can change a bit. */
#ifndef TENSORSEED_REFLECTORS_H
#define TENSORSEED_REFLECTORS_H

#include <stddef.h>
#include <stdint.h>

enum { TS_STRIP = 32 };

/* Turn the first `width` columns of a strip, whose first row is that of the first diagonal element,
   into reflectors: v below the diagonal, 1 on it, 0 above. Writes T of the block reflector
   I - V T V' (TS_STRIP x TS_STRIP, upper triangular) and the signs that make R's diagonal positive. */
void ts_reflectors(int path, double *strip, size_t rows, size_t width, double *t, double *signs);

/* Multiply a strip by a block reflector, or, where `transposed`, by its transpose. */
void ts_reflect(int path, const double *v, const double *t, int transposed, size_t rows,
                size_t width, double *strip);

#endif
