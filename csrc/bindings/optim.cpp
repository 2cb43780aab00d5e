// _C.sgd_step, adam_step, rmsprop_step, adagrad_step: one call for lists of arrays. They return
// False, having done nothing, if an array is of a layout or dtype that the kernels do not take.
#include <cmath>
#include <vector>

#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"

namespace mg {
namespace {

// What one of the functions takes, in this order: params, grads, the states, the step counters if
// it counts, the numbers, the flags. Arrays end at the first name that is nullptr.
struct Rule {
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
  State states[4];
  bool counts;
  Number numbers[6];
  Flag flags[4];
  // Sets t->a and t->b for the new value of the tensor's step counter; may be nullptr.
  void (*derive)(const OptimOptions& o, double count, OptimTensor* t);
  OptimKernels::Step OptimKernels::* step;
  double nanoseconds;  // for an element on one thread, roughly
};

// What one call is about: reads the lists, checks them against each other, then runs.
class Call {
 public:
  explicit Call(const Rule& rule) : rule_(rule) {}

  PyObject* run(PyObject* const* args, Py_ssize_t nargs) {
    if (!check_count(rule_.name, nargs, arguments()) || !read(args)) return nullptr;
    if (!taken_) Py_RETURN_FALSE;
    if (rule_.counts) count();
    {
      KernelScope scope(rule_.nanoseconds * static_cast<double>(total_));
      (kernels().optim.*rule_.step)(tensors_.data(), static_cast<int64_t>(tensors_.size()), total_,
                                    &options_);
    }
    Py_RETURN_TRUE;
  }

 private:
  Py_ssize_t arguments() const {
    Py_ssize_t n = 2 + rule_.counts;
    for (const auto* s = rule_.states; s->name; ++s) ++n;
    for (const auto* s = rule_.numbers; s->name; ++s) ++n;
    for (const auto* s = rule_.flags; s->name; ++s) ++n;
    return n;
  }

  bool read(PyObject* const* args) {
    if (!params(*args++)) return false;
    if (!each("grads", *args++, false, [](OptimTensor& t, void* data) { t.grad = data; })) {
      return false;
    }
    for (int k = 0; rule_.states[k].name; ++k, ++args) {
      if (rule_.states[k].optional && *args == Py_None) continue;
      const auto put = [k](OptimTensor& t, void* data) { t.state[k] = data; };
      if (!each(rule_.states[k].name, *args, true, put)) return false;
    }
    if (rule_.counts && !steps(*args++)) return false;
    for (const auto* s = rule_.numbers; s->name; ++s) {
      if (!read_double(rule_.name, s->name, *args++, &(options_.*s->to))) return false;
    }
    for (const auto* s = rule_.flags; s->name; ++s) {
      if (!read_bool(rule_.name, s->name, *args++, &(options_.*s->to))) return false;
    }
    return true;
  }

  bool params(PyObject* list) {
    if (!is_list("params", list)) return false;
    tensors_.resize(static_cast<size_t>(PyList_GET_SIZE(list)));
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
      taken_ = taken_ && known && array.contiguous && array.writeable;
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
      taken_ =
          taken_ && array.dtype == t.dtype && array.contiguous && (!written || array.writeable);
      put(t, array.data);
    }
    return true;
  }

  // The step counters: float32 or float64 arrays of one element. Kept until `count`.
  bool steps(PyObject* list) {
    if (!same_length("steps", list)) return false;
    steps_.resize(tensors_.size());
    for (size_t i = 0; i < tensors_.size(); ++i) {
      Array& s = steps_[i];
      if (!read_item("steps", list, i, &s)) return false;
      if (s.size != 1) {
        fail(PyExc_RuntimeError, "%s: steps[%zu] is %s; it must have one element", rule_.name, i,
             describe(s).c_str());
        return false;
      }
      const bool known = s.dtype == DType::kFloat32 || s.dtype == DType::kFloat64;
      taken_ = taken_ && known && s.contiguous && s.writeable;
    }
    return true;
  }

