// From an array of places, a table and its values to the walk of the index kernels: strides, and
// neighbouring dimensions merged.
#pragma once

#include "bindings/index.h"
#include "kernels/index.h"

namespace mg {

// The walk over the elements that an index names, before its dimensions are merged.
struct IndexPlan {
  IndexPlan() = default;
  ~IndexPlan() { Py_XDECREF(index); }
  IndexPlan(const IndexPlan&) = delete;
  IndexPlan& operator=(const IndexPlan&) = delete;
  Places places;
  PyArrayObject* index = nullptr;  // int64; owned
  int ndim;
  npy_intp shape[NPY_MAXDIMS];
  int64_t table[NPY_MAXDIMS], at[NPY_MAXDIMS], other[NPY_MAXDIMS];
  bool along[NPY_MAXDIMS];
};

// Whether the kernels take the array's elements: 1, 2, 4 or 8 bytes, aligned, not swapped.
bool has_item(PyArrayObject* x);

// Fills all but `other` and the merged walk. False: NumPy's work, or an error.
bool plan_places(PyArrayObject* table, int64_t dim, PyArrayObject* index, Form form,
                 IndexPlan* plan);

// The strides of a C-contiguous array over the places.
void dense_other(IndexPlan* plan);

// The strides of values that broadcast to the places, or (kAlong) cover them. Leading ones more
// than there are dimensions are refused.
bool other_of(PyArrayObject* values, Form form, IndexPlan* plan);

// Merges neighbouring dimensions. False if more are left than a walk has.
bool merge_places(IndexPlan* plan);

}  // namespace mg
