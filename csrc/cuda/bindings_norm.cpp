// _cuda.layer_norm, rms_norm, group_norm, batch_norm and their gradients, for contiguous arrays.
#include "cuda/bindings.h"
#include "cuda/kernels_norm.h"

namespace mg::cuda {
namespace {

DType computed(DType type) { return type == DType::kFloat64 ? type : DType::kFloat32; }

Array read_float(Call& call, const char* name) {
  const Array x = call.contiguous(name);
  if (x.dtype < DType::kFloat16 || x.dtype > DType::kFloat64) {
    call.fail(PyExc_TypeError, "%s is %s; it must have a floating-point type", name,
              describe(x).c_str());
  }
  return x;
}

Array like(Call& call, const char* name, const Array& x) {
  const Array a = call.contiguous(name);
  call.need_dtype(name, a, x.dtype);
  call.need_same_shape(name, a, "x", x);
  return a;
}

// An array that was read before the sizes were known.
void need(const Call& call, const char* name, const Array& a, DType dtype, int64_t size) {
  if (!a.given) return;
  call.need_dtype(name, a, dtype);
  call.need_contiguous(name, a);
  if (a.size == size) return;
  call.fail(PyExc_ValueError, "%s is %s; it must have %lld elements", name, describe(a).c_str(),
            static_cast<long long>(size));
}

// w and b: both in x's type or both in the computing type.
void need_params(const Call& call, const Array& w, const Array& b, const Array& x, int64_t size,
                 bool* wide) {
  const Array& first = w.given ? w : b;
  const DType type = first.given && first.dtype == computed(x.dtype) ? first.dtype : x.dtype;
  need(call, "w", w, type, size);
  need(call, "b", b, type, size);
  *wide = type != x.dtype || computed(x.dtype) == x.dtype;
}

int64_t rows_of(const Call& call, const Array& x, int64_t n) {
  if (n < 1 || x.size % n != 0) {
    call.fail(PyExc_ValueError, "x is %s and its rows have %lld elements; there must be whole rows",
              describe(x).c_str(), static_cast<long long>(n));
  }
  return x.size / n;
}

RowShape group_shape(Call& call, const Array& x, int64_t groups) {
  const int64_t channels = x.ndim > 1 ? x.shape[1] : 0;
  if (channels < 1 || channels % groups != 0 || x.size == 0) {
    call.fail(PyExc_ValueError, "x is %s with %lld groups; they must divide its channels",
              describe(x).c_str(), static_cast<long long>(groups));
  }
  const int64_t run = x.size / (x.shape[0] * channels);
  return {x.shape[0] * groups, channels / groups * run, groups, run};
}

// Checks what the forward functions of rows have in common, and runs them.
PyObject* forward(Call& call, RowNormCall& c, const Array& y, const Array& mean, const Array& rstd,
                  const Array& x, const Array& w, const Array& b) {
  const Stream stream = call.stream();
  call.need_same_shape("y", y, "x", x);
  call.need_dtype("y", y, x.dtype);
  need(call, "mean", mean, computed(x.dtype), c.shape.rows);
  need(call, "rstd", rstd, computed(x.dtype), c.shape.rows);
  need_params(call, w, b, x, row_params(c.shape), &c.wide_params);
  c.type = x.dtype;
  c.y = y.data;
  c.mean = mean.data;
  c.rstd = rstd.data;
  c.x = x.data;
  c.w = w.data;
  c.b = b.data;
  return call.launch([&] { return row_norm(c, stream); });
}

PyObject* layer_norm(PyObject* const* args, Py_ssize_t count) {
  Call call("layer_norm", args, count, 9);
  const Array y = call.contiguous("y"), mean = call.array("mean"), rstd = call.array("rstd");
  const Array x = read_float(call, "x"), w = call.optional("w"), b = call.optional("b");
  const int64_t n = call.integer("n", 1);
  RowNormCall c = {};
  c.shape = {rows_of(call, x, n), n, 1, 1};
  c.centre = true;
  c.eps = call.number("eps");
  return forward(call, c, y, mean, rstd, x, w, b);
}

PyObject* rms_norm(PyObject* const* args, Py_ssize_t count) {
  Call call("rms_norm", args, count, 7);
  const Array y = call.contiguous("y"), rstd = call.array("rstd");
  const Array x = read_float(call, "x"), w = call.optional("w");
  const int64_t n = call.integer("n", 1);
  RowNormCall c = {};
  c.shape = {rows_of(call, x, n), n, 1, 1};
  c.eps = call.number("eps");
  return forward(call, c, y, Array(), rstd, x, w, Array());
}

PyObject* group_norm(PyObject* const* args, Py_ssize_t count) {
  Call call("group_norm", args, count, 9);
  const Array y = call.contiguous("y"), mean = call.array("mean"), rstd = call.array("rstd");
  const Array x = read_float(call, "x"), w = call.optional("w"), b = call.optional("b");
  RowNormCall c = {};
  c.shape = group_shape(call, x, call.integer("groups", 1));
  c.centre = true;
  c.eps = call.number("eps");
  return forward(call, c, y, mean, rstd, x, w, b);
}

struct Results {
  Array dx, dw, db;
};

PyObject* backward(Call& call, RowNormCall& c, const Results& r, const Array& grad, const Array& x,
                   const Array& mean, const Array& rstd, const Array& w, const Array& work,
                   Stream stream) {
  const DType wide = computed(x.dtype);
  need(call, "dx", r.dx, x.dtype, x.size);
  need(call, "dw", r.dw, wide, row_params(c.shape));
  need(call, "db", r.db, wide, row_params(c.shape));
  need(call, "mean", mean, wide, c.shape.rows);
  need(call, "rstd", rstd, wide, c.shape.rows);
  need_params(call, w, Array(), x, row_params(c.shape), &c.wide_params);
  if (r.dw.given || r.db.given) call.need_workspace(work, row_norm_workspace(c));
  c.type = x.dtype;
  c.dx = r.dx.data;
  c.dw = r.dw.data;
  c.db = r.db.data;
  c.grad = grad.data;
  c.x = x.data;
  c.mean = mean.data;
  c.rstd = rstd.data;
  c.w = w.data;
  c.work = work.data;
  return call.launch([&] { return row_norm_backward(c, stream); });
}

PyObject* layer_norm_backward(PyObject* const* args, Py_ssize_t count) {
  Call call("layer_norm_backward", args, count, 10);
  Results r = {call.optional("dx"), call.optional("dw"), call.optional("db")};
  const Array grad = call.contiguous("grad"), x = like(call, "x", grad);
  const Array mean = call.array("mean"), rstd = call.array("rstd"), w = call.optional("w");
  const Array work = call.optional("work");
  RowNormCall c = {};
  c.centre = true;
  c.shape = {mean.size, rows_of(call, x, mean.size > 0 ? mean.size : 1), 1, 1};
  return backward(call, c, r, grad, x, mean, rstd, w, work, call.stream());
}

PyObject* rms_norm_backward(PyObject* const* args, Py_ssize_t count) {
  Call call("rms_norm_backward", args, count, 8);
  Results r = {call.optional("dx"), call.optional("dw"), Array()};
  const Array grad = call.contiguous("grad"), x = like(call, "x", grad);
  const Array rstd = call.array("rstd"), w = call.optional("w"), work = call.optional("work");
  RowNormCall c = {};
  c.shape = {rstd.size, rows_of(call, x, rstd.size > 0 ? rstd.size : 1), 1, 1};
  return backward(call, c, r, grad, x, Array(), rstd, w, work, call.stream());
}

PyObject* group_norm_backward(PyObject* const* args, Py_ssize_t count) {
  Call call("group_norm_backward", args, count, 11);
  Results r = {call.optional("dx"), call.optional("dw"), call.optional("db")};
  const Array grad = call.contiguous("grad"), x = like(call, "x", grad);
  const Array mean = call.array("mean"), rstd = call.array("rstd"), w = call.optional("w");
  const Array work = call.optional("work");
  RowNormCall c = {};
  c.centre = true;
  c.shape = group_shape(call, x, call.integer("groups", 1));
  return backward(call, c, r, grad, x, mean, rstd, w, work, call.stream());
}

// norm_workspace(n, c, length): bytes for sums over n and length of c parameters: layer_norm (rows,
// n, 1), group_norm and batch_norm (N, C, positions).
PyObject* norm_workspace(PyObject* const* args, Py_ssize_t count) {
  Call call("norm_workspace", args, count, 3);
  BatchNormCall c = {};
  c.n = call.integer("n", 0);
  c.c = call.integer("c", 0);
  c.length = call.integer("length", 0);
  return PyLong_FromLongLong(batch_norm_workspace(c));
}

BatchNormCall channels_of(Call& call, const Array& x, int64_t dims) {
  if (x.ndim < dims) {
    call.fail(PyExc_ValueError, "x is %s; it must be (N, C, ...)", describe(x).c_str());
  }
  BatchNormCall c = {};
  c.type = x.dtype;
  c.x = x.data;
  c.n = x.shape[0];
  c.c = x.shape[1];
  c.length = 1;
  for (int d = 2; d < x.ndim; ++d) c.length *= x.shape[d];
  return c;
}

PyObject* batch_norm(PyObject* const* args, Py_ssize_t count) {
  Call call("batch_norm", args, count, 13);
  const Array y = call.contiguous("y"), mean = call.array("mean"), rstd = call.array("rstd");
  const Array running_mean = call.optional("running_mean");
  const Array running_var = call.optional("running_var");
  const Array x = read_float(call, "x"), w = call.optional("w"), b = call.optional("b");
  const Array work = call.optional("work");
  BatchNormCall c = channels_of(call, x, 2);
  c.training = call.boolean("training");
  c.momentum = call.number("momentum");
  c.eps = call.number("eps");
  const Stream stream = call.stream();
  const DType wide = computed(x.dtype);
  call.need_same_shape("y", y, "x", x);
  call.need_dtype("y", y, x.dtype);
  need(call, "mean", mean, wide, c.c);
  need(call, "rstd", rstd, wide, c.c);
  need(call, "running_mean", running_mean, wide, c.c);
  need(call, "running_var", running_var, wide, c.c);
  need_params(call, w, b, x, c.c, &c.wide_params);
  if (!c.training && !(running_mean.given && running_var.given)) {
    call.fail(PyExc_ValueError, "no running statistics were given; evaluation needs them");
  }
  if (c.training) call.need_workspace(work, batch_norm_workspace(c));
  c.y = y.data;
  c.mean = mean.data;
  c.rstd = rstd.data;
  c.running_mean = running_mean.data;
  c.running_var = running_var.data;
  c.w = w.data;
  c.b = b.data;
  c.work = work.data;
  return call.launch([&] { return batch_norm(c, stream); });
}

PyObject* batch_norm_backward(PyObject* const* args, Py_ssize_t count) {
  Call call("batch_norm_backward", args, count, 11);
  const Array dx = call.optional("dx"), dw = call.array("dw"), db = call.array("db");
  const Array grad = call.contiguous("grad"), x = like(call, "x", grad);
  const Array w = call.optional("w"), mean = call.array("mean"), rstd = call.array("rstd");
  const Array work = call.optional("work");
  BatchNormCall c = channels_of(call, x, 2);
  c.training = call.boolean("training");
  const Stream stream = call.stream();
  const DType wide = computed(x.dtype);
  need(call, "dx", dx, x.dtype, x.size);
  need(call, "dw", dw, wide, c.c);
  need(call, "db", db, wide, c.c);
  need(call, "mean", mean, wide, c.c);
  need(call, "rstd", rstd, wide, c.c);
  need_params(call, w, Array(), x, c.c, &c.wide_params);
  call.need_workspace(work, batch_norm_workspace(c));
  c.dx = dx.data;
  c.dw = dw.data;
  c.db = db.data;
  c.grad = grad.data;
  c.mean = mean.data;
  c.rstd = rstd.data;
  c.w = w.data;
  c.work = work.data;
  return call.launch([&] { return batch_norm_backward(c, stream); });
}

}  // namespace

PyMethodDef kNormFunctions[] = {
    MG_CUDA_FUNCTION(layer_norm, "layer_norm(y, mean, rstd, x, w, b, n, eps, stream)"),
    MG_CUDA_FUNCTION(layer_norm_backward,
                     "layer_norm_backward(dx, dw, db, grad, x, mean, rstd, w, work, stream)"),
    MG_CUDA_FUNCTION(rms_norm, "rms_norm(y, rstd, x, w, n, eps, stream)"),
    MG_CUDA_FUNCTION(rms_norm_backward,
                     "rms_norm_backward(dx, dw, grad, x, rstd, w, work, stream)"),
    MG_CUDA_FUNCTION(group_norm, "group_norm(y, mean, rstd, x, w, b, groups, eps, stream)"),
    MG_CUDA_FUNCTION(group_norm_backward,
                     "group_norm_backward(dx, dw, db, grad, x, mean, rstd, w, work, groups, "
                     "stream)"),
    MG_CUDA_FUNCTION(batch_norm,
                     "batch_norm(y, mean, rstd, running_mean, running_var, x, w, b, work, "
                     "training, momentum, eps, stream)"),
    MG_CUDA_FUNCTION(batch_norm_backward,
                     "batch_norm_backward(dx, dw, db, grad, x, w, mean, rstd, work, training, "
                     "stream)"),
    MG_CUDA_FUNCTION(norm_workspace, "norm_workspace(n, c, length): bytes"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
