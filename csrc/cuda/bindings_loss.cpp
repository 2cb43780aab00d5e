// _cuda.cross_entropy and its gradient: scores x (N, C, ...), classes (N, ...), or (C,) and ();
// pair_loss and its gradients.
#include <cstring>

#include "cuda/bindings.h"
#include "cuda/kernels_loss.h"

namespace mg::cuda {
namespace {

Reduction read_reduction(Call& call) {
  PyObject* object = call.object();
  const char* text = PyUnicode_Check(object) ? PyUnicode_AsUTF8(object) : nullptr;
  if (text && !strcmp(text, "none")) return Reduction::kNone;
  if (text && !strcmp(text, "sum")) return Reduction::kSum;
  if (text && !strcmp(text, "mean")) return Reduction::kMean;
  call.fail(PyExc_ValueError, "the reduction must be 'none', 'sum' or 'mean'");
}

// x, target, weight.
CrossEntropy read_scores(Call& call, Array* x, Array* target) {
  *x = call.contiguous("x");
  *target = call.contiguous("target");
  const Array weight = call.optional("weight");
  if (x->dtype < DType::kFloat16 || x->dtype > DType::kFloat64) {
    call.fail(PyExc_TypeError, "x is %s; it must have a floating-point type", describe(*x).c_str());
  }
  call.need_dtype("target", *target, DType::kInt64);
  const int at = x->ndim > 1 ? 1 : 0;  // the dimension of the classes
  CrossEntropy c = {};
  c.type = x->dtype;
  c.rows = at ? x->shape[0] : 1;
  c.columns = x->ndim ? x->shape[at] : 0;
  c.length = 1;
  for (int d = at + 1; d < x->ndim; ++d) c.length *= x->shape[d];
  if (c.columns < 1 || target->size != c.rows * c.length || target->ndim != x->ndim - 1) {
    call.fail(PyExc_ValueError, "x is %s and target %s; they must be (N, C, ...) and (N, ...)",
              describe(*x).c_str(), describe(*target).c_str());
  }
  if (weight.given) {
    call.need_dtype("weight", weight, x->dtype);
    call.need_contiguous("weight", weight);
    if (weight.size != c.columns) {
      call.fail(PyExc_ValueError, "weight is %s; it must have %lld elements",
                describe(weight).c_str(), static_cast<long long>(c.columns));
    }
  }
  c.x = x->data;
  c.target = target->as<int64_t>();
  c.weight = weight.data;
  return c;
}

void read_numbers(Call& call, CrossEntropy* c) {
  c->ignored = call.integer("ignored");
  c->reduction = read_reduction(call);
  c->smoothing = call.number("smoothing");
}

void need_size(const Call& call, const char* name, const Array& array, DType dtype, int64_t size) {
  call.need_contiguous(name, array);
  call.need_dtype(name, array, dtype);
  if (array.size == size) return;
  call.fail(PyExc_ValueError, "%s is %s; it must have %lld elements", name, describe(array).c_str(),
            static_cast<long long>(size));
}

DType computed(DType type) { return type == DType::kFloat64 ? type : DType::kFloat32; }

PyObject* cross_entropy(PyObject* const* args, Py_ssize_t count) {
  Call call("cross_entropy", args, count, 11);
  const Array loss = call.array("loss"), lse = call.array("lse");
  const Array denominator = call.array("denominator");
  Array x, target;
  CrossEntropy c = read_scores(call, &x, &target);
  const Array work = call.optional("work");
  read_numbers(call, &c);
  const Stream stream = call.stream();
  need_size(call, "loss", loss, x.dtype, c.reduction == Reduction::kNone ? target.size : 1);
  need_size(call, "lse", lse, computed(x.dtype), target.size);
  need_size(call, "denominator", denominator, computed(x.dtype), 1);
  call.need_workspace(work, cross_entropy_workspace(c));
  return call.launch(
      [&] { return cross_entropy(loss.data, lse.data, denominator.data, c, work.data, stream); });
}

PyObject* cross_entropy_workspace(PyObject* const* args, Py_ssize_t count) {
  Call call("cross_entropy_workspace", args, count, 3);
  Array x, target;
  CrossEntropy c = read_scores(call, &x, &target);
  c.reduction = Reduction::kSum;
  return PyLong_FromLongLong(cross_entropy_workspace(c));
}

PyObject* cross_entropy_backward(PyObject* const* args, Py_ssize_t count) {
  Call call("cross_entropy_backward", args, count, 11);
  const Array out = call.contiguous("out"), grad = call.contiguous("grad");
  Array x, target;
  CrossEntropy c = read_scores(call, &x, &target);
  const Array lse = call.contiguous("lse"), denominator = call.contiguous("denominator");
  read_numbers(call, &c);
  const Stream stream = call.stream();
  call.need_same_shape("out", out, "x", x);
  call.need_dtype("out", out, x.dtype);
  need_size(call, "grad", grad, x.dtype, c.reduction == Reduction::kNone ? target.size : 1);
  need_size(call, "lse", lse, computed(x.dtype), target.size);
  need_size(call, "denominator", denominator, computed(x.dtype), 1);
  return call.launch([&] {
    return cross_entropy_backward(out.data, grad.data, lse.data, denominator.data, c, stream);
  });
}

// x and t, then what follows of op, reduction and number.
PairCall read_pair(Call& call) {
  const Array x = call.contiguous("x"), t = call.contiguous("t");
  if (x.dtype < DType::kFloat16 || x.dtype > DType::kFloat64) {
    call.fail(PyExc_TypeError, "x is %s; it must have a floating-point type", describe(x).c_str());
  }
  call.need_dtype("t", t, x.dtype);
  call.need_same_shape("t", t, "x", x);
  PairCall c = {};
  c.type = x.dtype;
  c.x = x.data;
  c.t = t.data;
  c.n = x.size;
  return c;
}

void read_pair_numbers(Call& call, PairCall* c) {
  c->loss =
      static_cast<PairLoss>(call.integer("op", 0, static_cast<int64_t>(PairLoss::kCount) - 1));
  c->reduction = read_reduction(call);
  c->number = call.number("number");
}

PyObject* pair_loss(PyObject* const* args, Py_ssize_t count) {
  Call call("pair_loss", args, count, 8);
  const Array out = call.array("out");
  PairCall c = read_pair(call);
  const Array work = call.optional("work");
  read_pair_numbers(call, &c);
  const Stream stream = call.stream();
  need_size(call, "out", out, c.type, c.reduction == Reduction::kNone ? c.n : 1);
  call.need_workspace(work, pair_loss_workspace(c));
  return call.launch([&] { return pair_loss(out.data, c, work.data, stream); });
}

PyObject* pair_loss_workspace(PyObject* const* args, Py_ssize_t count) {
  Call call("pair_loss_workspace", args, count, 1);
  PairCall c = {};
  c.n = call.integer("n", 0);
  c.reduction = Reduction::kSum;
  return PyLong_FromLongLong(pair_loss_workspace(c));
}

PyObject* pair_loss_backward(PyObject* const* args, Py_ssize_t count) {
  Call call("pair_loss_backward", args, count, 9);
  const Array out = call.array("out"), grad = call.array("grad");
  PairCall c = read_pair(call);
  read_pair_numbers(call, &c);
  const bool target = call.boolean("target");
  const Stream stream = call.stream();
  need_size(call, "out", out, c.type, c.n);
  need_size(call, "grad", grad, c.type, c.reduction == Reduction::kNone ? c.n : 1);
  return call.launch([&] { return pair_loss_backward(out.data, grad.data, c, target, stream); });
}

}  // namespace

PyMethodDef kLossFunctions[] = {
    MG_CUDA_FUNCTION(pair_loss, "pair_loss(out, x, t, work, op, reduction, number, stream)"),
    MG_CUDA_FUNCTION(pair_loss_workspace, "pair_loss_workspace(n): bytes"),
    MG_CUDA_FUNCTION(pair_loss_backward,
                     "pair_loss_backward(out, grad, x, t, op, reduction, number, target, stream)"),
    MG_CUDA_FUNCTION(cross_entropy,
                     "cross_entropy(loss, lse, denominator, x, target, weight, "
                     "work, ignored, reduction, smoothing, stream)"),
    MG_CUDA_FUNCTION(cross_entropy_workspace, "cross_entropy_workspace(x, target, weight): bytes"),
    MG_CUDA_FUNCTION(cross_entropy_backward,
                     "cross_entropy_backward(out, grad, x, target, weight, lse, denominator, "
                     "ignored, reduction, smoothing, stream)"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
