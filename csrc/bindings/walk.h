// From NumPy operands to the walk of an elementwise kernel: broadcasting, the order of dimensions
// in which the result is dense, and merging what can be walked as one dimension.
#pragma once

#include "bindings/array.h"
#include "kernels/elementwise.h"

namespace mg {

struct Layout {
  Walk walk;
  int ndim;                     // of the result
  npy_intp shape[NPY_MAXDIMS];  // of the result
  int order[NPY_MAXDIMS];       // its dimensions from the outermost in memory to the innermost
  bool in_order;                // the result is in C order
};

// Plans the walk over `count` operands; a nullptr stands for a number. False where NumPy has to do
// it: shapes that do not fit, too many dimensions, unaligned or byte-swapped memory.
bool plan_walk(PyArrayObject* const* arrays, int count, Layout* layout);

// The walk of a copy of one array into C order.
bool plan_copy(PyArrayObject* array, Layout* layout);

// A copy in C order; nullptr without an error for elements that are not of 1, 2, 4 or 8 bytes.
PyObject* dense_copy(PyArrayObject* array);

// The column of a kernel table for an array's type; false for types that have none.
bool float_type(PyArrayObject* array, FloatType* type);

// A new array for the result of a layout. Takes over the reference to descr, also when it fails.
PyObject* new_result(PyArray_Descr* descr, const Layout& layout);

}  // namespace mg
