// The dtypes, devices and sizes of minigrad/{dtypes,backend,size}.py as compiled functions see
// them.
#pragma once

#include "bindings/graph.h"

namespace mg {

constexpr int kDTypes = static_cast<int>(DType::kOther);
// Up to so many elements, the fast_ functions that make tensors take a call; larger ones are left
// to Python, where a call's own cost does not count and kernels run on several threads.
constexpr npy_intp kSmallTensor = 4096;

// What bind_types has told; size is nullptr before.
struct Types {
  PyObject* dtype[kDTypes] = {};  // minigrad's
  PyArray_Descr* descr[kDTypes] = {};
  PyObject* settings = nullptr;  // the dictionary in which the default dtype stands
  PyTypeObject* size = nullptr;
  PyObject* cpu = nullptr;
};
extern Types g_types;

// The dtype given as an argument; `otherwise` for None. False for anything but a dtype.
bool dtype_given(PyObject* given, DType otherwise, DType* dtype);
DType default_dtype();  // kOther before bind_types
// Whether a `device` argument names the CPU, or none.
bool names_cpu(PyObject* device);

// The shape given as f(2, 3), f((2, 3)) or f([2, 3]), of at most kSmallTensor elements. False where
// Python has to look.
bool small_shape(PyObject* size, int* ndim, npy_intp* shape);
// An array of a dtype, in C order.
PyArrayObject* array_of(DType dtype, int ndim, const npy_intp* shape);
// The float or int `number` as a double; false for any other object, or ints beyond 2^53.
bool plain_number(PyObject* number, double* value);
// The bytes of a number as an element of a type, at the low end; false where Python has to look.
bool element_of(DType type, PyObject* number, uint64_t* element);

}  // namespace mg
