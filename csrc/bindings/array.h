// Cheap access to ndarray arguments for functions with the METH_FASTCALL convention: about ten
// nanoseconds an array, where pybind11's own conversion costs more than a small kernel.
//
// These functions return false or nullptr with a Python error set. A C++ exception that leaves one
// becomes Python's on the way out (`guarded`).
#pragma once

#include <Python.h>

// NumPy's function table is shared by all binding files; bindings.cpp fills it.
#define PY_ARRAY_UNIQUE_SYMBOL mg_numpy_api
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#ifndef MG_IMPORT_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <initializer_list>
#include <new>
#include <string>

#include "common.h"
#include "runtime/denormal.h"

namespace mg {

// An ndarray argument. Borrowed: valid while the caller's reference is.
struct Array {
  PyArrayObject* object;
  void* data;
  int ndim;
  const npy_intp* shape;
  const npy_intp* strides;  // in bytes, as NumPy has them
  int64_t size;             // elements
  DType dtype;              // kOther also if the byte order is not the machine's
  bool writeable;
  bool contiguous;  // C order and aligned

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

DType dtype_of(PyArray_Descr* descr);
bool init_dtypes();  // before the first call; false with an error set

// "float32 (3, 4)", with the flags that are unusual: what error messages say of an array.
std::string describe(const Array& array);

// Sets a Python error from a printf format and returns nullptr: `return fail(PyExc_ValueError,
// ..)`. Messages follow "kernel: what was given; what was needed".
PyObject* fail(PyObject* error, const char* format, ...) __attribute__((format(printf, 2, 3)));

bool check_count(const char* kernel, Py_ssize_t given, Py_ssize_t needed);

// Reads the argument `name` of `kernel`; TypeError if it is not an ndarray.
bool read_array(const char* kernel, const char* name, PyObject* argument, Array* array);
// The same for an argument that may be None: then array->object is nullptr.
bool read_optional(const char* kernel, const char* name, PyObject* argument, Array* array);
bool read_int(const char* kernel, const char* name, PyObject* argument, int64_t* value);
bool read_double(const char* kernel, const char* name, PyObject* argument, double* value);
bool read_bool(const char* kernel, const char* name, PyObject* argument, bool* value);
// A step of a window (stride, padding ...): from `least` to 2^31 - 1, so that no place overflows.
bool read_step(const char* kernel, const char* name, PyObject* argument, int64_t least,
               int64_t* value);

// Whether the elements fill memory without gaps, in whatever order of dimensions (channels last).
bool is_dense(const PyArrayObject* array);

// Needs; each sets its error and returns false if the array is otherwise.
bool need_contiguous(const char* kernel, const char* name, const Array& array);
bool need_writeable(const char* kernel, const char* name, const Array& array);
bool need_dtype(const char* kernel, const char* name, const Array& array, DType dtype);
// `spatial` + 2 dimensions, each at most 2^31 - 1.
bool need_planes(const char* kernel, const char* name, const Array& array, int spatial = 2);
bool need_same_shape(const char* kernel, const char* name, const Array& array,
                     const char* other_name, const Array& other);

// Python's lock handed over, if `wanted`, as long as this lives.
class Unlocked {
 public:
  explicit Unlocked(bool wanted) : state_(wanted ? PyEval_SaveThread() : nullptr) {}
  // Python ends daemon threads here at exit, by unwinding: noexcept would end the process instead.
  ~Unlocked() noexcept(false) {
    if (state_) PyEval_RestoreThread(state_);
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

// Open around every kernel call: flushes denormals, and lets other Python threads run if the call
// is long enough to pay for handing over the interpreter lock. `nanoseconds`: a rough estimate of
// the work on one thread. Between construction and destruction no Python object may be touched.
class KernelScope {
 public:
  explicit KernelScope(double nanoseconds) : unlocked_(unlocks(nanoseconds)) {}
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;
  // Whether the lock is handed over for so much work.
  static bool unlocks(double nanoseconds) { return nanoseconds > 50e3; }

 private:
  Unlocked unlocked_;
  DenormalGuard guard_;
};

// Keeps objects alive that belong to a tensor, which another thread may change while a KernelScope
// has handed the lock over. Does nothing if `needed` is false.
class Keep {
 public:
  Keep(bool needed, std::initializer_list<PyObject*> objects) {
    if (!needed) return;
    for (PyObject* object : objects) {
      Py_XINCREF(object);
      objects_[count_++] = object;
    }
  }
  ~Keep() {
    for (int i = 0; i < count_; ++i) Py_XDECREF(objects_[i]);
  }
  Keep(const Keep&) = delete;
  Keep& operator=(const Keep&) = delete;

 private:
  int count_ = 0;
  PyObject* objects_[4];
};

// For a handler of any exception: makes it Python's error. Those that are not C++ errors, such as
// the unwinding that ends a thread, pass.
void set_python_error();
[[noreturn]] void throw_python_error();  // the error that is set, as an exception

// What C calls: `function`, with C++ exceptions made Python's.
using FastFunction = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t);
template <FastFunction function>
PyObject* guarded(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  try {
    return function(self, args, nargs);
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

// One row of a method table: MG_FAST(function, "doc").
#define MG_FAST_NAMED(name, function, doc)                                                    \
  {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&mg::guarded<function>)), \
   METH_FASTCALL, doc}
#define MG_FAST(function, doc) MG_FAST_NAMED(#function, function, doc)
#define MG_TABLE_END {nullptr, nullptr, 0, nullptr}

// A C-contiguous array whose memory comes from the pool if it is large. Takes over the reference to
// descr, also when it fails.
PyObject* new_array(PyArray_Descr* descr, int ndim, const npy_intp* shape);

// Throws with a Python error set.
void add_functions(PyObject* module, PyMethodDef* table);

}  // namespace mg
