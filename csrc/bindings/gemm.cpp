// _C.gemm(out, a, b, alpha, beta, bias, relu), and the allocating forms _C.matmul and _C.linear,
// which return None for operands that the kernels do not take.
#include "bindings/gemm.h"

#include "bindings/families.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

constexpr int kMaxBatch = NPY_MAXDIMS;

bool is_float(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 ||
         dtype == DType::kBFloat16;
}

}  // namespace

bool is_walkable(const Array& x) {
  if (x.contiguous) return true;
  if (!(PyArray_FLAGS(x.object) & NPY_ARRAY_ALIGNED)) return false;
  const npy_intp size = item_size(x.dtype);
  for (int i = 0; i < x.ndim; ++i) {
    if (x.strides[i] % size) return false;
  }
  return true;
}

namespace {

// A product with room for the strides of its batch.
struct Call {
  GemmArgs g = {};
  DType operands, result;
  int64_t shape[kMaxBatch], a_batch[kMaxBatch], b_batch[kMaxBatch], c_batch[kMaxBatch];

  Call(DType operands, DType result) : operands(operands), result(result) {
    g.batch_shape = shape;
    g.a_batch = a_batch;
    g.b_batch = b_batch;
    g.c_batch = c_batch;
    g.alpha = 1;
  }

  void a_matrix(const Array& a, int64_t rows_stride, int64_t columns_stride) {
    const int64_t size = item_size(operands);
    g.a = a.data;
    g.a_rs = rows_stride / size;
    g.a_cs = columns_stride / size;
  }
  void b_matrix(const Array& b, int64_t rows_stride, int64_t columns_stride) {
    const int64_t size = item_size(operands);
    g.b = b.data;
    g.b_rs = rows_stride / size;
    g.b_cs = columns_stride / size;
  }
};

// Runs the kernel; false with MemoryError set when there is no room for its workspace.
bool run(Call& call) {
  GemmArgs& g = call.g;
  int64_t count = 1;
  for (int i = 0; i < g.batch_dims; ++i) count *= call.shape[i];
  if (count == 0 || g.m == 0 || g.n == 0) return true;
  // A stride along a dimension of size 1 means nothing; 1 lets the kernel see a contiguous row.
  if (g.m == 1) g.a_rs = g.k;
  if (g.k == 1) {
    g.a_cs = 1;
    g.b_rs = g.n;
  }
  if (g.n == 1) g.b_cs = 1;
  const GemmKernels& k = kernels().gemm;
  g.workspace_bytes = k.workspace(g, call.operands, call.result);
  const double work = static_cast<double>(count) * static_cast<double>(g.m) *
                      static_cast<double>(g.n) * static_cast<double>(g.k + 1);
  Workspace space(static_cast<size_t>(g.workspace_bytes));
  if (space.failed()) {
    fail(PyExc_MemoryError, "gemm: a workspace of %lld bytes is needed; the system has not as many",
         static_cast<long long>(g.workspace_bytes));
    return false;
  }
  g.workspace = space.data();
  KernelScope scope(0.03 * work);
  k.run(g, call.operands, call.result);
  return true;
}

// The batch of `x` broadcast to `dims` leading dimensions of `shape`; false if it does not fit.
bool batch_strides(const Array& x, int own, int dims, const int64_t* shape, int64_t* strides) {
  const int64_t size = item_size(x.dtype);
  if (own > dims) return false;
  for (int i = 0; i < dims - own; ++i) strides[i] = 0;
  for (int i = 0; i < own; ++i) {
    const int at = dims - own + i;
    if (x.shape[i] == shape[at]) {
      strides[at] = x.shape[i] == 1 ? 0 : x.strides[i] / size;
    } else if (x.shape[i] == 1) {
      strides[at] = 0;
    } else {
      return false;
    }
  }
  return true;
}

// Several leading dimensions that lie behind each other in memory count as one: the stride between
// their rows, or false.
bool folds(const Array& x, int64_t* rows, int64_t* stride) {
  *rows = x.shape[x.ndim - 2];
  *stride = x.strides[x.ndim - 2];
  for (int i = x.ndim - 3; i >= 0; --i) {
    if (x.shape[i] != 1 && *rows != 1 && x.strides[i] != *rows * *stride) return false;
    if (*rows == 1 && x.shape[i] != 1) *stride = x.strides[i];
    *rows *= x.shape[i];
  }
  return true;
}

}  // namespace

