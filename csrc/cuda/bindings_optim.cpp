// _cuda.sgd_step, adam_step, rmsprop_step, adagrad_step, lerp_tensors, scale_tensors, tensor_norms:
// the arguments of the CPU's functions of the same names, then what only the GPU takes.
#include <vector>

#include "cuda/bindings.h"
#include "cuda/kernels_optim.h"

namespace mg::cuda {
namespace {

// A list of arrays or numbers, as a call of its own.
Call items_of(Call& call, const char* kernel, const char* name, Py_ssize_t* count) {
  PyObject* list = call.object();
  if (!PyList_Check(list)) {
    call.fail(PyExc_TypeError, "%s is %.80s; it must be a list", name, Py_TYPE(list)->tp_name);
  }
  *count = PyList_GET_SIZE(list);
  return Call(kernel, PySequence_Fast_ITEMS(list), *count, *count);
}

// Reads the arguments of one step.
class StepCall {
 public:
  StepCall(const char* kernel, PyObject* const* args, Py_ssize_t given, Py_ssize_t needed)
      : call(kernel, args, given, needed), kernel_(kernel) {
    options.type = options.grad_type = options.copy_type = DType::kFloat32;
  }

  // Parameters come first. Their types must be the same in all tensors.
  void params() {
    Py_ssize_t n;
    Call items = items_of(call, kernel_, "params", &n);
    tensors.resize(static_cast<size_t>(n));
    for (Py_ssize_t i = 0; i < n; ++i) {
      const Array a = items.contiguous("params");
      if (i == 0) options.type = a.dtype;
      if (a.dtype < DType::kFloat16 || a.dtype > DType::kFloat64) {
        call.fail(PyExc_TypeError, "a tensor is %s; it must have a floating-point type",
                  describe(a).c_str());
      }
      items.need_dtype("params", a, options.type);
      tensors[static_cast<size_t>(i)] = {a.data, nullptr, {}, nullptr, nullptr, 0, a.size};
    }
    options.grad_type = options.type;
  }

  void grads(bool any_type) {
    each("grads", [&](const Array& a, StepTensor& t) {
      if (&t == &tensors[0] && any_type) options.grad_type = a.dtype;
      call.need_dtype("grads", a, options.grad_type);
      t.grad = a.data;
    });
    const DType type = options.grad_type;
    if (type != options.type && type != DType::kFloat16 && type != DType::kBFloat16) {
      call.fail(PyExc_TypeError,
                "the gradients have another type than the parameters; it must be "
                "theirs, float16 or bfloat16");
    }
  }

  // `optional`: a list or None.
  void state(const char* name, int k, bool optional) {
    if (optional && skip_none()) return;
    each(name, [&](const Array& a, StepTensor& t) {
      call.need_dtype(name, a, options.type);
      t.state[k] = a.data;
    });
  }

  void copies() {
    if (skip_none()) return;
    each("copies", [&](const Array& a, StepTensor& t) {
      if (&t == &tensors[0]) options.copy_type = a.dtype;
      if (a.dtype != DType::kFloat16 && a.dtype != DType::kBFloat16) {
        call.fail(PyExc_TypeError, "a copy is %s; it must be float16 or bfloat16",
                  describe(a).c_str());
      }
      call.need_dtype("copies", a, options.copy_type);
      t.copy = a.data;
    });
  }

  // Numbers (the counts that the step makes), or float32 arrays of one element.
  void steps() {
    Py_ssize_t n;
    Call items = items_of(call, kernel_, "steps", &n);
    need_count("steps", n);
    for (StepTensor& t : tensors) {
      if (PyFloat_Check(items.peek()) || PyLong_Check(items.peek())) {
        t.count = items.number("steps");
      } else {
        t.step =
            static_cast<float*>(const_cast<void*>(single(items, "steps", items.array("steps"))));
      }
    }
  }

  // A number, or a float32 array of one element.
  void rate() {
    if (PyFloat_Check(call.peek()) || PyLong_Check(call.peek())) {
      options.numbers.lr = call.number("lr");
    } else {
      options.rate = static_cast<const float*>(single(call, "lr", call.array("lr")));
    }
  }

