// _C.scan and record: running sums, products and extrema of arrays. None for what NumPy has to do.
#include "bindings/families.h"
#include "bindings/reduce_input.h"
#include "kernels.h"

namespace mg {
namespace {

struct Names {
  PyObject *dim, *reverse;
};
Names n;

void run_scan(ScanOp op, bool reverse, PyObject* out, PyArrayObject* x, int axis) {
  const Around a = around_axis(x, axis);
  KernelScope scope((op == ScanOp::kLogSumExp ? 15 : 0.4) * static_cast<double>(PyArray_SIZE(x)));
  if (PyArray_TYPE(x) == NPY_FLOAT) {
    kernels().reduce.f32.scan(op, reverse, data_of<float>(out),
                              static_cast<const float*>(PyArray_DATA(x)), a.outer, a.n, a.inner);
  } else {
    kernels().reduce.f64.scan(op, reverse, data_of<double>(out),
                              static_cast<const double*>(PyArray_DATA(x)), a.outer, a.n, a.inner);
  }
}

// scan(x, dim, product, reverse): like x, or None. `product` is None for running log-sum-exps.
PyObject* scan(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("scan", nargs, 4)) return nullptr;
  int axis;
  const bool whole = PyArray_CheckExact(args[0]) && PyArray_ISCARRAY_RO(array_of(args[0])) &&
                     dtype_of(PyArray_DESCR(array_of(args[0]))) == DType::kInt64;
  if (!(whole || is_fast(args[0])) || !read_axis(args[1], array_of(args[0]), &axis)) {
    return new_none();
  }
  PyArrayObject* x = array_of(args[0]);
  const bool product = args[2] == Py_True, reverse = args[3] == Py_True;
  const ScanOp op = args[2] == Py_None ? ScanOp::kLogSumExp
                    : product          ? ScanOp::kProduct
                                       : ScanOp::kSum;
  if (whole && op == ScanOp::kLogSumExp) return new_none();
  PyObject* out = array_like(x);
  if (!out) return nullptr;
  Keep keep(true, {args[0]});
  if (whole) {
    const Around a = around_axis(x, axis);
    KernelScope scope(0.4 * static_cast<double>(PyArray_SIZE(x)));
    kernels().reduce.scan_integers(product, reverse, data_of<int64_t>(out),
                                   data_of<int64_t>(args[0]), a.outer, a.n, a.inner);
  } else {
    run_scan(op, reverse, out, x, axis);
  }
  return out;
}

// fast_cumsum(cls, input, dim): of a tensor of floats, recorded; or None. The node gets dim and
// reverse.
PyObject* fast_cumsum(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_cumsum", nargs, 3)) return nullptr;
  Input in;
  int axis;
  if (!read_input(args[1], &in) || !in.variable || !read_axis(args[2], in.x, &axis)) {
    return new_none();
  }
  PyArrayObject* x = in_order(&in);
  if (!x) return PyErr_Occurred() ? nullptr : new_none();
  PyObject* out = array_like(x);
  if (!out) return nullptr;
  Keep keep(true, {reinterpret_cast<PyObject*>(x), in.fn});
  run_scan(ScanOp::kSum, false, out, x, axis);
  if (!in.tracked) return new_tensor(out, Py_None);
  PyObject* node = new_node(args[0], PyTuple_Pack(1, in.fn));
  Py_INCREF(Py_False);
  if (!node || !set(node, n.dim, PyLong_FromLong(axis)) || !set(node, n.reverse, Py_False)) {
    Py_XDECREF(node);
    Py_DECREF(out);
    return nullptr;
  }
  PyObject* result = new_tensor(out, node);
  Py_DECREF(node);
  return result;
}

// record(x, dim, smallest): the running extremum and the places of the latest one, or None.
PyObject* record(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("record", nargs, 3)) return nullptr;
  int axis;
  if (!PyArray_CheckExact(args[0]) || !PyArray_ISCARRAY_RO(array_of(args[0])) ||
      !read_axis(args[1], array_of(args[0]), &axis) || PyArray_SIZE(array_of(args[0])) == 0) {
    return new_none();
  }
  PyArrayObject* x = array_of(args[0]);
  const DType type = dtype_of(PyArray_DESCR(x));
  if (type != DType::kFloat32 && type != DType::kFloat64 && type != DType::kInt64) {
    return new_none();
  }
  const Around a = around_axis(x, axis);
  PyObject* values = array_like(x);
  PyObject* places =
      values ? new_array(PyArray_DescrFromType(NPY_INT64), PyArray_NDIM(x), PyArray_DIMS(x))
             : nullptr;
  PyObject* pair = places ? PyTuple_Pack(2, values, places) : nullptr;
  Py_XDECREF(values);
  Py_XDECREF(places);
  if (!pair) return nullptr;
  Keep keep(true, {args[0]});
  KernelScope scope(0.8 * static_cast<double>(PyArray_SIZE(x)));
  kernels().reduce.record(args[2] == Py_True, data_of<void>(values), data_of<int64_t>(places),
                          PyArray_DATA(x), type, a.outer, a.n, a.inner);
  return pair;
}

PyMethodDef kFunctions[] = {
    MG_FAST(scan, "scan(x, dim, product, reverse); None if NumPy has to"),
    MG_FAST(fast_cumsum, "fast_cumsum(cls, input, dim): a tensor, or None"),
    MG_FAST(record, "record(x, dim, smallest): (values, places); None if NumPy has to"),
    MG_TABLE_END,
};

}  // namespace

void bind_scan(PyObject* module) {
  add_functions(module, kFunctions);
  n.dim = PyUnicode_InternFromString("dim");
  n.reverse = PyUnicode_InternFromString("reverse");
}

}  // namespace mg
