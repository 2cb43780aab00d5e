// The dimensions of a reduction: read from Python's `dim`, and an array seen by them.
#pragma once

#include "bindings/array.h"
#include "kernels/reduce.h"

namespace mg {

struct Axes {
  bool reduced[NPY_MAXDIMS];
  int64_t count;  // elements reduced into one
};

// None or an empty sequence: all dimensions. False (no error set) for what Python has to judge:
// dimensions out of range or named twice, other types.
bool read_axes(PyObject* dim, PyArrayObject* x, Axes* axes);
// One dimension, counted from the front; false as above.
bool read_axis(PyObject* dim, PyArrayObject* x, int* axis);

// (a, r1, b, r2, c) of an array; false if its layout does not fit: more than two separate runs are
// reduced, the elements of the innermost one do not lie side by side, or the dimensions that are
// kept lie in another order. Where `repeats` is given, dimensions without a step (of expanded
// tensors) are taken: reduced ones are left out, and *repeats is multiplied by their sizes.
bool group_axes(PyArrayObject* x, const Axes& axes, Groups* groups, int64_t* repeats = nullptr);

// The result's dimensions; returns their number.
int kept_dims(PyArrayObject* x, const Axes& axes, bool keepdims, npy_intp* shape);

// (outer, n, inner) around one dimension.
struct Around {
  int64_t outer, n, inner;
};
Around around_axis(PyArrayObject* x, int axis);

}  // namespace mg
