/* What kernel.cu needs of CUDA, for a processor: one thread a block, blocks one after another. */
#include <math.h>

#define __global__
#define __shared__ static
#define __syncthreads()
#define TS_QUOTIENT(a, b) ((a) / (b))
#define TS_ROOT(a) sqrt(a)

struct ts_index {
    unsigned x;
};
static ts_index blockIdx, gridDim;
static const ts_index threadIdx = {0}, blockDim = {1};

/* The next call of a kernel is that of this block of so many. */
extern "C" void ts_block(unsigned block, unsigned blocks) {
    blockIdx.x = block;
    gridDim.x = blocks;
}
