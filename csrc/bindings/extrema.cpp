// _C.extremum and arg_extremum: extrema of rows with their places, and the graph node, in one call.
// None for what NumPy has to do, and for arguments that Python has to judge.
#include "bindings/families.h"
#include "bindings/reduce_input.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

struct Names {
  PyObject *shape, *index, *dim;
};
Names n;

// Runs arg over one dimension (all, where axis is -1) into new arrays.
bool run_arg(bool smallest, PyArrayObject* x, int axis, bool keepdims, PyObject** values,
             PyObject** indices) {
  Axes axes;
  for (int i = 0; i < PyArray_NDIM(x); ++i) axes.reduced[i] = axis < 0 || i == axis;
  Around a = {1, PyArray_SIZE(x), 1};
  if (axis >= 0) a = around_axis(x, axis);
  npy_intp shape[NPY_MAXDIMS];
  const int ndim = kept_dims(x, axes, keepdims, shape);
  Workspace work(static_cast<size_t>(arg_workspace(a.outer, a.n, a.inner)) * sizeof(double));
  if (work.failed()) {
    PyErr_NoMemory();
    return false;
  }
  *indices = new_typed(NPY_INT64, ndim, shape);
  if (!*indices) return false;
  if (values && !(*values = new_like(x, ndim, shape))) {
    Py_CLEAR(*indices);
    return false;
  }
  double* scratch = static_cast<double*>(work.data());
  int64_t* index = data_of<int64_t>(*indices);
  KernelScope scope(2 * kReduceEach * static_cast<double>(PyArray_SIZE(x)));
  if (PyArray_TYPE(x) == NPY_FLOAT) {
    kernels().reduce.f32.arg(smallest, values ? data_of<float>(*values) : nullptr, index,
                             static_cast<const float*>(PyArray_DATA(x)), a.outer, a.n, a.inner,
                             scratch);
  } else {
    kernels().reduce.f64.arg(smallest, values ? data_of<double>(*values) : nullptr, index,
                             static_cast<const double*>(PyArray_DATA(x)), a.outer, a.n, a.inner,
                             scratch);
  }
  return true;
}

bool takes_arg(PyArrayObject* x, int axis) {
  const int64_t size = axis < 0 ? PyArray_SIZE(x) : PyArray_DIM(x, axis);
  return size > 0 && size < INT32_MAX;
}

// arg_extremum(smallest, input, dim or None, keepdim): the indices, or None.
PyObject* arg_extremum(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("arg_extremum", nargs, 4)) return nullptr;
  Input in;
  int axis = -1;
  if (!read_input(args[1], &in) || (args[3] != Py_True && args[3] != Py_False) ||
      (args[2] != Py_None && !read_axis(args[2], in.x, &axis)) || !takes_arg(in.x, axis)) {
    return new_none();
  }
  PyArrayObject* x = in_order(&in);
  if (!x) return PyErr_Occurred() ? nullptr : new_none();
  Keep keep(true, {reinterpret_cast<PyObject*>(x)});
  PyObject* indices;
  if (!run_arg(args[0] == Py_True, x, axis, args[3] == Py_True, nullptr, &indices)) {
    return nullptr;
  }
  return in.variable ? new_tensor(indices, Py_None) : indices;
}

// extremum(cls, smallest, input, dim, keepdim): (values, indices), or None. The node gets shape,
// dim and index (shaped like the result).
PyObject* extremum(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("extremum", nargs, 5)) return nullptr;
  Input in;
  int axis;
  if (!read_input(args[2], &in) || (args[4] != Py_True && args[4] != Py_False) ||
      !read_axis(args[3], in.x, &axis) || !takes_arg(in.x, axis)) {
    return new_none();
  }
  PyArrayObject* x = in_order(&in);
  if (!x) return PyErr_Occurred() ? nullptr : new_none();
  Keep keep(true, {reinterpret_cast<PyObject*>(x), in.fn});
  PyObject *values, *indices;
  if (!run_arg(args[1] == Py_True, x, axis, args[4] == Py_True, &values, &indices)) {
    return nullptr;
  }
  PyObject* node = nullptr;
  if (in.tracked) {
    node = new_node(args[0], PyTuple_Pack(1, in.fn));
    Py_INCREF(indices);
    if (!node || !set(node, n.shape, dims_of(in.x)) || !set(node, n.index, indices) ||
        !set(node, n.dim, PyLong_FromLong(axis))) {
      Py_XDECREF(node);
      Py_DECREF(values);
      Py_DECREF(indices);
      return nullptr;
    }
  }
  if (in.variable) {
    values = new_tensor(values, node ? node : Py_None);
    indices = new_tensor(indices, Py_None);
  }
  Py_XDECREF(node);
  PyObject* pair = values && indices ? PyTuple_Pack(2, values, indices) : nullptr;
  Py_XDECREF(values);
  Py_XDECREF(indices);
  return pair;
}

PyMethodDef kFunctions[] = {
    MG_FAST(arg_extremum, "arg_extremum(smallest, input, dim, keepdim); None if NumPy has to"),
    MG_FAST(extremum, "extremum(cls, smallest, input, dim, keepdim): a pair, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_extrema(PyObject* module) {
  add_functions(module, kFunctions);
  n.shape = PyUnicode_InternFromString("shape");
  n.index = PyUnicode_InternFromString("index_array");
  n.dim = PyUnicode_InternFromString("dim");
}

}  // namespace mg
