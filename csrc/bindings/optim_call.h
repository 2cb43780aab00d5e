// What the optimizer steps' bindings share: a table row says what a function takes, `OptimCall`
// reads the lists, checks them against each other and runs the kernel.
#pragma once

#include <algorithm>
#include <vector>

#include "bindings/array.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {

// What one of the functions takes, in this order: params, grads, the states, the step counters and
// other scalars if it counts, the numbers, the flags. Arrays end at the first name that is nullptr.
struct OptimRule {
  struct State {
    const char* name;
    bool optional;  // None leaves it out
  };
  struct Number {
    const char* name;
    double OptimOptions::* to;
  };
  struct Flag {
    const char* name;
    bool OptimOptions::* to;
  };
  const char* name;
  bool reads_grads;  // false: there is no argument `grads`
  State states[4];
  bool counts;
  const char* scalars[3];  // beside the step counter: one number for each tensor
  Number numbers[9];
  Flag flags[4];
  // Sets t->a ... for the new value of the tensor's step counter, and its other scalars; may be
  // nullptr. `single`: the scalars are kept in float32.
  void (*derive)(const OptimOptions& o, double count, double* scalars, bool single, OptimTensor* t);
  OptimKernels::Step OptimKernels::* step;
  double nanoseconds;  // for an element on one thread, roughly
  bool sums;           // whether the kernel needs its workspace
};

// What one call is about: reads the lists, checks them against each other, then runs.
class OptimCall {
 public:
  explicit OptimCall(const OptimRule& rule) : rule_(rule) {}

  PyObject* run(PyObject* const* args, Py_ssize_t nargs) {
    if (!check_count(rule_.name, nargs, arguments()) || !read(args)) return nullptr;
    if (!taken_) Py_RETURN_FALSE;
    Workspace sums(rule_.sums ? sums_bytes() : 0);
    if (sums.failed()) return PyErr_NoMemory();
    if (rule_.counts) count();
    {
      KernelScope scope(rule_.nanoseconds * static_cast<double>(total_));
      (kernels().optim.*rule_.step)(tensors_.data(), count_of_tensors(), total_, &options_,
                                    static_cast<double*>(sums.data()));
    }
    Py_RETURN_TRUE;
  }

