// _C.sgd_step, adam_step, rmsprop_step, adagrad_step: one call for lists of arrays. They return
// False, having done nothing, if an array is of a layout or dtype that the kernels do not take.
#include <cmath>
#include <vector>

#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"

namespace mg {
namespace {

// What one call is about: reads the lists, checks them against each other, then runs.
class Call {
 public:
  explicit Call(const char* kernel) : kernel_(kernel) {}

  bool failed() const { return failed_; }
  bool taken() const { return taken_; }
  OptimOptions options{};

  void params(PyObject* list) {
    if (!is_list("params", list)) return;
    tensors_.resize(static_cast<size_t>(PyList_GET_SIZE(list)));
    for (size_t i = 0; i < tensors_.size(); ++i) {
      Array array;
      if (!read("params", list, i, &array)) return;
      OptimTensor& t = tensors_[i];
      t = {};
      t.param = array.data;
      t.start = total_;
      t.size = array.size;
      t.dtype = array.dtype;
      total_ += array.size;
      const bool known = t.dtype == DType::kFloat32 || t.dtype == DType::kFloat64 ||
                         t.dtype == DType::kFloat16 || t.dtype == DType::kBFloat16;
      taken_ = taken_ && known && array.contiguous && array.writeable;
    }
  }

  void grads(PyObject* list) {
    each("grads", list, [](OptimTensor& t, const Array& a) { t.grad = a.data; }, false);
  }

  // None leaves the state out.
  void state(int k, const char* name, PyObject* list) {
    if (failed_ || list == Py_None) return;
    each(name, list, [k](OptimTensor& t, const Array& a) { t.state[k] = a.data; }, true);
  }

  void number(const char* name, PyObject* value, double* out) {
    failed_ = failed_ || !read_double(kernel_, name, value, out);
  }
  void flag(const char* name, PyObject* value, bool* out) {
    failed_ = failed_ || !read_bool(kernel_, name, value, out);
  }

  // The step counters: float32 or float64 arrays of one element. Kept until `count`.
  void steps(PyObject* list) {
    if (failed_ || !same_length("steps", list)) return;
    steps_.resize(tensors_.size());
    for (size_t i = 0; i < tensors_.size(); ++i) {
      if (!read("steps", list, i, &steps_[i])) return;
      const Array& s = steps_[i];
      if (s.size != 1) {
        fail(PyExc_RuntimeError, "%s: steps[%zu] is %s; it must have one element", kernel_, i,
             describe(s).c_str());
        failed_ = true;
        return;
      }
      const bool known = s.dtype == DType::kFloat32 || s.dtype == DType::kFloat64;
      taken_ = taken_ && known && s.contiguous && s.writeable;
    }
  }

  // Increments every counter and calls derive(tensor, t) with its new value.
  template <class Derive>
  void count(Derive derive) {
    double last = -1;
    for (size_t i = 0; i < tensors_.size(); ++i) {
      double t;
      if (steps_[i].dtype == DType::kFloat32) {
        t = static_cast<double>(*steps_[i].as<float>() += 1.0f);
      } else {
        t = *steps_[i].as<double>() += 1.0;
      }
      if (i > 0 && t == last) {
        tensors_[i].a = tensors_[i - 1].a;
        tensors_[i].b = tensors_[i - 1].b;
      } else {
        derive(&tensors_[i], t);
      }
      last = t;
    }
  }

  PyObject* run(OptimKernels::Step step, double nanoseconds_each) {
    {
      KernelScope scope(nanoseconds_each * static_cast<double>(total_));
      step(tensors_.data(), static_cast<int64_t>(tensors_.size()), total_, &options);
    }
    Py_RETURN_TRUE;
  }

 private:
  bool is_list(const char* name, PyObject* list) {
    if (!PyList_Check(list)) {
      fail(PyExc_TypeError, "%s: %s is a %s; it must be a list of arrays", kernel_, name,
           Py_TYPE(list)->tp_name);
      failed_ = true;
    }
    return !failed_;
  }

  bool same_length(const char* name, PyObject* list) {
    if (!is_list(name, list)) return false;
    if (static_cast<size_t>(PyList_GET_SIZE(list)) != tensors_.size()) {
      fail(PyExc_ValueError, "%s: %s has %zd arrays and params has %zu; they must be as many",
           kernel_, name, PyList_GET_SIZE(list), tensors_.size());
      failed_ = true;
    }
    return !failed_;
  }

  bool read(const char* name, PyObject* list, size_t i, Array* array) {
    failed_ = !read_array(kernel_, name, PyList_GET_ITEM(list, static_cast<Py_ssize_t>(i)), array);
    return !failed_;
  }

  template <class Put>
  void each(const char* name, PyObject* list, Put put, bool written) {
    if (failed_ || !same_length(name, list)) return;
    for (size_t i = 0; i < tensors_.size(); ++i) {
      Array array;
      if (!read(name, list, i, &array)) return;
      OptimTensor& t = tensors_[i];
      if (array.size != t.size) {
        fail(PyExc_RuntimeError,
             "%s: %s[%zu] is %s and its parameter has %lld elements; they must "
             "be as many",
             kernel_, name, i, describe(array).c_str(), static_cast<long long>(t.size));
        failed_ = true;
        return;
      }
      taken_ =
          taken_ && array.dtype == t.dtype && array.contiguous && (!written || array.writeable);
      put(t, array);
    }
  }

