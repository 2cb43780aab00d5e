// What the binding of a kernel needs: reading arrays of the device, checking them, launching.
//
// An array is any object with CuPy's attributes data.ptr, shape, strides (bytes), dtype (NumPy's)
// and size, or a pair (array, dtype) where its own dtype only stands for one that it lacks: (uint16
// array, bfloat16). Errors are thrown as PythonError with the error set.
#pragma once

#include <Python.h>

#include <string>

#include "common.h"
#include "cuda/kernels.h"

namespace mg::cuda {

constexpr int kMaxDims = 16;

struct PythonError {};

struct Array {
  void* data = nullptr;  // nullptr also for an optional array that is None
  int ndim = 0;
  int64_t shape[kMaxDims];
  int64_t strides[kMaxDims];  // in elements
  int64_t size = 0;
  DType dtype = DType::kOther;
  bool contiguous = true;  // C order
  bool given = false;      // not None

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

std::string describe(const Array& array);  // "float32 (3, 4)"

// The arguments of one call, read from the first to the last; `stream` is always the last.
class Call {
 public:
  Call(const char* kernel, PyObject* const* args, Py_ssize_t given, Py_ssize_t needed);

  Array array(const char* name);
  Array optional(const char* name);    // or None
  Array contiguous(const char* name);  // an array in C order
  int64_t integer(const char* name, int64_t least = INT64_MIN, int64_t most = INT64_MAX);
  double number(const char* name);
  bool boolean(const char* name);
  PyObject* object() { return args_[next_++]; }  // borrowed
  PyObject* peek() const { return args_[next_]; }
  Stream stream();

  int64_t item(const Array& array) const;  // bytes of an element, of a dtype that has a number
  void need_dtype(const char* name, const Array& array, DType dtype) const;
  void need_contiguous(const char* name, const Array& array) const;
  void need_same_shape(const char* name, const Array& array, const char* other_name,
                       const Array& other) const;
  // At least so many bytes, aligned to 256.
  void need_workspace(const Array& array, int64_t bytes) const;
  // Messages follow "kernel: what was given; what was needed"; the kernel's name is put before.
  [[noreturn]] void fail(PyObject* error, const char* format, ...) const
      __attribute__((format(printf, 3, 4)));

  // Runs `kernel()` without Python's lock; RuntimeError for anything but 0. Returns None.
  template <class Kernel>
  PyObject* launch(const Kernel& kernel) const {
    PyThreadState* state = PyEval_SaveThread();
    const Error error = kernel();
    PyEval_RestoreThread(state);
    if (error) fail_launch(error);
    Py_RETURN_NONE;
  }

 private:
  [[noreturn]] void fail_launch(Error error) const;

  const char* kernel_;
  PyObject* const* args_;
  Py_ssize_t count_, next_ = 0;
};

using Function = PyObject* (*)(PyObject* const* args, Py_ssize_t count);
template <Function function>
PyObject* guarded(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  try {
    return function(args, count);
  } catch (const PythonError&) {
    return nullptr;
  }
}

// One row of a method table: MG_CUDA_FUNCTION(function, "doc").
#define MG_CUDA_FUNCTION(function, doc)                                                       \
  {#function,                                                                                 \
   reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&mg::cuda::guarded<function>)), \
   METH_FASTCALL, doc}
#define MG_CUDA_TABLE_END {nullptr, nullptr, 0, nullptr}

// One a family: bindings_<family>.cpp.
extern PyMethodDef kAttentionFunctions[];
extern PyMethodDef kCastFunctions[];
extern PyMethodDef kConvFunctions[];
extern PyMethodDef kDropoutFunctions[];
extern PyMethodDef kElementwiseFunctions[];
extern PyMethodDef kGemmFunctions[];
extern PyMethodDef kIndexFunctions[];
extern PyMethodDef kLossFunctions[];
extern PyMethodDef kNormFunctions[];
extern PyMethodDef kOptimFunctions[];
extern PyMethodDef kPoolFunctions[];
extern PyMethodDef kReduceFunctions[];
extern PyMethodDef kSoftmaxFunctions[];

}  // namespace mg::cuda
