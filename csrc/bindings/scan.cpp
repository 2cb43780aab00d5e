// _C.scan and record: running sums, products and extrema of arrays. None for what NumPy has to do.
#include "bindings/axes.h"
#include "bindings/families.h"
#include "bindings/graph.h"
#include "kernels.h"

namespace mg {
namespace {

PyArrayObject* array_of(PyObject* object) { return reinterpret_cast<PyArrayObject*>(object); }

template <class T>
T* data_of(PyObject* array) {
  return static_cast<T*>(PyArray_DATA(array_of(array)));
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
  const Around a = around_axis(x, axis);
  PyObject* out = array_like(x);
  if (!out) return nullptr;
  Keep keep(true, {args[0]});
  KernelScope scope((op == ScanOp::kLogSumExp ? 15 : 0.4) * static_cast<double>(PyArray_SIZE(x)));
  if (whole) {
    kernels().reduce.scan_integers(product, reverse, data_of<int64_t>(out),
                                   data_of<int64_t>(args[0]), a.outer, a.n, a.inner);
  } else if (PyArray_TYPE(x) == NPY_FLOAT) {
    kernels().reduce.f32.scan(op, reverse, data_of<float>(out), data_of<float>(args[0]), a.outer,
                              a.n, a.inner);
  } else {
    kernels().reduce.f64.scan(op, reverse, data_of<double>(out), data_of<double>(args[0]), a.outer,
                              a.n, a.inner);
  }
  return out;
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
    MG_FAST(record, "record(x, dim, smallest): (values, places); None if NumPy has to"),
    MG_TABLE_END,
};

}  // namespace

void bind_scan(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
