// _C.sort, argsort, select and search: the operation, its results and their graph node in one call.
// None for what NumPy has to do, and for arguments that Python has to judge.
#include "kernels/sort.h"

#include "bindings/axes.h"
#include "bindings/families.h"
#include "bindings/graph.h"
#include "kernels.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace mg {
namespace {

constexpr double kSorted = 5, kSelected = 2, kSearched = 8;  // nanoseconds for an element, roughly

struct Names {
  PyObject *shape, *index, *dim;
};
Names n;

// A tensor or an array, contiguous and of a type that is sorted, and its rows.
struct Input {
  PyArrayObject* x;
  PyObject* fn;
  bool variable, tracked;
  int axis;
  SortRows rows;
};

bool read_rows(PyObject* given, PyObject* dim, Input* in) {
  in->variable = g.tensor && is_variable(given);
  PyObject* array = in->variable ? slot(given, g.array) : given;
  if (!PyArray_CheckExact(array)) return false;
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(array);
  const DType dtype = dtype_of(PyArray_DESCR(x));
  if (dtype == DType::kOther || !PyArray_ISCARRAY_RO(x) || PyArray_SIZE(x) == 0) return false;
  in->x = x;
  in->fn = in->variable ? slot(given, g.fn) : Py_None;
  in->tracked = t_recording && in->fn != Py_None;
  if (in->tracked && g_anomaly) return false;
  in->rows = {dtype, PyArray_DATA(x), 1, PyArray_SIZE(x), 1};
  if (dim) {
    if (!read_axis(dim, x, &in->axis)) return false;
    const Around a = around_axis(x, in->axis);
    in->rows.outer = a.outer, in->rows.n = a.n, in->rows.inner = a.inner;
  }
  return in->rows.n < INT32_MAX;
}

// New arrays for the results; `values` may be nullptr. False: error.
bool new_results(const Input& in, int ndim, const npy_intp* shape, PyObject** values,
                 PyObject** indices) {
  *indices = new_array(PyArray_DescrFromType(NPY_INT64), ndim, shape);
  if (!*indices) return false;
  if (!values) return true;
  PyArray_Descr* descr = PyArray_DESCR(in.x);
  Py_INCREF(descr);
  *values = new_array(descr, ndim, shape);
  if (!*values) Py_CLEAR(*indices);
  return *values != nullptr;
}

void* data_of(PyObject* array) {
  return array ? PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)) : nullptr;
}

// Runs kernel(workspace, threads). False: error.
template <class Kernel>
bool run(const SortRows& rows, double each, Kernel kernel) {
  const int64_t threads = get_num_threads();
  Workspace work(static_cast<size_t>(sort_workspace(rows, threads)));
  if (work.failed()) {
    PyErr_NoMemory();
    return false;
  }
  KernelScope scope(each * static_cast<double>(rows.outer * rows.n * rows.inner));
  kernel(work.data(), threads);
  return true;
}

bool set(PyObject* node, PyObject* name, PyObject* value) {
  const bool done = value && PyObject_SetAttr(node, name, value) == 0;
  Py_XDECREF(value);
  return done;
}

PyObject* dims_of(PyArrayObject* x) {
  PyObject* shape = PyTuple_New(PyArray_NDIM(x));
  for (int i = 0; shape && i < PyArray_NDIM(x); ++i) {
    PyTuple_SET_ITEM(shape, i, PyLong_FromSsize_t(PyArray_DIM(x, i)));
  }
  return shape;
}

// (values, indices), whose references it takes: arrays, or tensors with a node of `cls`.
PyObject* finish(PyObject* cls, const Input& in, PyObject* values, PyObject* indices) {
  PyObject* node = nullptr;
  bool good = true;
  if (in.tracked) {
    Py_INCREF(in.fn);
    PyObject* next = PyTuple_New(1);
    if (next) PyTuple_SET_ITEM(next, 0, in.fn);
    node = next ? new_node(cls, next) : nullptr;
    Py_INCREF(indices);
    good = node && set(node, n.shape, dims_of(in.x)) && set(node, n.dim, PyLong_FromLong(in.axis));
    good = good ? set(node, n.index, indices) : (Py_DECREF(indices), false);
  }
  if (good && in.variable) {
    values = new_tensor(values, node ? node : Py_None);
    indices = new_tensor(indices, Py_None);
  }
  PyObject* pair = good && values && indices ? PyTuple_Pack(2, values, indices) : nullptr;
  Py_XDECREF(node);
  Py_XDECREF(values);
  Py_XDECREF(indices);
  return pair;
}

