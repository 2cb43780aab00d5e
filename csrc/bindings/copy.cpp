// _C.copy and fast_copy: copies in C order, of any strides; the second one recorded. fast_fill and
// fast_assign: a tensor outside the graph written over.
#include "bindings/families.h"
#include "bindings/types.h"
#include "bindings/walk.h"
#include "kernels.h"

namespace mg {

constexpr npy_intp kShortCopy = 16 << 10;  // bytes that need neither a plan nor threads

PyObject* dense_copy(PyArrayObject* x) {
  const npy_intp item = PyArray_ITEMSIZE(x);
  if ((item != 1 && item != 2 && item != 4 && item != 8) || PyDataType_REFCHK(PyArray_DESCR(x))) {
    return nullptr;
  }
  if (PyArray_ISCARRAY_RO(x) && PyArray_NBYTES(x) <= kShortCopy) {
    PyObject* same = array_like(x);
    if (same) {
      memcpy(PyArray_DATA(reinterpret_cast<PyArrayObject*>(same)), PyArray_DATA(x),
             static_cast<size_t>(PyArray_NBYTES(x)));
    }
    return same;
  }
  Layout layout;
  if (!plan_copy(x, &layout)) return nullptr;
  PyObject* array = array_like(x);
  if (!array) return nullptr;
  Keep keep(true, {reinterpret_cast<PyObject*>(x)});
  KernelScope scope(0.1 * static_cast<double>(layout.walk.size * item));
  kernels().elementwise.copy(PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)), PyArray_DATA(x),
                             item, layout.walk);
  return array;
}

namespace {

// copy(array): a copy in C order, or None.
PyObject* copy(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("copy", nargs, 1)) return nullptr;
  if (!PyArray_CheckExact(args[0])) return new_none();
  PyObject* array = dense_copy(reinterpret_cast<PyArrayObject*>(args[0]));
  return array || PyErr_Occurred() ? array : new_none();
}

// A short copy in the input's own order of memory, which has no gaps; nullptr without an error for
// any other array.
PyObject* copy_in_own_order(PyArrayObject* x) {
  const int ndim = PyArray_NDIM(x);
  const npy_intp bytes = PyArray_NBYTES(x);
  if (bytes > kShortCopy || PyDataType_REFCHK(PyArray_DESCR(x)) || !is_dense(x)) return nullptr;
  for (int d = 0; d < ndim; ++d) {
    if (PyArray_DIM(x, d) < 2) return nullptr;  // whose stride says nothing
  }
  PyArray_Descr* descr = PyArray_DESCR(x);
  Py_INCREF(descr);
  PyObject* out = PyArray_NewLikeArray(x, NPY_KEEPORDER, descr, 0);
  if (!out) return nullptr;
  PyArrayObject* y = reinterpret_cast<PyArrayObject*>(out);
  if (!PyArray_CompareLists(PyArray_STRIDES(x), PyArray_STRIDES(y), ndim)) {
    Py_DECREF(out);
    return nullptr;
  }
  memcpy(PyArray_DATA(y), PyArray_DATA(x), static_cast<size_t>(bytes));
  return out;
}

// fast_copy(cls, input, only_if_needed): the tensor of a copy in C order, recorded as a node `cls`
// that saves nothing, or None. With only_if_needed, an input in C order is returned itself;
// without, a copy keeps the order of memory, where that has no gaps.
PyObject* fast_copy(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  bool only_if_needed;
  if (!check_count("fast_copy", nargs, 3) ||
      !read_bool("fast_copy", "only_if_needed", args[2], &only_if_needed)) {
    return nullptr;
  }
  if (!g.tensor || !is_variable(args[1]) || !PyArray_CheckExact(slot(args[1], g.array))) {
    return new_none();
  }
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(slot(args[1], g.array));
  const bool in_order = PyArray_IS_C_CONTIGUOUS(x);
  if (in_order && only_if_needed) {
    Py_INCREF(args[1]);
    return args[1];
  }
  const bool own_order = !in_order && !only_if_needed && PyArray_NDIM(x) != 1;
  PyObject* fn = slot(args[1], g.fn);
  const bool tracked = t_recording && fn != Py_None;
  if (tracked && g_anomaly) return new_none();
  Keep keep(true, {fn});
  PyObject* array = own_order ? copy_in_own_order(x) : dense_copy(x);
  if (!array) return PyErr_Occurred() ? nullptr : new_none();
  if (!tracked) return new_tensor(array, Py_None);
  PyObject* node = new_node(args[0], PyTuple_Pack(1, fn));
  if (!node) {
    Py_DECREF(array);
    return nullptr;
  }
  PyObject* result = new_tensor(array, node);
  Py_DECREF(node);
  return result;
}