  // Increments every counter and derives from its new value.
  void count() {
    double last = -1;
    for (size_t i = 0; i < tensors_.size(); ++i) {
      const double now = steps_[i].dtype == DType::kFloat32
                             ? static_cast<double>(*steps_[i].as<float>() += 1.0f)
                             : *steps_[i].as<double>() += 1.0;
      if (i > 0 && now == last) {
        tensors_[i].a = tensors_[i - 1].a;
        tensors_[i].b = tensors_[i - 1].b;
      } else if (rule_.derive) {
        rule_.derive(options_, now, &tensors_[i]);
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

  const Rule& rule_;
  OptimOptions options_{};
  bool taken_ = true;
  int64_t total_ = 0;
  std::vector<OptimTensor> tensors_;
  std::vector<Array> steps_;
};

using O = OptimOptions;

constexpr Rule kSgd = {
    "sgd_step",
    {{"momentum_buffers", true}},
    false,
    {{"lr", &O::lr},
     {"momentum", &O::momentum},
     {"dampening", &O::dampening},
     {"weight_decay", &O::weight_decay}},
    {{"nesterov", &O::nesterov}, {"maximize", &O::maximize}, {"first", &O::first}},
    nullptr,
    &OptimKernels::sgd,
    0.5};

constexpr Rule kAdam = {"adam_step",
                        {{"exp_avgs", false}, {"exp_avg_sqs", false}, {"max_exp_avg_sqs", true}},
                        true,
                        {{"lr", &O::lr},
                         {"beta1", &O::beta1},
                         {"beta2", &O::beta2},
                         {"eps", &O::eps},
                         {"weight_decay", &O::weight_decay}},
                        {{"decoupled", &O::decoupled}, {"maximize", &O::maximize}},
                        [](const O& o, double n, OptimTensor* t) {
                          t->a = o.lr / (1 - std::pow(o.beta1, n));
                          t->b = std::sqrt(1 - std::pow(o.beta2, n));
                        },
                        &OptimKernels::adam,
                        1.0};

constexpr Rule kRmsProp = {
    "rmsprop_step",
    {{"square_avgs", false}, {"momentum_buffers", true}, {"grad_avgs", true}},
    true,
    {{"lr", &O::lr},
     {"alpha", &O::alpha},
     {"eps", &O::eps},
     {"weight_decay", &O::weight_decay},
     {"momentum", &O::momentum}},
    {{"maximize", &O::maximize}},
    nullptr,
    &OptimKernels::rmsprop,
    1.0};

constexpr Rule kAdagrad = {
    "adagrad_step",
    {{"sums", false}},
    true,
    {{"lr", &O::lr},
     {"lr_decay", &O::lr_decay},
     {"eps", &O::eps},
     {"weight_decay", &O::weight_decay}},
    {{"maximize", &O::maximize}},
    [](const O& o, double n, OptimTensor* t) { t->a = o.lr / (1 + (n - 1) * o.lr_decay); },
    &OptimKernels::adagrad,
    1.0};

template <const Rule& rule>
PyObject* step(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return Call(rule).run(args, nargs);
}

PyMethodDef kFunctions[] = {
    MG_FAST_NAMED("sgd_step", step<kSgd>,
                  "sgd_step(params, grads, momentum_buffers, lr, momentum, dampening, "
                  "weight_decay, nesterov, maximize, first) -> bool"),
    MG_FAST_NAMED("adam_step", step<kAdam>,
                  "adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, "
                  "lr, beta1, beta2, eps, weight_decay, decoupled, maximize) -> bool"),
    MG_FAST_NAMED("rmsprop_step", step<kRmsProp>,
                  "rmsprop_step(params, grads, square_avgs, momentum_buffers, grad_avgs, "
                  "steps, lr, alpha, eps, weight_decay, momentum, maximize) -> bool"),
    MG_FAST_NAMED("adagrad_step", step<kAdagrad>,
                  "adagrad_step(params, grads, sums, steps, lr, lr_decay, eps, "
                  "weight_decay, maximize) -> bool"),
    MG_TABLE_END,
};

}  // namespace

void bind_optim(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