PyObject* gemm_arrays(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array out, a, b, bias;
  double alpha, beta;
  bool relu;
  if (!check_count("gemm", nargs, 7) || !read_array("gemm", "out", args[0], &out) ||
      !read_array("gemm", "a", args[1], &a) || !read_array("gemm", "b", args[2], &b) ||
      !read_double("gemm", "alpha", args[3], &alpha) ||
      !read_double("gemm", "beta", args[4], &beta) ||
      !read_optional("gemm", "bias", args[5], &bias) ||
      !read_bool("gemm", "relu", args[6], &relu) || !need_writeable("gemm", "out", out)) {
    return nullptr;
  }
  if (!is_float(a.dtype) || a.dtype != b.dtype ||
      (out.dtype != a.dtype && (out.dtype != DType::kFloat32 || item_size(a.dtype) != 2))) {
    return fail(PyExc_TypeError,
                "gemm: out is %s, a is %s and b is %s; a and b must be of one floating-point dtype "
                "and out of the same, or float32 for 16-bit operands",
                describe(out).c_str(), describe(a).c_str(), describe(b).c_str());
  }
  const int batch = out.ndim - 2;
  if (batch < 0 || a.ndim < 2 || b.ndim < 2 || a.shape[a.ndim - 1] != b.shape[b.ndim - 2] ||
      out.shape[batch] != a.shape[a.ndim - 2] || out.shape[batch + 1] != b.shape[b.ndim - 1]) {
    return fail(PyExc_ValueError,
                "gemm: out is %s, a is %s and b is %s; they must be (..., m, n), (..., m, k) and "
                "(..., k, n)",
                describe(out).c_str(), describe(a).c_str(), describe(b).c_str());
  }
  Call call(a.dtype, out.dtype);
  for (int i = 0; i < batch; ++i) call.shape[i] = out.shape[i];
  const int64_t out_size = item_size(out.dtype);
  if (!batch_strides(a, a.ndim - 2, batch, call.shape, call.a_batch) ||
      !batch_strides(b, b.ndim - 2, batch, call.shape, call.b_batch)) {
    return fail(PyExc_ValueError,
                "gemm: out is %s, a is %s and b is %s; the batches of a and b must broadcast to "
                "out's",
                describe(out).c_str(), describe(a).c_str(), describe(b).c_str());
  }
  if (out.size == 0) Py_RETURN_NONE;  // its strides may be anything
  const bool rows_contiguous =
      out.shape[batch + 1] <= 1 || out.strides[batch + 1] == static_cast<npy_intp>(out_size);
  if (!rows_contiguous || !is_walkable(out) || !is_walkable(a) || !is_walkable(b)) {
    return fail(PyExc_ValueError,
                "gemm: out is %s, a is %s and b is %s; they must be aligned with strides of whole "
                "elements, and the rows of out contiguous",
                describe(out).c_str(), describe(a).c_str(), describe(b).c_str());
  }
  if (bias.object && (bias.ndim != 1 || bias.shape[0] != out.shape[batch + 1] ||
                      bias.dtype != out.dtype || !bias.contiguous)) {
    return fail(PyExc_ValueError, "gemm: bias is %s and out is %s; bias must be (n,), contiguous",
                describe(bias).c_str(), describe(out).c_str());
  }
  GemmArgs& g = call.g;
  call.a_matrix(a, a.strides[a.ndim - 2], a.strides[a.ndim - 1]);
  call.b_matrix(b, b.strides[b.ndim - 2], b.strides[b.ndim - 1]);
  for (int i = 0; i < batch; ++i) call.c_batch[i] = out.strides[i] / out_size;
  g.c = out.data;
  g.bias = bias.data;
  g.c_rs = out.strides[batch] / out_size;
  g.m = out.shape[batch];
  g.n = out.shape[batch + 1];
  g.k = a.shape[a.ndim - 1];
  g.batch_dims = batch;
  g.alpha = alpha;
  g.beta = beta;
  g.relu = relu;
  if (!run(call)) return nullptr;
  Py_RETURN_NONE;
}

namespace {

PyObject* new_like(const Array& a, int ndim, const npy_intp* shape) {
  PyArray_Descr* descr = PyArray_DESCR(a.object);
  Py_INCREF(descr);
  return new_array(descr, ndim, shape);
}

PyObject* finish(Call& call, PyObject* result) {
  if (!result) return nullptr;
  call.g.c = PyArray_DATA(reinterpret_cast<PyArrayObject*>(result));
  if (run(call)) return result;
  Py_DECREF(result);
  return nullptr;
}

}  // namespace