  // The norms of the arrays in a list: a new float64 array, or None for what kernels do not take.
  PyObject* norms(PyObject* list, int order) {
    if (!params(list, false)) return nullptr;
    if (!taken_) Py_RETURN_NONE;
    Workspace sums(sums_bytes());
    if (sums.failed()) return PyErr_NoMemory();
    const npy_intp shape = count_of_tensors();
    PyObject* result = PyArray_SimpleNew(1, &shape, NPY_DOUBLE);
    if (!result) return nullptr;
    auto* to = static_cast<double*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(result)));
    {
      KernelScope scope(rule_.nanoseconds * static_cast<double>(total_));
      kernels().optim.norms(to, tensors_.data(), count_of_tensors(), total_, order,
                            static_cast<double*>(sums.data()));
    }
    return result;
  }

 private:
  int64_t count_of_tensors() const { return static_cast<int64_t>(tensors_.size()); }

  // Two sums for every piece of a tensor in a chunk, see kernels/optim.h.
  size_t sums_bytes() const {
    return 2 * sizeof(double) * (static_cast<size_t>(total_ / kOptimGrain) + 1 + tensors_.size());
  }

  Py_ssize_t arguments() const {
    Py_ssize_t n = 1 + rule_.reads_grads + rule_.counts;
    for (const auto* s = rule_.scalars; *s; ++s) ++n;
    for (const auto* s = rule_.states; s->name; ++s) ++n;
    for (const auto* s = rule_.numbers; s->name; ++s) ++n;
    for (const auto* s = rule_.flags; s->name; ++s) ++n;
    return n;
  }

  bool read(PyObject* const* args) {
    if (!params(*args++, true)) return false;
    if (rule_.reads_grads &&
        !each("grads", *args++, false, [](OptimTensor& t, void* data) { t.grad = data; })) {
      return false;
    }
    for (int k = 0; rule_.states[k].name; ++k, ++args) {
      if (rule_.states[k].optional && *args == Py_None) continue;
      const auto put = [k](OptimTensor& t, void* data) { t.state[k] = data; };
      if (!each(rule_.states[k].name, *args, true, put)) return false;
    }
    if (rule_.counts && !scalars("steps", *args++, &steps_)) return false;
    for (int k = 0; rule_.scalars[k]; ++k) {
      if (!scalars(rule_.scalars[k], *args++, &scalars_[k])) return false;
    }
    for (const auto* s = rule_.numbers; s->name; ++s) {
      if (!read_double(rule_.name, s->name, *args++, &(options_.*s->to))) return false;
    }
    for (const auto* s = rule_.flags; s->name; ++s) {
      if (!read_bool(rule_.name, s->name, *args++, &(options_.*s->to))) return false;
    }
    return true;
  }

  bool params(PyObject* list, bool written) {
    if (!is_list("params", list)) return false;
    tensors_.resize(static_cast<size_t>(PyList_GET_SIZE(list)));
    arrays_.reserve(tensors_.size());
    for (size_t i = 0; i < tensors_.size(); ++i) {
      Array array;
      if (!read_item("params", list, i, &array)) return false;
      OptimTensor& t = tensors_[i];
      t = {};
      t.param = array.data;
      t.start = total_;
      t.size = array.size;
      t.dtype = array.dtype;
      total_ += array.size;
      const bool known = t.dtype == DType::kFloat32 || t.dtype == DType::kFloat64 ||
                         t.dtype == DType::kFloat16 || t.dtype == DType::kBFloat16;
      taken_ = taken_ && known && fills_memory(array) && (!written || array.writeable);
      arrays_.push_back(array);
    }
    return true;
  }

  // One array like its parameter for each: put(tensor, data).
  template <class Put>
  bool each(const char* name, PyObject* list, bool written, Put put) {
    if (!same_length(name, list)) return false;
    for (size_t i = 0; i < tensors_.size(); ++i) {
      Array array;
      if (!read_item(name, list, i, &array)) return false;
      OptimTensor& t = tensors_[i];
      if (array.size != t.size) {
        fail(PyExc_RuntimeError,
             "%s: %s[%zu] is %s and its parameter has %lld elements; they must be as many",
             rule_.name, name, i, describe(array).c_str(), static_cast<long long>(t.size));
        return false;
      }
      taken_ = taken_ && array.dtype == t.dtype && lies_like(array, arrays_[i]) &&
               (!written || array.writeable);
      put(t, array.data);
    }
    return true;
  }

  // Any order of dimensions will do, if all arrays of a tensor have it: a step goes element by
  // element.
  static bool fills_memory(const Array& array) {
    return array.contiguous || (PyArray_ISALIGNED(array.object) && is_dense(array.object));
  }
  static bool lies_like(const Array& array, const Array& param) {
    if (array.contiguous && param.contiguous) return true;
    return array.ndim == param.ndim && PyArray_ISALIGNED(array.object) &&
           std::equal(array.shape, array.shape + array.ndim, param.shape) &&
           std::equal(array.strides, array.strides + array.ndim, param.strides);
  }

  // Step counters and the like: float32 or float64 arrays of one element. Kept until `count`.
  bool scalars(const char* name, PyObject* list, std::vector<Array>* to) {
    if (!same_length(name, list)) return false;
    to->resize(tensors_.size());
    for (size_t i = 0; i < tensors_.size(); ++i) {
      Array& s = (*to)[i];
      if (!read_item(name, list, i, &s)) return false;
      if (s.size != 1) {
        fail(PyExc_RuntimeError, "%s: %s[%zu] is %s; it must have one element", rule_.name, name, i,
             describe(s).c_str());
        return false;
      }
      const bool known = s.dtype == DType::kFloat32 || s.dtype == DType::kFloat64;
      taken_ = taken_ && known && s.contiguous && s.writeable;
    }
    return true;
  }

  static double get(const Array& s) {
    return s.dtype == DType::kFloat32 ? static_cast<double>(*s.as<float>()) : *s.as<double>();
  }
  static void set(const Array& s, double value) {
    if (s.dtype == DType::kFloat32) {
      *s.as<float>() = static_cast<float>(value);
    } else {
      *s.as<double>() = value;
    }
  }

  // Increments every counter and derives from its new value.
  void count() {
    double last = -1;
    const bool alone = !rule_.scalars[0];
    for (size_t i = 0; i < tensors_.size(); ++i) {
      set(steps_[i], get(steps_[i]) + 1);
      const double now = get(steps_[i]);  // a float32 counter ends at 2^24
      if (alone && i > 0 && now == last) {
        tensors_[i].a = tensors_[i - 1].a;
        tensors_[i].b = tensors_[i - 1].b;
        tensors_[i].c = tensors_[i - 1].c;
      } else if (rule_.derive) {
        double values[2] = {};
        for (int k = 0; rule_.scalars[k]; ++k) values[k] = get(scalars_[k][i]);
        const bool single = !alone && scalars_[0][i].dtype == DType::kFloat32;
        rule_.derive(options_, now, values, single, &tensors_[i]);
        for (int k = 0; rule_.scalars[k]; ++k) set(scalars_[k][i], values[k]);
      }
      last = now;
    }
  }

  bool is_list(const char* name, PyObject* list) {
    if (PyList_Check(list)) return true;
    fail(PyExc_TypeError, "%s: %s is a %s; it must be a list of arrays", rule_.name, name,
         Py_TYPE(list)->tp_name);
    return false;
  }

  bool same_length(const char* name, PyObject* list) {
    if (!is_list(name, list)) return false;
    if (static_cast<size_t>(PyList_GET_SIZE(list)) == tensors_.size()) return true;
    fail(PyExc_ValueError, "%s: %s has %zd arrays and params has %zu; they must be as many",
         rule_.name, name, PyList_GET_SIZE(list), tensors_.size());
    return false;
  }

  bool read_item(const char* name, PyObject* list, size_t i, Array* array) {
    return read_array(rule_.name, name, PyList_GET_ITEM(list, static_cast<Py_ssize_t>(i)), array);
  }

  const OptimRule& rule_;
  OptimOptions options_{};
  bool taken_ = true;
  int64_t total_ = 0;
  std::vector<Array> arrays_;  // the parameters
  std::vector<OptimTensor> tensors_;
  std::vector<Array> steps_, scalars_[2];
};

}  // namespace mg