  float* optional_number(const char* name) {
    if (skip_none()) return nullptr;
    return static_cast<float*>(const_cast<void*>(single(call, name, call.array(name))));
  }

  // What comes at the end of every step: copies, scale, found, stream.
  template <class Kernel>
  PyObject* run(const Kernel& kernel) {
    copies();
    options.scale = optional_number("scale");
    options.found = optional_number("found");
    const Stream stream = call.stream();
    return call.launch([&] { return kernel(tensors.data(), count(), options, stream); });
  }

  int64_t count() const { return static_cast<int64_t>(tensors.size()); }

  Call call;
  StepOptions options = {};
  std::vector<StepTensor> tensors;

 private:
  bool skip_none() {
    if (call.peek() != Py_None) return false;
    call.object();
    return true;
  }

  const void* single(const Call& from, const char* name, const Array& a) {
    from.need_dtype(name, a, DType::kFloat32);
    if (a.size != 1) {
      from.fail(PyExc_ValueError, "%s is %s; it must have one element", name, describe(a).c_str());
    }
    return a.data;
  }

  void need_count(const char* name, Py_ssize_t n) {
    if (n == static_cast<Py_ssize_t>(tensors.size())) return;
    call.fail(PyExc_ValueError, "%s has %zd items and params %zu; they must be as many", name, n,
              tensors.size());
  }

  template <class Body>
  void each(const char* name, const Body& body) {
    Py_ssize_t n;
    Call items = items_of(call, kernel_, name, &n);
    need_count(name, n);
    for (StepTensor& t : tensors) {
      const Array a = items.contiguous(name);
      if (a.size != t.size) {
        call.fail(PyExc_ValueError, "%s has %s for a parameter of %lld elements", name,
                  describe(a).c_str(), static_cast<long long>(t.size));
      }
      body(a, t);
    }
  }

