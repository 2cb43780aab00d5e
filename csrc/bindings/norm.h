// What the bindings of the normalisations share: checks, results, and recording in one call.
#pragma once

#include "bindings/graph.h"

namespace mg {

// Nanoseconds for one element of a normalisation on one thread, roughly.
constexpr double kNormElement = 0.3;

static inline PyArrayObject* as_array(PyObject* object) {
  return reinterpret_cast<PyArrayObject*>(object);
}

template <class T>
T* data_of(PyObject* array) {
  return array && array != Py_None ? static_cast<T*>(PyArray_DATA(as_array(array))) : nullptr;
}

// A contiguous float array with elements.
static inline bool is_input(PyObject* x) { return is_fast(x) && PyArray_SIZE(as_array(x)) > 0; }

// None, or a contiguous array of x's type with `size` elements.
static inline bool fits(PyObject* p, PyObject* x, int64_t size) {
  return p == Py_None || (is_fast(p) && PyArray_TYPE(as_array(p)) == PyArray_TYPE(as_array(x)) &&
                          PyArray_SIZE(as_array(p)) == size);
}
static inline bool given_and_fits(PyObject* p, PyObject* x, int64_t size) {
  return p != Py_None && fits(p, x, size);
}
static inline bool alike(PyObject* a, PyObject* b) {
  return is_fast(a) && PyArray_TYPE(as_array(a)) == PyArray_TYPE(as_array(b)) &&
         PyArray_SAMESHAPE(as_array(a), as_array(b));
}

static inline PyObject* vector_like(PyObject* x, int64_t n, bool column) {
  PyArray_Descr* descr = PyArray_DESCR(as_array(x));
  Py_INCREF(descr);
  const npy_intp shape[2] = {n, 1};
  return new_array(descr, column ? 2 : 1, shape);
}

// The three arrays of a result, released unless `take` hands them over as a tuple.
struct Results {
  PyObject* at[3] = {nullptr, nullptr, nullptr};
  Results() = default;
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;
  ~Results() {
    for (PyObject* object : at) Py_XDECREF(object);
  }
  PyObject* take(int count) {
    PyObject* tuple = PyTuple_New(count);
    for (int i = 0; tuple && i < count; ++i) {
      PyTuple_SET_ITEM(tuple, i, at[i] ? at[i] : new_none());
      at[i] = nullptr;
    }
    return tuple;
  }
};

static inline bool is_single(PyObject* x) { return PyArray_TYPE(as_array(x)) == NPY_FLOAT; }

static inline bool is_wanted(PyObject* want, Py_ssize_t i) {
  PyObject* item = i < PyTuple_GET_SIZE(want) ? PyTuple_GET_ITEM(want, i) : Py_None;
  return item != Py_None && item != Py_False;
}

// Arguments that may be tensors or None.
struct Operands {
  PyObject* given[3];
  PyObject* array[3] = {Py_None, Py_None, Py_None};
  int count;
  bool tracked = false;
};

// False where Python has to look at them: no tensors, or arrays that are not contiguous floats.
bool read_operands(PyObject* x, PyObject* w, PyObject* b, int count, Operands* o);

// The tensor over y; if an operand is tracked, with a node of `cls` that keeps input and weight and
// has `kept`, a tuple, as an attribute of that name. Takes the references to y and kept.
PyObject* recorded(PyObject* cls, const Operands& o, PyObject* y, PyObject* kept);

void bind_norm_channels(PyObject* module);

}  // namespace mg
