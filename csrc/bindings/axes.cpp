#include "bindings/axes.h"

namespace mg {

bool read_axis(PyObject* dim, PyArrayObject* x, int* axis) {
  if (!PyLong_CheckExact(dim)) return false;
  int overflow;
  const long value = PyLong_AsLongAndOverflow(dim, &overflow);
  const int n = PyArray_NDIM(x);
  if (overflow || value < -n || value >= n) return false;
  *axis = static_cast<int>(value < 0 ? value + n : value);
  return true;
}

bool read_axes(PyObject* dim, PyArrayObject* x, Axes* axes) {
  const int n = PyArray_NDIM(x);
  for (int i = 0; i < n; ++i) axes->reduced[i] = false;
  Py_ssize_t given = 0;
  if (dim != Py_None) {
    PyObject* const* items = &dim;
    given = 1;
    if (PyTuple_CheckExact(dim) || PyList_CheckExact(dim)) {
      given = PySequence_Fast_GET_SIZE(dim);
      items = PySequence_Fast_ITEMS(dim);
    }
    for (Py_ssize_t i = 0; i < given; ++i) {
      int axis;
      if (!read_axis(items[i], x, &axis) || axes->reduced[axis]) return false;
      axes->reduced[axis] = true;
    }
  }
  axes->count = 1;
  for (int i = 0; i < n; ++i) {
    if (given == 0) axes->reduced[i] = true;
    if (axes->reduced[i]) axes->count *= PyArray_DIM(x, i);
  }
  return true;
}

bool group_axes(PyArrayObject* x, const Axes& axes, Groups* groups) {
  int64_t size[5] = {1, 1, 1, 1, 1};  // kept, reduced, kept, reduced, kept
  int at = 0;
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    const int64_t n = PyArray_DIM(x, i);
    if (n == 1) continue;
    if ((at % 2 == 1) != axes.reduced[i] && ++at > 4) return false;
    size[at] *= n;
  }
  if (at < 3) {  // one run: it is r2
    *groups = {size[0], 1, 1, size[1], size[2]};
  } else {
    *groups = {size[0], size[1], size[2], size[3], size[4]};
  }
  return true;
}

int kept_dims(PyArrayObject* x, const Axes& axes, bool keepdims, npy_intp* shape) {
  int ndim = 0;
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    if (!axes.reduced[i]) {
      shape[ndim++] = PyArray_DIM(x, i);
    } else if (keepdims) {
      shape[ndim++] = 1;
    }
  }
  return ndim;
}

Around around_axis(PyArrayObject* x, int axis) {
  Around a = {1, PyArray_NDIM(x) ? PyArray_DIM(x, axis) : 1, 1};
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    if (i != axis) (i < axis ? a.outer : a.inner) *= PyArray_DIM(x, i);
  }
  return a;
}

}  // namespace mg