// The first k (all where k is -1) of each sorted row.
bool run_sort(const Input& in, bool descending, int64_t k, PyObject** values, PyObject** indices) {
  const int ndim = PyArray_NDIM(in.x);
  npy_intp shape[NPY_MAXDIMS];
  for (int i = 0; i < ndim; ++i) shape[i] = i == in.axis ? k : PyArray_DIM(in.x, i);
  if (!new_results(in, ndim, shape, values, indices)) return false;
  Keep keep(true, {reinterpret_cast<PyObject*>(in.x), in.fn});
  void* to = values ? data_of(*values) : nullptr;
  int64_t* at = static_cast<int64_t*>(data_of(*indices));
  const bool done = run(in.rows, kSorted, [&](void* work, int64_t threads) {
    kernels().sort.sort(to, at, in.rows, k, descending, work, threads);
  });
  if (!done) {
    Py_CLEAR(*indices);
    if (values) Py_CLEAR(*values);
  }
  return done;
}

// sort(cls, input, dim, descending, k): (values, indices), or None. k = -1: all; the node gets
// shape, dim and index_array.
PyObject* sort(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("sort", nargs, 5)) return nullptr;
  Input in;
  if ((args[3] != Py_True && args[3] != Py_False) || !PyLong_CheckExact(args[4]) ||
      !read_rows(args[1], args[2], &in) || PyArray_NDIM(in.x) == 0) {
    return new_none();
  }
  int overflow;
  int64_t k = PyLong_AsLongLongAndOverflow(args[4], &overflow);
  if (overflow || k < -1 || k > in.rows.n) return new_none();
  if (k >= 0 && in.rows.dtype == DType::kBool) return new_none();
  PyObject *values, *indices;
  if (!run_sort(in, args[3] == Py_True, k < 0 ? in.rows.n : k, &values, &indices)) return nullptr;
  return finish(args[0], in, values, indices);
}

// argsort(input, dim, descending): the indices, or None.
PyObject* argsort(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("argsort", nargs, 3)) return nullptr;
  Input in;
  if ((args[2] != Py_True && args[2] != Py_False) || !read_rows(args[0], args[1], &in) ||
      PyArray_NDIM(in.x) == 0) {
    return new_none();
  }
  PyObject* indices;
  if (!run_sort(in, args[2] == Py_True, in.rows.n, nullptr, &indices)) return nullptr;
  return in.variable ? new_tensor(indices, Py_None) : indices;
}

// select(cls, input, dim, keepdim, which, rank): (values, indices), or None; the node as above,
// index_array shaped like the result. dim None: the value among all elements, of an array.
PyObject* select(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t which, rank;
  if (!check_count("select", nargs, 6) || !read_int("select", "which", args[4], &which)) {
    return nullptr;
  }
  if (which < 0 || which > static_cast<int64_t>(Rank::kNanMedian)) {
    return fail(PyExc_ValueError, "select: which is %lld; needed: 0, 1 or 2", (long long)which);
  }
  Input in;
  const bool all = args[2] == Py_None;
  if ((args[3] != Py_True && args[3] != Py_False) || !PyLong_CheckExact(args[5]) ||
      !read_rows(args[1], all ? nullptr : args[2], &in) || in.rows.dtype == DType::kBool ||
      (all ? in.variable : PyArray_NDIM(in.x) == 0)) {
    return new_none();
  }
  int overflow;
  rank = PyLong_AsLongLongAndOverflow(args[5], &overflow);
  if (overflow || rank < 0 || rank >= in.rows.n) return new_none();
  Axes axes;
  for (int i = 0; i < PyArray_NDIM(in.x); ++i) axes.reduced[i] = all || i == in.axis;
  npy_intp shape[NPY_MAXDIMS];
  const int ndim = kept_dims(in.x, axes, args[3] == Py_True, shape);
  PyObject *values, *indices;
  if (!new_results(in, ndim, shape, &values, &indices)) return nullptr;
  Keep keep(true, {reinterpret_cast<PyObject*>(in.x), in.fn});
  void* to = data_of(values);
  int64_t* at = static_cast<int64_t*>(data_of(indices));
  const bool done = run(in.rows, kSelected, [&](void* work, int64_t threads) {
    kernels().sort.select(to, at, in.rows, static_cast<Rank>(which), rank, work, threads);
  });
  if (!done || all) Py_CLEAR(indices);
  if (!done) Py_CLEAR(values);
  return all || !done ? values : finish(args[0], in, values, indices);
}