PyObject* matmul_arrays(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array a, b;
  if (!check_count("matmul", nargs, 2) || !read_array("matmul", "a", args[0], &a) ||
      !read_array("matmul", "b", args[1], &b)) {
    return nullptr;
  }
  if (a.dtype != b.dtype || !is_float(a.dtype) || a.ndim == 0 || b.ndim == 0 || !is_walkable(a) ||
      !is_walkable(b)) {
    Py_RETURN_NONE;
  }
  Call call(a.dtype, a.dtype);
  GemmArgs& g = call.g;
  const bool row = a.ndim == 1, column = b.ndim == 1;
  const npy_intp none = 0;
  g.m = row ? 1 : a.shape[a.ndim - 2];
  g.k = a.shape[a.ndim - 1];
  g.n = column ? 1 : b.shape[b.ndim - 1];
  call.a_matrix(a, row ? none : a.strides[a.ndim - 2], a.strides[a.ndim - 1]);
  if (column) {
    call.b_matrix(b, b.strides[0], 0);
  } else {
    call.b_matrix(b, b.strides[b.ndim - 2], b.strides[b.ndim - 1]);
  }
  g.c_rs = g.n;
  if ((column ? b.shape[0] : b.shape[b.ndim - 2]) != g.k) Py_RETURN_NONE;
  npy_intp shape[NPY_MAXDIMS + 2];
  int64_t rows, stride;
  if (b.ndim <= 2 && a.ndim > 2 && folds(a, &rows, &stride)) {
    for (int i = 0; i < a.ndim - 1; ++i) shape[i] = a.shape[i];
    shape[a.ndim - 1] = g.n;
    call.a_matrix(a, stride, a.strides[a.ndim - 1]);
    g.m = rows;
    return finish(call, new_like(a, column ? a.ndim - 1 : a.ndim, shape));
  }
  const int a_batch = a.ndim > 2 ? a.ndim - 2 : 0, b_batch = b.ndim > 2 ? b.ndim - 2 : 0;
  const int batch = a_batch > b_batch ? a_batch : b_batch;
  for (int i = 0; i < batch; ++i) {
    const int ai = i - (batch - a_batch), bi = i - (batch - b_batch);
    const npy_intp from_a = ai < 0 ? 1 : a.shape[ai], from_b = bi < 0 ? 1 : b.shape[bi];
    shape[i] = call.shape[i] = from_a == 1 ? from_b : from_a;
  }
  if (!batch_strides(a, a_batch, batch, call.shape, call.a_batch) ||
      !batch_strides(b, b_batch, batch, call.shape, call.b_batch)) {
    Py_RETURN_NONE;
  }
  g.batch_dims = batch;
  int ndim = batch;
  if (!row) shape[ndim++] = g.m;
  if (!column) shape[ndim++] = g.n;
  PyObject* result = new_like(a, ndim, shape);
  if (!result) return nullptr;
  const npy_intp* strides = PyArray_STRIDES(reinterpret_cast<PyArrayObject*>(result));
  for (int i = 0; i < batch; ++i) call.c_batch[i] = strides[i] / item_size(a.dtype);
  return finish(call, result);
}

namespace {}  // namespace

PyObject* linear_arrays(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array x, w, bias;
  if (!check_count("linear", nargs, 3) || !read_array("linear", "x", args[0], &x) ||
      !read_array("linear", "weight", args[1], &w) ||
      !read_optional("linear", "bias", args[2], &bias)) {
    return nullptr;
  }
  int64_t rows = 1, stride = 0;
  if (x.dtype != w.dtype || !is_float(x.dtype) || x.ndim == 0 || w.ndim != 2 || !is_walkable(x) ||
      !is_walkable(w) || x.shape[x.ndim - 1] != w.shape[1] ||
      (x.ndim > 1 && !folds(x, &rows, &stride)) ||
      (bias.object && (bias.ndim != 1 || bias.shape[0] != w.shape[0] || bias.dtype != x.dtype ||
                       !bias.contiguous))) {
    Py_RETURN_NONE;
  }
  Call call(x.dtype, x.dtype);
  GemmArgs& g = call.g;
  g.m = rows;
  g.k = w.shape[1];
  g.n = w.shape[0];
  g.c_rs = g.n;
  g.bias = bias.data;
  call.a_matrix(x, stride, x.strides[x.ndim - 1]);
  call.b_matrix(w, w.strides[1], w.strides[0]);
  npy_intp shape[NPY_MAXDIMS];
  for (int i = 0; i < x.ndim - 1; ++i) shape[i] = x.shape[i];
  shape[x.ndim - 1] = g.n;
  return finish(call, new_like(x, x.ndim, shape));
}

namespace {

PyMethodDef kFunctions[] = {
    MG_FAST_NAMED("gemm", gemm_arrays,
                  "gemm(out, a, b, alpha, beta, bias, relu): out = alpha a b + beta out + bias"),
    MG_FAST_NAMED("matmul", matmul_arrays,
                  "matmul(a, b): a new array for 1 to n dimensions, or None if it cannot"),
    MG_FAST_NAMED("linear", linear_arrays,
                  "linear(x, weight, bias): x weight^T + bias as a new array, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_gemm(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