  const char* kernel_;
};

PyObject* sgd_step(PyObject* const* args, Py_ssize_t count) {
  StepCall s("sgd_step", args, count, 14);
  OptimOptions& o = s.options.numbers;
  s.params();
  s.grads(true);
  s.state("momentum_buffers", 0, true);
  s.rate();
  o.momentum = s.call.number("momentum");
  o.dampening = s.call.number("dampening");
  o.weight_decay = s.call.number("weight_decay");
  o.nesterov = s.call.boolean("nesterov");
  o.maximize = s.call.boolean("maximize");
  o.first = s.call.boolean("first");
  return s.run(sgd);
}

PyObject* adam_step(PyObject* const* args, Py_ssize_t count) {
  StepCall s("adam_step", args, count, 17);
  OptimOptions& o = s.options.numbers;
  s.params();
  s.grads(true);
  s.state("exp_avgs", 0, false);
  s.state("exp_avg_sqs", 1, false);
  s.state("max_exp_avg_sqs", 2, true);
  s.steps();
  s.rate();
  o.beta1 = s.call.number("beta1");
  o.beta2 = s.call.number("beta2");
  o.eps = s.call.number("eps");
  o.weight_decay = s.call.number("weight_decay");
  o.decoupled = s.call.boolean("decoupled");
  o.maximize = s.call.boolean("maximize");
  return s.run(adam);
}

PyObject* rmsprop_step(PyObject* const* args, Py_ssize_t count) {
  StepCall s("rmsprop_step", args, count, 16);
  OptimOptions& o = s.options.numbers;
  s.params();
  s.grads(true);
  s.state("square_avgs", 0, false);
  s.state("momentum_buffers", 1, true);
  s.state("grad_avgs", 2, true);
  s.steps();
  s.rate();
  o.alpha = s.call.number("alpha");
  o.eps = s.call.number("eps");
  o.weight_decay = s.call.number("weight_decay");
  o.momentum = s.call.number("momentum");
  o.maximize = s.call.boolean("maximize");
  return s.run(rmsprop);
}

PyObject* adagrad_step(PyObject* const* args, Py_ssize_t count) {
  StepCall s("adagrad_step", args, count, 13);
  OptimOptions& o = s.options.numbers;
  s.params();
  s.grads(true);
  s.state("sums", 0, false);
  s.steps();
  s.rate();
  o.lr_decay = s.call.number("lr_decay");
  o.eps = s.call.number("eps");
  o.weight_decay = s.call.number("weight_decay");
  o.maximize = s.call.boolean("maximize");
  return s.run(adagrad);
}

PyObject* lerp_tensors(PyObject* const* args, Py_ssize_t count) {
  StepCall s("lerp_tensors", args, count, 4);
  s.params();
  s.grads(false);
  s.options.numbers.weight = s.call.number("weight");
  const Stream stream = s.call.stream();
  return s.call.launch([&] { return lerp(s.tensors.data(), s.count(), s.options, stream); });
}

PyObject* scale_tensors(PyObject* const* args, Py_ssize_t count) {
  StepCall s("scale_tensors", args, count, 5);
  s.params();
  s.options.numbers.weight = s.call.number("factor");
  s.options.scale = s.optional_number("scale");
  float* found = s.optional_number("found");
  const Stream stream = s.call.stream();
  return s.call.launch(
      [&] { return scale(s.tensors.data(), s.count(), s.options, found, stream); });
}

int read_order(Call& call) { return static_cast<int>(call.integer("order", 0, 2)); }

PyObject* tensor_norms(PyObject* const* args, Py_ssize_t count) {
  Call call("tensor_norms", args, count, 5);
  const Array out = call.contiguous("out");
  StepCall s("tensor_norms", args + 1, count - 1, 4);
  s.params();
  const Array work = s.call.optional("work");
  const int order = read_order(s.call);
  const Stream stream = s.call.stream();
  call.need_dtype("out", out, DType::kFloat64);
  if (out.size != s.count()) {
    call.fail(PyExc_ValueError, "out is %s; it must have %lld elements", describe(out).c_str(),
              static_cast<long long>(s.count()));
  }
  for (int64_t i = 0; i < s.count(); ++i) s.tensors[static_cast<size_t>(i)].count = double(i);
  call.need_workspace(work, norms_workspace(s.tensors.data(), s.count()));
  return call.launch([&] {
    return norms(out.as<double>(), s.tensors.data(), s.count(), s.options.type, order, work.data,
                 stream);
  });
}

PyObject* tensor_norms_workspace(PyObject* const* args, Py_ssize_t count) {
  StepCall s("tensor_norms_workspace", args, count, 1);
  s.params();
  return PyLong_FromLongLong(norms_workspace(s.tensors.data(), s.count()));
}

}  // namespace

PyMethodDef kOptimFunctions[] = {
    MG_CUDA_FUNCTION(sgd_step,
                     "sgd_step(params, grads, momentum_buffers, lr, momentum, dampening, "
                     "weight_decay, nesterov, maximize, first, copies, scale, found, "
                     "stream)"),
    MG_CUDA_FUNCTION(adam_step,
                     "adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, "
                     "steps, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, "
                     "copies, scale, found, stream)"),
    MG_CUDA_FUNCTION(rmsprop_step,
                     "rmsprop_step(params, grads, square_avgs, momentum_buffers, "
                     "grad_avgs, steps, lr, alpha, eps, weight_decay, momentum, "
                     "maximize, copies, scale, found, stream)"),
    MG_CUDA_FUNCTION(adagrad_step,
                     "adagrad_step(params, grads, sums, steps, lr, lr_decay, eps, "
                     "weight_decay, maximize, copies, scale, found, stream)"),
    MG_CUDA_FUNCTION(lerp_tensors, "lerp_tensors(params, ends, weight, stream)"),
    MG_CUDA_FUNCTION(scale_tensors, "scale_tensors(params, factor, scale, found, stream)"),
    MG_CUDA_FUNCTION(tensor_norms, "tensor_norms(out, arrays, work, order, stream)"),
    MG_CUDA_FUNCTION(tensor_norms_workspace, "tensor_norms_workspace(arrays): bytes"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