// search(sequence, input, right, int32): places in a vector that is sorted, or None.
PyObject* search(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  bool right, narrow;
  if (!check_count("search", nargs, 4) || !read_bool("search", "right", args[2], &right) ||
      !read_bool("search", "int32", args[3], &narrow)) {
    return nullptr;
  }
  PyArrayObject* operand[2];
  for (int i = 0; i < 2; ++i) {
    const bool variable = g.tensor && is_variable(args[i]);
    PyObject* array = variable ? slot(args[i], g.array) : args[i];
    if (!PyArray_CheckExact(array) ||
        !PyArray_ISCARRAY_RO(reinterpret_cast<PyArrayObject*>(array))) {
      return new_none();
    }
    operand[i] = reinterpret_cast<PyArrayObject*>(array);
  }
  PyArrayObject *sequence = operand[0], *x = operand[1];
  const DType dtype = dtype_of(PyArray_DESCR(x));
  const npy_intp count = PyArray_SIZE(sequence);
  if (dtype != dtype_of(PyArray_DESCR(sequence)) || PyArray_NDIM(sequence) != 1 || count == 0 ||
      count >= INT32_MAX) {
    return new_none();
  }
  // NaN at the end: the order of the probes matters, which Python has as PyTorch has it.
  const char* last =
      static_cast<const char*>(PyArray_DATA(sequence)) + (count - 1) * PyArray_ITEMSIZE(sequence);
  if (dtype == DType::kFloat32) {
    float value;
    memcpy(&value, last, sizeof value);
    if (value != value) return new_none();
  } else if (dtype == DType::kFloat64) {
    double value;
    memcpy(&value, last, sizeof value);
    if (value != value) return new_none();
  } else if (dtype != DType::kInt32 && dtype != DType::kInt64) {
    return new_none();
  }
  PyObject* out = new_array(PyArray_DescrFromType(narrow ? NPY_INT32 : NPY_INT64), PyArray_NDIM(x),
                            PyArray_DIMS(x));
  if (!out) return nullptr;
  {
    Keep keep(true, {reinterpret_cast<PyObject*>(x), reinterpret_cast<PyObject*>(sequence)});
    KernelScope scope(kSearched * static_cast<double>(PyArray_SIZE(x)));
    kernels().sort.search(data_of(out), narrow, PyArray_DATA(sequence), count, PyArray_DATA(x),
                          PyArray_SIZE(x), dtype, right);
  }
  return g.tensor && is_variable(args[0]) ? new_tensor(out, Py_None) : out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(sort, "sort(cls, input, dim, descending, k): (values, indices), or None"),
    MG_FAST(argsort, "argsort(input, dim, descending): the indices, or None"),
    MG_FAST(select, "select(cls, input, dim, keepdim, which, rank): (values, indices), or None"),
    MG_FAST(search, "search(sequence, input, right, int32): places in a sorted vector, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_sort(PyObject* module) {
  add_functions(module, kFunctions);
  n.shape = PyUnicode_InternFromString("shape");
  n.index = PyUnicode_InternFromString("index_array");
  n.dim = PyUnicode_InternFromString("dim");
}

}  // namespace mg
