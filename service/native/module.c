/* The kernel as a Python module, for the stable ABI of CPython 3.11 and later. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernel.h"
#include "reflectors.h"

#include <fenv.h>

#define TABLE_BYTES (1024 * 4 * sizeof(uint32_t))

static int paths(void) {
    int count = 0;
    while (ts_paths()[count]) count++;
    return count;
}

static PyObject *refused(const char *what) {
    PyErr_SetString(PyExc_ValueError, what);
    return NULL;
}

/* Multiply `total` by a size; whether it stays below 2^63. */
static int grows(uint64_t *total, uint64_t size) {
    return !__builtin_mul_overflow(*total, size, total) && *total <= INT64_MAX;
}

/* Read a program and check all that the kernel takes on trust; NULL, or what is wrong. Both are
   bytes objects, which nobody changes meanwhile. */
static const char *read_program(PyObject *bytes, PyObject *table, uint64_t first, size_t nbytes,
                                ts_program *program) {
    const ts_tensor *tensor = (const void *)PyBytes_AsString(bytes);
    const uint32_t *rows = (const void *)PyBytes_AsString(table);
    size_t length = (size_t)PyBytes_Size(bytes);
    uint64_t full = 1, held = 1, cut = 1, before = 0;
    if ((uintptr_t)tensor % 8 || (uintptr_t)rows % 4) return "a buffer is not aligned";
    if (PyBytes_Size(table) != TABLE_BYTES) return "the table has another length";
    if (length < sizeof *tensor || tensor->rank > 1024 || tensor->regions > length ||
        length != sizeof *tensor + tensor->rank * sizeof(ts_axis) + tensor->regions * sizeof(ts_region))
        return "the program has another length";
    const ts_axis *axes = (const ts_axis *)(tensor + 1);
    *program = (ts_program){tensor, axes, (const ts_region *)(axes + tensor->rank), rows};
    if (tensor->dtype >= TS_DTYPES || !tensor->regions || !tensor->cut_stride || !tensor->cut_size)
        return "the program makes no sense";
    for (uint64_t i = 0; i < tensor->rank; i++) {
        if (axes[i].start >= axes[i].stop || axes[i].stop > axes[i].size)
            return "the block is empty or outside";
        if (!grows(&full, axes[i].size) || !grows(&held, axes[i].stop - axes[i].start))
            return "the block is too large";
    }
    if (!grows(&cut, tensor->cut_stride) || !grows(&cut, tensor->cut_size))
        return "a region is too large";
    for (uint64_t i = 0; i < tensor->regions; i++) {
        if (program->regions[i].law >= TS_LAWS) return "no such law";
        if (program->regions[i].stop < before) return "a region stops before it starts";
        before = program->regions[i].stop;
    }
    if (before != tensor->cut_size) return "a region is missing";
    if (nbytes % ts_dtype_size(tensor->dtype)) return "the buffer ends inside an element";
    if (first > held || nbytes / ts_dtype_size(tensor->dtype) > held - first)
        return "the buffer ends outside the block";
    return NULL;
}

