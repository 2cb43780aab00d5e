// _C.expand: a view that repeats dimensions, without the Python of NumPy's as_strided.
#include "bindings/array.h"
#include "bindings/families.h"

namespace mg {
namespace {

// expand(x, shape): x seen with a shape that it broadcasts to; the repeated dimensions have stride
// 0.
PyObject* expand(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array x;
  if (!check_count("expand", nargs, 2) || !read_array("expand", "x", args[0], &x)) return nullptr;
  if (!PyTuple_CheckExact(args[1]) || PyTuple_GET_SIZE(args[1]) > NPY_MAXDIMS ||
      PyTuple_GET_SIZE(args[1]) < x.ndim) {
    return fail(PyExc_TypeError, "expand: needed: a tuple of at least %d and at most %d sizes",
                x.ndim, NPY_MAXDIMS);
  }
  const int ndim = static_cast<int>(PyTuple_GET_SIZE(args[1]));
  const int lead = ndim - x.ndim;
  npy_intp shape[NPY_MAXDIMS], strides[NPY_MAXDIMS];
  for (int i = 0; i < ndim; ++i) {
    shape[i] = PyLong_AsSsize_t(PyTuple_GET_ITEM(args[1], i));
    if (shape[i] == -1 && PyErr_Occurred()) return nullptr;
    const npy_intp from = i < lead ? 1 : x.shape[i - lead];
    if (shape[i] < 0 || (from != 1 && from != shape[i])) {
      return fail(PyExc_ValueError, "expand: %s does not broadcast to size %zd in dimension %d",
                  describe(x).c_str(), shape[i], i);
    }
    strides[i] = i < lead || (from == 1 && shape[i] != 1) ? 0 : x.strides[i - lead];
  }
  PyArray_Descr* descr = PyArray_DESCR(x.object);
  Py_INCREF(descr);
  const int flags = PyArray_FLAGS(x.object) & (NPY_ARRAY_WRITEABLE | NPY_ARRAY_ALIGNED);
  PyObject* view =
      PyArray_NewFromDescr(&PyArray_Type, descr, ndim, shape, strides, x.data, flags, nullptr);
  if (!view) return nullptr;
  Py_INCREF(args[0]);
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(view), args[0]) < 0) {
    Py_DECREF(view);
    return nullptr;
  }
  return view;
}

PyMethodDef kFunctions[] = {
    MG_FAST(expand, "expand(x, shape): a view that repeats dimensions of size 1"),
    MG_TABLE_END,
};

}  // namespace

void bind_views(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