  const char* kernel_;
  bool failed_ = false, taken_ = true;
  int64_t total_ = 0;
  std::vector<OptimTensor> tensors_;
  std::vector<Array> steps_;
};

PyObject* sgd_step(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("sgd_step", nargs, 10)) return nullptr;
  Call call("sgd_step");
  OptimOptions& o = call.options;
  call.params(args[0]);
  call.grads(args[1]);
  call.state(0, "momentum_buffers", args[2]);
  call.number("lr", args[3], &o.lr);
  call.number("momentum", args[4], &o.momentum);
  call.number("dampening", args[5], &o.dampening);
  call.number("weight_decay", args[6], &o.weight_decay);
  call.flag("nesterov", args[7], &o.nesterov);
  call.flag("maximize", args[8], &o.maximize);
  call.flag("first", args[9], &o.first);
  if (call.failed()) return nullptr;
  if (!call.taken()) Py_RETURN_FALSE;
  return call.run(kernels().optim.sgd, 0.5);
}

PyObject* adam_step(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("adam_step", nargs, 13)) return nullptr;
  Call call("adam_step");
  OptimOptions& o = call.options;
  call.params(args[0]);
  call.grads(args[1]);
  call.state(0, "exp_avgs", args[2]);
  call.state(1, "exp_avg_sqs", args[3]);
  call.state(2, "max_exp_avg_sqs", args[4]);
  call.steps(args[5]);
  call.number("lr", args[6], &o.lr);
  call.number("beta1", args[7], &o.beta1);
  call.number("beta2", args[8], &o.beta2);
  call.number("eps", args[9], &o.eps);
  call.number("weight_decay", args[10], &o.weight_decay);
  call.flag("decoupled", args[11], &o.decoupled);
  call.flag("maximize", args[12], &o.maximize);
  if (call.failed()) return nullptr;
  if (!call.taken()) Py_RETURN_FALSE;
  call.count([&o](OptimTensor* t, double n) {
    t->a = o.lr / (1 - std::pow(o.beta1, n));
    t->b = std::sqrt(1 - std::pow(o.beta2, n));
  });
  return call.run(kernels().optim.adam, 1.0);
}

PyObject* rmsprop_step(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("rmsprop_step", nargs, 12)) return nullptr;
  Call call("rmsprop_step");
  OptimOptions& o = call.options;
  call.params(args[0]);
  call.grads(args[1]);
  call.state(0, "square_avgs", args[2]);
  call.state(1, "momentum_buffers", args[3]);
  call.state(2, "grad_avgs", args[4]);
  call.steps(args[5]);
  call.number("lr", args[6], &o.lr);
  call.number("alpha", args[7], &o.alpha);
  call.number("eps", args[8], &o.eps);
  call.number("weight_decay", args[9], &o.weight_decay);
  call.number("momentum", args[10], &o.momentum);
  call.flag("maximize", args[11], &o.maximize);
  if (call.failed()) return nullptr;
  if (!call.taken()) Py_RETURN_FALSE;
  call.count([](OptimTensor*, double) {});
  return call.run(kernels().optim.rmsprop, 1.0);
}

PyObject* adagrad_step(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("adagrad_step", nargs, 9)) return nullptr;
  Call call("adagrad_step");
  OptimOptions& o = call.options;
  double lr_decay = 0;
  call.params(args[0]);
  call.grads(args[1]);
  call.state(0, "sums", args[2]);
  call.steps(args[3]);
  call.number("lr", args[4], &o.lr);
  call.number("lr_decay", args[5], &lr_decay);
  call.number("eps", args[6], &o.eps);
  call.number("weight_decay", args[7], &o.weight_decay);
  call.flag("maximize", args[8], &o.maximize);
  if (call.failed()) return nullptr;
  if (!call.taken()) Py_RETURN_FALSE;
  call.count([&o, lr_decay](OptimTensor* t, double n) { t->a = o.lr / (1 + (n - 1) * lr_decay); });
  return call.run(kernels().optim.adagrad, 1.0);
}

PyMethodDef kFunctions[] = {
    MG_FAST(sgd_step,
            "sgd_step(params, grads, momentum_buffers, lr, momentum, dampening, "
            "weight_decay, nesterov, maximize, first) -> bool"),
    MG_FAST(adam_step,
            "adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, "
            "lr, beta1, beta2, eps, weight_decay, decoupled, maximize) -> bool"),
    MG_FAST(rmsprop_step,
            "rmsprop_step(params, grads, square_avgs, momentum_buffers, grad_avgs, "
            "steps, lr, alpha, eps, weight_decay, momentum, maximize) -> bool"),
    MG_FAST(adagrad_step,
            "adagrad_step(params, grads, sums, steps, lr, lr_decay, eps, "
            "weight_decay, maximize) -> bool"),
    MG_TABLE_END,
};

}  // namespace

void bind_optim(pybind11::module_& m) { add_functions(m, kFunctions); }

}  // namespace mg