static PyObject *fill(PyObject *module, PyObject *args) {
    int path;
    uint64_t first;
    PyObject *table, *bytes, *number;
    Py_buffer out;
    ts_program program;
    const char *wrong;
    (void)module;
    if (!PyArg_ParseTuple(args, "iSSOw*", &path, &table, &bytes, &number, &out)) return NULL;
    first = PyLong_AsUnsignedLongLong(number);
    if (PyErr_Occurred()) {
        PyBuffer_Release(&out);
        return NULL;
    }
    wrong = path < 0 || path >= paths() ? "no such path"
                                        : read_program(bytes, table, first, (size_t)out.len, &program);
    if (!wrong) {
        Py_BEGIN_ALLOW_THREADS
        ts_fill(path, &program, first, (uint64_t)out.len / ts_dtype_size(program.tensor->dtype), out.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&out);
    if (wrong) return refused(wrong);
    Py_RETURN_NONE;
}

static PyObject *variates(PyObject *module, PyObject *args) {
    int path, right;
    Py_buffer table, words, out;
    (void)module;
    if (!PyArg_ParseTuple(args, "iy*y*w*", &path, &table, &words, &out)) return NULL;
    right = path >= 0 && path < paths() && table.len == TABLE_BYTES && words.len * 2 == out.len &&
            !((uintptr_t)table.buf % 4 | (uintptr_t)words.buf % 4 | (uintptr_t)out.buf % 8);
    if (right) {
        Py_BEGIN_ALLOW_THREADS
        ts_variates(path, table.buf, words.buf, (size_t)words.len / 4, out.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&table);
    PyBuffer_Release(&words);
    PyBuffer_Release(&out);
    if (!right) return refused("no such path, or a buffer of another length or alignment");
    Py_RETURN_NONE;
}

/* Whether two buffers share no byte. */
static int apart(const Py_buffer *a, const Py_buffer *b) {
    uintptr_t first = (uintptr_t)a->buf, second = (uintptr_t)b->buf;
    return first + (size_t)a->len <= second || second + (size_t)b->len <= first;
}

/* The largest of some offsets, or -1 where one is negative. */
static int64_t reach_of(const int64_t *offsets, size_t count) {
    int64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        if (offsets[i] < 0) return -1;
        if (offsets[i] > most) most = offsets[i];
    }
    return most;
}

static int transpose_fits(const ts_transpose *t, size_t size, const Py_buffer *in,
                          const Py_buffer *out) {
    int64_t outer = reach_of(t->of_outer, t->outer), column = reach_of(t->of_column, t->columns);
    uint64_t elements = t->outer, last;
    if (!(size == 1 || size == 2 || size == 4 || size == 8) || !t->rows) return 0;
    if (!grows(&elements, t->rows) || !grows(&elements, t->columns) || !grows(&elements, size) ||
        elements != (uint64_t)in->len || outer < 0 || column < 0)
        return 0;
    if (__builtin_add_overflow((uint64_t)outer, (uint64_t)column, &last) ||
        __builtin_add_overflow(last, t->rows, &last) || !grows(&last, size))
        return 0;
    return last <= (uint64_t)out->len && !((uintptr_t)in->buf % size | (uintptr_t)out->buf % size);
}

static PyObject *transpose(PyObject *module, PyObject *args) {
    int fits;
    Py_ssize_t size, rows;
    PyObject *of_outer, *of_column; /* bytes, which nobody changes meanwhile */
    Py_buffer in, out;
    ts_transpose t;
    (void)module;
    if (!PyArg_ParseTuple(args, "nnSSy*w*", &size, &rows, &of_outer, &of_column, &in, &out))
        return NULL;
    t = (ts_transpose){(size_t)PyBytes_Size(of_outer) / 8, (size_t)rows,
                       (size_t)PyBytes_Size(of_column) / 8,
                       (const void *)PyBytes_AsString(of_outer),
                       (const void *)PyBytes_AsString(of_column)};
    fits = rows > 0 && size > 0 && !((uintptr_t)t.of_outer % 8 | (uintptr_t)t.of_column % 8) &&
           apart(&in, &out) && transpose_fits(&t, (size_t)size, &in, &out);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        ts_transpose_block(&t, (size_t)size, in.buf, out.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&in);
    PyBuffer_Release(&out);
    if (!fits) return refused("the transposition ends outside a buffer");
    Py_RETURN_NONE;
}

enum { STRIP_BYTES = TS_STRIP * sizeof(double), SQUARE_BYTES = TS_STRIP * STRIP_BYTES };

static int is_strip(const Py_buffer *buffer) {
    return buffer->len % STRIP_BYTES == 0 && (uintptr_t)buffer->buf % 8 == 0;
}

static PyObject *reflectors(PyObject *module, PyObject *args) {
    int path, right;
    Py_ssize_t width;
    Py_buffer strip, t, signs;
    fenv_t caller;
    (void)module;
    if (!PyArg_ParseTuple(args, "inw*w*w*", &path, &width, &strip, &t, &signs)) return NULL;
    right = path >= 0 && path < paths() && width >= 1 && width <= TS_STRIP && is_strip(&strip) &&
            strip.len >= width * STRIP_BYTES && is_strip(&t) && t.len == SQUARE_BYTES &&
            is_strip(&signs) && signs.len == STRIP_BYTES;
    if (right) {
        Py_BEGIN_ALLOW_THREADS
        fegetenv(&caller);
        fesetenv(FE_DFL_ENV);
        ts_reflectors(path, strip.buf, (size_t)strip.len / STRIP_BYTES, (size_t)width, t.buf,
                      signs.buf);
        fesetenv(&caller);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&strip);
    PyBuffer_Release(&t);
    PyBuffer_Release(&signs);
    if (!right) return refused("no such path, or a buffer of another length or alignment");
    Py_RETURN_NONE;
}

static PyObject *reflect(PyObject *module, PyObject *args) {
    int path, transposed, right;
    Py_ssize_t width;
    Py_buffer v, t, strip;
    fenv_t caller;
    (void)module;
    if (!PyArg_ParseTuple(args, "inpy*y*w*", &path, &width, &transposed, &v, &t, &strip))
        return NULL;
    right = path >= 0 && path < paths() && width >= 1 && width <= TS_STRIP && is_strip(&v) &&
            is_strip(&t) && t.len == SQUARE_BYTES && is_strip(&strip) && strip.len == v.len &&
            apart(&v, &strip) && apart(&t, &strip);
    if (right) {
        Py_BEGIN_ALLOW_THREADS
        fegetenv(&caller);
        fesetenv(FE_DFL_ENV);
        ts_reflect(path, v.buf, t.buf, transposed, (size_t)v.len / STRIP_BYTES, (size_t)width,
                   strip.buf);
        fesetenv(&caller);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&v);
    PyBuffer_Release(&t);
    PyBuffer_Release(&strip);
    if (!right) return refused("no such path, or a buffer of another length or alignment");
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"fill", fill, METH_VARARGS,
     "fill(path, table, program, first, out): write elements of a block from `first` on."},
    {"variates", variates, METH_VARARGS,
     "variates(path, table, words, out): uint32 words to float64 variates in units of 2^-28."},
    {"transpose", transpose, METH_VARARGS,
     "transpose(size, rows, of_outer, of_column, in, out): transpose by offsets in elements."},
    {"reflectors", reflectors, METH_VARARGS,
     "reflectors(path, width, strip, t, signs): columns to reflectors, in place."},
    {"reflect", reflect, METH_VARARGS,
     "reflect(path, width, transposed, v, t, strip): a strip times a block reflector, in place."},
    {NULL, NULL, 0, NULL},
};

static int add_paths(PyObject *module) {
    PyObject *names = PyTuple_New(paths());
    if (!names) return -1;
    for (int i = 0; i < paths(); i++) {
        PyObject *name = PyUnicode_FromString(ts_paths()[i]);
        if (!name || PyTuple_SetItem(names, i, name) < 0) {
            Py_DECREF(names);
            return -1;
        }
    }
    int failed = PyModule_AddObjectRef(module, "PATHS", names);
    Py_DECREF(names);
    return failed;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, add_paths}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernel", "Elements by compiled code; see kernel.h.", 0, methods,
    slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void);
PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&definition); }
