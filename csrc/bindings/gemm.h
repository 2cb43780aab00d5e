// The products of arrays, for the file that records them.
#pragma once

#include "bindings/array.h"

namespace mg {

// Whether the kernels can walk the array: whole-element strides, aligned elements.
bool is_walkable(const Array& x);

// _C.gemm, _C.matmul and _C.linear.
PyObject* gemm_arrays(PyObject*, PyObject* const* args, Py_ssize_t nargs);
PyObject* matmul_arrays(PyObject*, PyObject* const* args, Py_ssize_t nargs);
PyObject* linear_arrays(PyObject*, PyObject* const* args, Py_ssize_t nargs);

}  // namespace mg
