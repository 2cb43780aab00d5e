// _cuda.gemm and _cuda.gemm_workspace.
#include "cuda/bindings.h"

namespace mg::cuda {
namespace {

// A product with room for the strides of its batch.
struct Product {
  GemmArgs g = {};
  DType operands, result;
  int64_t shape[kMaxDims], a_batch[kMaxDims], b_batch[kMaxDims], c_batch[kMaxDims];
};

// The batch of `x` broadcast to `dims` leading dimensions of `shape`; false if it does not fit.
bool batch_strides(const Array& x, int dims, const int64_t* shape, int64_t* strides) {
  const int own = x.ndim - 2;
  if (own > dims) return false;
  for (int i = 0; i < dims; ++i) {
    const int at = i - (dims - own);
    strides[i] = at < 0 || x.shape[at] == 1 ? 0 : x.strides[at];
    if (at >= 0 && x.shape[at] != 1 && x.shape[at] != shape[i]) return false;
  }
  return true;
}

void fill(const Call& call, const Array& out, const Array& a, const Array& b, Product* p) {
  const auto is_float = [](DType t) {
    return t == DType::kFloat32 || t == DType::kFloat64 || t == DType::kFloat16 ||
           t == DType::kBFloat16;
  };
  if (!is_float(a.dtype) || a.dtype != b.dtype ||
      (out.dtype != a.dtype && (out.dtype != DType::kFloat32 || item_size(a.dtype) != 2))) {
    call.fail(PyExc_TypeError,
              "out is %s, a is %s and b is %s; a and b must be of one floating-point dtype and out "
              "of the same, or float32 for 16-bit operands",
              describe(out).c_str(), describe(a).c_str(), describe(b).c_str());
  }
  const int batch = out.ndim - 2;
  if (batch < 0 || a.ndim < 2 || b.ndim < 2 || a.shape[a.ndim - 1] != b.shape[b.ndim - 2] ||
      out.shape[batch] != a.shape[a.ndim - 2] || out.shape[batch + 1] != b.shape[b.ndim - 1]) {
    call.fail(PyExc_ValueError,
              "out is %s, a is %s and b is %s; they must be (..., m, n), (..., m, k) and "
              "(..., k, n)",
              describe(out).c_str(), describe(a).c_str(), describe(b).c_str());
  }
  p->operands = a.dtype;
  p->result = out.dtype;
  for (int i = 0; i < batch; ++i) {
    p->shape[i] = out.shape[i];
    p->c_batch[i] = out.strides[i];
  }
  if (!batch_strides(a, batch, p->shape, p->a_batch) ||
      !batch_strides(b, batch, p->shape, p->b_batch)) {
    call.fail(PyExc_ValueError,
              "out is %s, a is %s and b is %s; the batches of a and b must broadcast to out's",
              describe(out).c_str(), describe(a).c_str(), describe(b).c_str());
  }
  if (out.shape[batch + 1] > 1 && out.size > 0 && out.strides[batch + 1] != 1) {
    call.fail(PyExc_ValueError, "out is %s; its rows must be contiguous", describe(out).c_str());
  }
  GemmArgs& g = p->g;
  g.c = out.data;
  g.a = a.data;
  g.b = b.data;
  g.m = out.shape[batch];
  g.n = out.shape[batch + 1];
  g.k = a.shape[a.ndim - 1];
  // A stride along a dimension of size 1 means nothing; 1 lets the kernel see a contiguous row.
  g.a_rs = g.m == 1 ? g.k : a.strides[a.ndim - 2];
  g.a_cs = g.k == 1 ? 1 : a.strides[a.ndim - 1];
  g.b_rs = g.k == 1 ? g.n : b.strides[b.ndim - 2];
  g.b_cs = g.n == 1 && g.b_rs != 1 ? 1 : b.strides[b.ndim - 1];
  g.c_rs = out.strides[batch];
  g.batch_dims = batch;
  g.batch_shape = p->shape;
  g.a_batch = p->a_batch;
  g.b_batch = p->b_batch;
  g.c_batch = p->c_batch;
  g.alpha = 1;
}

PyObject* gemm(PyObject* const* args, Py_ssize_t count) {
  Call call("gemm", args, count, 10);
  const Array out = call.array("out"), a = call.array("a"), b = call.array("b");
  Product p;
  fill(call, out, a, b, &p);
  p.g.alpha = call.number("alpha");
  p.g.beta = call.number("beta");
  const Array bias = call.optional("bias");
  p.g.relu = call.boolean("relu");
  const bool tf32 = call.boolean("tf32");
  const Array workspace = call.optional("workspace");
  const Stream stream = call.stream();
  if (bias.given &&
      (bias.ndim != 1 || bias.shape[0] != p.g.n || bias.dtype != out.dtype || !bias.contiguous)) {
    call.fail(PyExc_ValueError, "bias is %s and out is %s; bias must be (n,), contiguous",
              describe(bias).c_str(), describe(out).c_str());
  }
  p.g.bias = bias.data;
  if (workspace.given) {
    call.need_workspace(workspace, 1);
    p.g.workspace = workspace.data;
    p.g.workspace_bytes = workspace.size * item_size(workspace.dtype);
  }
  return call.launch([&] { return cuda::gemm(p.g, p.operands, p.result, tf32, stream); });
}

PyObject* gemm_workspace(PyObject* const* args, Py_ssize_t count) {
  Call call("gemm_workspace", args, count, 3);
  const Array out = call.array("out"), a = call.array("a"), b = call.array("b");
  Product p;
  fill(call, out, a, b, &p);
  return PyLong_FromLongLong(cuda::gemm_workspace(p.g, p.operands));
}

}  // namespace

PyMethodDef kGemmFunctions[] = {
    MG_CUDA_FUNCTION(gemm,
                     "gemm(out, a, b, alpha, beta, bias, relu, tf32, workspace, stream): out = "
                     "alpha a b + beta out + bias"),
    MG_CUDA_FUNCTION(gemm_workspace, "gemm_workspace(out, a, b): bytes that help gemm, or 0"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
