/* The kernel as a Python module, for the stable ABI of CPython 3.11 and later. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernel.h"

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

/* Read a program and check all that the kernel takes on trust; NULL, or what is wrong. */
static const char *read_program(const Py_buffer *bytes, const Py_buffer *table,
                                ts_program *program) {
    const ts_tensor *tensor = bytes->buf;
    size_t length = (size_t)bytes->len;
    if ((uintptr_t)tensor % 8 || (uintptr_t)table->buf % 4) return "a buffer is not aligned";
    if (table->len != TABLE_BYTES) return "the table has another length";
    if (length < sizeof *tensor || tensor->rank > 1024 || tensor->regions > length ||
        length != sizeof *tensor + tensor->rank * sizeof(ts_axis) + tensor->regions * sizeof(ts_region))
        return "the program has another length";
    *program = (ts_program){tensor, (const ts_axis *)(tensor + 1), NULL, table->buf};
    program->regions = (const ts_region *)(program->axes + tensor->rank);
    if (tensor->dtype >= TS_DTYPES || !tensor->regions || !tensor->cut_stride || !tensor->cut_size)
        return "the program makes no sense";
    for (uint64_t i = 0; i < tensor->rank; i++) {
        ts_axis axis = program->axes[i];
        if (axis.start >= axis.stop || axis.stop > axis.size) return "the block is empty or outside";
    }
    for (uint64_t i = 0; i < tensor->regions; i++)
        if (program->regions[i].law >= TS_LAWS) return "no such law";
    if (program->regions[tensor->regions - 1].stop < tensor->cut_size) return "a region is missing";
    return NULL;
}

static PyObject *fill(PyObject *module, PyObject *args) {
    int path;
    unsigned long long first;
    Py_buffer table, bytes, out;
    ts_program program;
    const char *wrong;
    (void)module;
    if (!PyArg_ParseTuple(args, "iy*y*Kw*", &path, &table, &bytes, &first, &out)) return NULL;
    wrong = path < 0 || path >= paths() ? "no such path" : read_program(&bytes, &table, &program);
    if (!wrong) {
        Py_BEGIN_ALLOW_THREADS
        ts_fill(path, &program, first, (uint64_t)out.len / ts_dtype_size(program.tensor->dtype), out.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&table);
    PyBuffer_Release(&bytes);
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

static PyMethodDef methods[] = {
    {"fill", fill, METH_VARARGS,
     "fill(path, table, program, first, out): write elements of a block from `first` on."},
    {"variates", variates, METH_VARARGS,
     "variates(path, table, words, out): uint32 words to float64 variates in units of 2^-28."},
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
