// _C.sum: allocates the result; None for what only NumPy takes.
#include "kernels/reduce.h"

#include "bindings/families.h"
#include "bindings/graph.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

// The dimensions that stay, for a sum over [first, last].
int kept_shape(PyArrayObject* x, int first, int last, bool keepdims, npy_intp* shape) {
  int ndim = 0;
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    const bool summed = i >= first && i <= last;
    if (!summed) {
      shape[ndim++] = PyArray_DIM(x, i);
    } else if (keepdims) {
      shape[ndim++] = 1;
    }
  }
  return ndim;
}

// sum(x, axes, keepdims): axes ascending; None unless they follow each other and x is a contiguous
// float array.
PyObject* sum(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("sum", nargs, 3)) return nullptr;
  if (!is_fast(args[0]) || !PyTuple_CheckExact(args[1])) return new_none();
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(args[0]);
  const Py_ssize_t count = PyTuple_GET_SIZE(args[1]);
  if (count == 0) return new_none();
  int64_t first = 0, last = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    int64_t axis;
    if (!read_int("sum", "axes", PyTuple_GET_ITEM(args[1], i), &axis)) return nullptr;
    if (axis < 0 || axis >= PyArray_NDIM(x) || (i > 0 && axis != last + 1)) return new_none();
    if (i == 0) first = axis;
    last = axis;
  }
  int64_t outer = 1, n = 1, inner = 1;
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    (i < first ? outer : i <= last ? n : inner) *= PyArray_DIM(x, i);
  }

  npy_intp shape[NPY_MAXDIMS];
  const int ndim =
      kept_shape(x, static_cast<int>(first), static_cast<int>(last), args[2] == Py_True, shape);
  Workspace partial(static_cast<size_t>(sum_chunks(outer, n, inner)) * sizeof(double));
  if (partial.failed()) return PyErr_NoMemory();
  PyArray_Descr* descr = PyArray_DESCR(x);
  Py_INCREF(descr);
  PyObject* out = new_array(descr, ndim, shape);
  if (!out) return nullptr;
  void* result = PyArray_DATA(reinterpret_cast<PyArrayObject*>(out));
  double* scratch = static_cast<double*>(partial.data());
  KernelScope scope(0.2 * static_cast<double>(outer * n * inner));
  if (PyArray_TYPE(x) == NPY_FLOAT) {
    kernels().reduce.f32.sum(static_cast<float*>(result),
                             static_cast<const float*>(PyArray_DATA(x)), outer, n, inner, scratch);
  } else {
    kernels().reduce.f64.sum(static_cast<double*>(result),
                             static_cast<const double*>(PyArray_DATA(x)), outer, n, inner, scratch);
  }
  return out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(sum, "sum(x, axes, keepdims): over a run of dimensions; None if NumPy has to"),
    MG_TABLE_END,
};

}  // namespace

void bind_reduce(pybind11::module_& m) { add_functions(m, kFunctions); }

}  // namespace mg
