// _cuda.attention and _cuda.attention_backward.
#include "cuda/bindings.h"

namespace mg::cuda {
namespace {

struct Inputs {
  AttentionArgs args = {};
  DType dtype, mask = DType::kFloat32;
};

AttentionOperand operand_of(const Array& x) {
  AttentionOperand operand = {};
  const int dims = x.ndim - 2;
  operand.data = x.as<float>();
  operand.row = x.strides[dims];
  for (int i = 0; i < dims; ++i) operand.batch[i] = x.shape[i] == 1 ? 0 : x.strides[i];
  return operand;
}

// (..., rows, columns) of the operands' type, with neighbouring elements in its rows.
void need_operand(const Call& call, const char* name, const Array& x, const Inputs& in,
                  int64_t rows, int64_t columns) {
  const int dims = in.args.dims;
  bool fits = x.dtype == in.dtype && x.ndim == dims + 2;
  for (int i = 0; fits && i < dims; ++i) fits = x.shape[i] == in.args.shape[i];
  fits = fits && x.shape[dims] == rows && x.shape[dims + 1] == columns &&
         (columns == 1 || x.strides[dims + 1] == 1);
  if (!fits) {
    call.fail(PyExc_ValueError,
              "%s is %s; it must be of the queries' type and batch, with %lld rows of %lld "
              "neighbouring elements",
              name, describe(x).c_str(), static_cast<long long>(rows),
              static_cast<long long>(columns));
  }
}

void read_mask(const Call& call, const Array& m, Inputs* in) {
  AttentionArgs& a = in->args;
  if (!m.given) return;
  const bool boolean = m.dtype == DType::kBool;
  if (!boolean && m.dtype != DType::kFloat32 && m.dtype != in->dtype) {
    call.fail(PyExc_TypeError, "mask is %s; it must be bool, float32 or of the queries' type",
              describe(m).c_str());
  }
  const int all = a.dims + 2;
  int64_t strides[kAttentionDims + 2] = {};
  bool fits = m.ndim <= all;
  for (int i = 0; fits && i < m.ndim; ++i) {
    const int at = all - m.ndim + i;
    const int64_t size = at < a.dims ? a.shape[at] : at == a.dims ? a.queries : a.keys;
    fits = m.shape[i] == 1 || m.shape[i] == size;
    if (m.shape[i] != 1) strides[at] = m.strides[i];
  }
  if (!fits) {
    call.fail(PyExc_ValueError, "mask is %s; it must broadcast to (..., %lld, %lld)",
              describe(m).c_str(), static_cast<long long>(a.queries),
              static_cast<long long>(a.keys));
  }
  a.mask_kind = boolean ? AttentionMask::kBool : AttentionMask::kFloat;
  a.mask = m.data;
  in->mask = m.dtype;
  for (int i = 0; i < a.dims; ++i) a.mask_batch[i] = strides[i];
  a.mask_row = strides[a.dims];
  a.mask_column = strides[a.dims + 1];
}

// q, k, v and the mask, which stand one after the other.
void read_inputs(Call* call, Inputs* in) {
  const Array q = call->array("q"), k = call->array("k"), v = call->array("v");
  const Array mask = call->optional("mask");
  AttentionArgs& a = in->args;
  in->dtype = q.dtype;
  a.dims = q.ndim - 2;
  if (a.dims < 0 || a.dims > kAttentionDims || k.ndim != q.ndim || v.ndim != q.ndim ||
      q.size == 0 || k.size == 0 || v.size == 0) {
    call->fail(PyExc_ValueError,
               "q is %s, k is %s and v is %s; they must have as many dimensions, from 2 to 8, and "
               "elements",
               describe(q).c_str(), describe(k).c_str(), describe(v).c_str());
  }
  a.count = 1;
  for (int i = 0; i < a.dims; ++i) a.count *= a.shape[i] = q.shape[i];
  a.queries = q.shape[a.dims];
  a.width = q.shape[a.dims + 1];
  a.keys = k.shape[a.dims];
  a.value_width = v.shape[a.dims + 1];
  need_operand(*call, "q", q, *in, a.queries, a.width);
  need_operand(*call, "k", k, *in, a.keys, a.width);
  need_operand(*call, "v", v, *in, a.keys, a.value_width);
  a.q = operand_of(q);
  a.k = operand_of(k);
  a.v = operand_of(v);
  read_mask(*call, mask, in);
  if (!attention_takes(a, in->dtype)) {
    call->fail(
        PyExc_ValueError,
        "q is %s and v is %s; they must be float32, float16 or bfloat16 with rows of at most "
        "128 elements (before capability 8.0, float32 with at most 64)",
        describe(q).c_str(), describe(v).c_str());
  }
}

void read_stats(const Call& call, const Array& stats, Inputs* in) {
  call.need_dtype("stats", stats, DType::kFloat32);
  call.need_contiguous("stats", stats);
  AttentionArgs& a = in->args;
  if (stats.size != 2 * a.count * a.queries) {
    call.fail(PyExc_ValueError, "stats is %s; it must have two values for each of %lld queries",
              describe(stats).c_str(), static_cast<long long>(a.count * a.queries));
  }
  a.top = stats.as<float>();
  a.inverse = a.top + a.count * a.queries;
}

PyObject* attention(PyObject* const* args, Py_ssize_t count) {
  Call call("attention", args, count, 9);
  Inputs in;
  const Array out = call.array("out"), stats = call.array("stats");
  read_inputs(&call, &in);
  in.args.causal = call.boolean("causal");
  in.args.scale = static_cast<float>(call.number("scale"));
  const Stream stream = call.stream();
  need_operand(call, "out", out, in, in.args.queries, in.args.value_width);
  in.args.out = operand_of(out);
  read_stats(call, stats, &in);
  return call.launch([&] { return attention_forward(in.args, in.dtype, in.mask, stream); });
}

PyObject* attention_backward(PyObject* const* args, Py_ssize_t count) {
  Call call("attention_backward", args, count, 14);
  Inputs in;
  AttentionArgs& a = in.args;
  const Array dq = call.optional("dq"), dk = call.optional("dk"), dv = call.optional("dv");
  const Array grad = call.array("grad");
  read_inputs(&call, &in);
  const Array out = call.array("out"), stats = call.array("stats");
  a.causal = call.boolean("causal");
  a.scale = static_cast<float>(call.number("scale"));
  const Array workspace = call.array("workspace");
  const Stream stream = call.stream();
  need_operand(call, "out", out, in, a.queries, a.value_width);
  need_operand(call, "grad", grad, in, a.queries, a.value_width);
  a.out = operand_of(out);
  a.grad = operand_of(grad);
  read_stats(call, stats, &in);
  if (dq.given) {
    need_operand(call, "dq", dq, in, a.queries, a.width);
    a.dq = operand_of(dq);
  }
  if (dk.given) {
    need_operand(call, "dk", dk, in, a.keys, a.width);
    a.dk = operand_of(dk);
  }
  if (dv.given) {
    need_operand(call, "dv", dv, in, a.keys, a.value_width);
    a.dv = operand_of(dv);
  }
  call.need_workspace(workspace, a.count * a.queries * 4);
  a.workspace = workspace.data;
  return call.launch([&] { return cuda::attention_backward(a, in.dtype, in.mask, stream); });
}

}  // namespace

PyMethodDef kAttentionFunctions[] = {
    MG_CUDA_FUNCTION(attention,
                     "attention(out, stats, q, k, v, mask, causal, scale, stream): stats (2, "
                     "matrices, queries)"),
    MG_CUDA_FUNCTION(attention_backward,
                     "attention_backward(dq, dk, dv (or None), grad, q, k, v, mask, out, stats, "
                     "causal, scale, workspace, stream): a workspace of 4 bytes a query"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