// fast_fill(target, number): whether it was done.
PyObject* fast_fill(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_fill", nargs, 2)) return nullptr;
  if (!may_write(args[0], Py_None)) Py_RETURN_FALSE;
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(slot(args[0], g.array));
  uint64_t element;
  if (!element_of(dtype_of(PyArray_DESCR(x)), args[1], &element)) Py_RETURN_FALSE;
  Keep keep(true, {reinterpret_cast<PyObject*>(x)});
  {
    KernelScope scope(0.1 * static_cast<double>(PyArray_NBYTES(x)));
    if (element == 0) {
      kernels().index.zero(PyArray_DATA(x), PyArray_NBYTES(x));
    } else {
      Walk walk = {};
      walk.ndim = walk.operands = 1;
      walk.size = walk.shape[0] = PyArray_SIZE(x);
      kernels().elementwise.copy(PyArray_DATA(x), &element, PyArray_ITEMSIZE(x), walk);
    }
  }
  if (!cell_of(args[0]) || !note_write(args[0])) return nullptr;
  Py_RETURN_TRUE;
}

// fast_assign(target, source): whether it was done, for a source of the target's shape and type.
PyObject* fast_assign(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_assign", nargs, 2)) return nullptr;
  if (!g.tensor || !is_variable(args[1]) || !may_write(args[0], slot(args[1], g.fn)) ||
      !PyArray_CheckExact(slot(args[1], g.array))) {
    Py_RETURN_FALSE;
  }
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(slot(args[0], g.array));
  PyArrayObject* y = reinterpret_cast<PyArrayObject*>(slot(args[1], g.array));
  const DType type = dtype_of(PyArray_DESCR(x));
  Layout layout;
  if (type == DType::kOther || type != dtype_of(PyArray_DESCR(y)) || !PyArray_SAMESHAPE(x, y) ||
      !PyArray_ISCARRAY_RO(y) || !plan_copy(y, &layout)) {
    Py_RETURN_FALSE;
  }
  const char *to = PyArray_BYTES(x), *from = PyArray_BYTES(y);
  if (to < from + PyArray_NBYTES(y) && from < to + PyArray_NBYTES(x)) Py_RETURN_FALSE;
  Keep keep(true, {reinterpret_cast<PyObject*>(x), reinterpret_cast<PyObject*>(y)});
  {
    KernelScope scope(0.1 * static_cast<double>(PyArray_NBYTES(x)));
    kernels().elementwise.copy(PyArray_DATA(x), from, PyArray_ITEMSIZE(x), layout.walk);
  }
  if (!cell_of(args[0]) || !note_write(args[0])) return nullptr;
  Py_RETURN_TRUE;
}

PyMethodDef kFunctions[] = {
    MG_FAST(copy, "copy(x): a new array in C order, or None"),
    MG_FAST(fast_copy, "fast_copy(cls, input, only_if_needed): a tensor, or None"),
    MG_FAST(fast_fill, "fast_fill(target, number): whether it was done"),
    MG_FAST(fast_assign, "fast_assign(target, source): whether it was done"),
    MG_TABLE_END,
};

}  // namespace

void bind_copy(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
