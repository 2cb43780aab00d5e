// Elementwise operations on tensors, recorded, in one call: what the functions of Python's names
// and the operators share. All return Python's None where minigrad/ops/_elementwise.py has to do
// it, and nullptr with an error set.
#pragma once

#include "bindings/array.h"
#include "kernels/elementwise.h"

namespace mg {

// `spec`: see minigrad/kernels/fast.py. The result is an array where no operand is a tensor.
PyObject* binary_tensor(PyObject* cls, long spec, PyObject* input, PyObject* other);
// `numbers`: a tuple of floats that the node keeps, or nullptr.
PyObject* unary_tensor(PyObject* cls, long spec, PyObject* input, PyObject* numbers);
PyObject* compare_tensors(CompareOp op, PyObject* input, PyObject* other);

}  // namespace mg
