// What the files of compiled views share: the dimensions of a view, plain arguments, its place in
// the graph.
#pragma once

#include "bindings/graph.h"

namespace mg {

constexpr int kMaxDims = 32;

// The dimensions of a view under construction.
struct Dims {
  int ndim = 0;
  npy_intp shape[kMaxDims], strides[kMaxDims];
  char* data;

  void add(npy_intp extent, npy_intp stride) {
    shape[ndim] = extent;
    strides[ndim++] = stride;
  }
};

// The array of a tensor that the compiled views take; nullptr for any other object.
PyArrayObject* plain_array(PyObject* input);
// An int that is no bool and needs no conversion.
bool plain_int(PyObject* object, Py_ssize_t* value);
// A dimension counted from the front; ndim >= 1.
bool plain_dim(PyObject* object, int ndim, int* dim);

PyObject* view_array(PyArrayObject* x, const Dims& d);
PyObject* slice_of(npy_intp begin, npy_intp end);
PyObject* tuple_of(const npy_intp* values, int count);
// object.name = value, whose reference it takes; nullptr is passed on as an error.
bool set_attribute(PyObject* object, PyObject* name, PyObject* value);
// The index [:, ..., :, part] for dimension `dim`; `items` has room for kMaxDims.
Py_ssize_t items_at(int dim, PyObject* part, PyObject** items);

// The tensor for `d`, what forward of class `cls` would make and keep. `argument` (its reference is
// taken) is what forward gets, and the node keeps it under `name` if that is given; `more`
// (borrowed) is the variant that Squeeze gets besides.
PyObject* finish_view(PyObject* cls, PyObject* input, PyArrayObject* x, const Dims& d,
                      PyObject* argument, PyObject* name, PyObject* more = nullptr);

}  // namespace mg
