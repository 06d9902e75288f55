/* Runs the kernel without Python, for builds that Python cannot load: other processors, sanitizers.

   stdin: T; then per case five u64 (path, bytes of the program, first element, bytes wanted, by how
   many bytes the buffer is misaligned) and the program. stdout: the bytes of each. With an argument,
   prints the names of the paths instead. */
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>

static void must_read(void *to, size_t size) {
    if (fread(to, 1, size, stdin) != size) exit(2);
}

int main(int argc, char **argv) {
    static uint32_t table[4096];
    uint64_t path, size, first, wanted, skew, head[5];
    (void)argv;
    if (argc > 1) {
        for (int i = 0; ts_paths()[i]; i++) puts(ts_paths()[i]);
        return 0;
    }
    must_read(table, sizeof table);
    while (fread(head, sizeof head, 1, stdin)) {
        path = head[0], size = head[1], first = head[2], wanted = head[3], skew = head[4];
        char *program = malloc(size), *out = malloc(wanted + skew);
        must_read(program, size);
        const ts_tensor *tensor = (const ts_tensor *)program;
        const ts_axis *axes = (const ts_axis *)(tensor + 1);
        ts_program read = {tensor, axes, (const ts_region *)(axes + tensor->rank), table};
        ts_fill((int)path, &read, first, wanted / ts_dtype_size(tensor->dtype), out + skew);
        fwrite(out + skew, 1, wanted, stdout);
        free(program);
        free(out);
    }
    return 0;
}
