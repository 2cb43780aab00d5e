// What the reductions' bindings share: the input, read from a tensor or an array, new results, and
// attributes of graph nodes.
#pragma once

#include "bindings/axes.h"
#include "bindings/graph.h"
#include "bindings/walk.h"

namespace mg {

constexpr double kReduceEach = 0.2;  // nanoseconds for one element on one thread, roughly

static inline PyArrayObject* array_of(PyObject* object) {
  return reinterpret_cast<PyArrayObject*>(object);
}

template <class T>
static inline T* data_of(PyObject* array) {
  return static_cast<T*>(PyArray_DATA(array_of(array)));
}

static inline PyObject* new_like(PyArrayObject* x, int ndim, const npy_intp* shape) {
  PyArray_Descr* descr = PyArray_DESCR(x);
  Py_INCREF(descr);
  return new_array(descr, ndim, shape);
}

static inline PyObject* new_typed(int type, int ndim, const npy_intp* shape) {
  return new_array(PyArray_DescrFromType(type), ndim, shape);
}

static inline bool is_half(PyArrayObject* x) {
  const DType type = dtype_of(PyArray_DESCR(x));
  return type == DType::kFloat16 || type == DType::kBFloat16;
}

// An input: a tensor or an array, of floats; false for others. `halves`: tensors of 16-bit floats
// too. `dense` may own a copy in C order.
struct Input {
  PyObject* given;
  PyArrayObject* x;
  PyObject* fn;
  bool variable, tracked;
  PyObject* dense = nullptr;
  ~Input() { Py_XDECREF(dense); }
};
static inline bool read_input(PyObject* given, Input* in, bool halves = false) {
  in->given = given;
  in->variable = g.tensor && is_variable(given);
  PyObject* array = in->variable ? slot(given, g.array) : given;
  if (!PyArray_CheckExact(array)) return false;
  in->x = array_of(array);
  const int type = PyArray_TYPE(in->x);
  if (type != NPY_FLOAT && type != NPY_DOUBLE && !(halves && in->variable && is_half(in->x))) {
    return false;
  }
  if (!PyArray_ISBEHAVED_RO(in->x)) return false;
  in->fn = in->variable ? slot(given, g.fn) : Py_None;
  in->tracked = t_recording && in->fn != Py_None;
  return !(in->tracked && g_anomaly);
}

// The array in C order, or nullptr with or without an error.
static inline PyArrayObject* in_order(Input* in) {
  if (PyArray_IS_C_CONTIGUOUS(in->x)) return in->x;
  in->dense = dense_copy(in->x);
  return in->dense ? array_of(in->dense) : nullptr;
}

static inline PyObject* dims_of(PyArrayObject* x) {
  PyObject* shape = PyTuple_New(PyArray_NDIM(x));
  for (int i = 0; shape && i < PyArray_NDIM(x); ++i) {
    PyTuple_SET_ITEM(shape, i, PyLong_FromSsize_t(PyArray_DIM(x, i)));
  }
  return shape;
}

// node.name = value, whose reference is taken.
static inline bool set(PyObject* node, PyObject* name, PyObject* value) {
  const bool done = value && PyObject_SetAttr(node, name, value) == 0;
  Py_XDECREF(value);
  return done;
}

}  // namespace mg
