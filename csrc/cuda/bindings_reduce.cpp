// _cuda.reduce(out, second, x, work, kind, axes, number, stream) and reduce_workspace(x, kind,
// axes). Kinds are numbered as KINDS in minigrad/kernels/reduction.py, then argmax and argmin.
#include <algorithm>

#include "cuda/bindings.h"
#include "cuda/kernels_reduce.h"

namespace mg::cuda {
namespace {

enum class Kind {
  kSum,
  kMean,
  kMax,
  kMin,
  kProd,
  kNorm1,
  kNorm2,
  kNormInf,
  kNormLeast,
  kNorm0,
  kCountNonzero,
  kAny,
  kAll,
  kVar,
  kStd,
  kLogSumExp,
  kNanSum,
  kArgMax,
  kArgMin,
  kCount
};

int op_of(Kind kind) {
  constexpr ReduceOp ops[] = {
      ReduceOp::kSum,     ReduceOp::kSum,     ReduceOp::kMax,       ReduceOp::kMin,
      ReduceOp::kProd,    ReduceOp::kAbsSum,  ReduceOp::kSquareSum, ReduceOp::kAbsMax,
      ReduceOp::kAbsMin,  ReduceOp::kNonzero, ReduceOp::kNonzero,   ReduceOp::kNonzero,
      ReduceOp::kNonzero, ReduceOp::kVar,     ReduceOp::kVar,       ReduceOp::kLogSumExp,
      ReduceOp::kNanSum,
  };
  if (kind == Kind::kArgMax) return kReduceArgMax;
  if (kind == Kind::kArgMin) return kReduceArgMin;
  return static_cast<int>(ops[static_cast<int>(kind)]);
}

Finish finish_of(Kind kind, int64_t count, double number) {
  const double size = static_cast<double>(count);
  Finish f = {1, false, Finish::Out::kSame, size};
  if (kind == Kind::kMean) f.scale = 1 / size;
  if (kind == Kind::kVar || kind == Kind::kStd) f.scale = 1 / (size > number ? size - number : 0.0);
  f.root = kind == Kind::kNorm2 || kind == Kind::kStd;
  if (kind == Kind::kCountNonzero) f.out = Finish::Out::kInt64;
  if (kind == Kind::kAny) f.out = Finish::Out::kPositive;
  if (kind == Kind::kAll) f.out = Finish::Out::kAtLeast;
  return f;
}

void append(const Call& call, Dims* dims, int64_t extent, int64_t stride) {
  dims->size *= extent;
  if (extent == 1) return;
  int& n = dims->ndim;
  if (n > 0 && dims->stride[n - 1] == stride * extent) {
    dims->shape[n - 1] *= extent;
    dims->stride[n - 1] = stride;
    return;
  }
  if (n == kWalkDims) {
    call.fail(PyExc_ValueError, "x has more than %d dimensions that cannot be merged", kWalkDims);
  }
  dims->shape[n] = extent;
  dims->stride[n++] = stride;
}

// x's dimensions as those that stay and those that are reduced, in their order.
void divide(const Call& call, const Array& x, PyObject* axes, ReduceCall* c) {
  bool reduced[kMaxDims] = {};
  if (!PyTuple_Check(axes)) call.fail(PyExc_TypeError, "axes must be a tuple of integers");
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(axes); ++i) {
    const long long axis = PyLong_AsLongLong(PyTuple_GET_ITEM(axes, i));
    if (axis == -1 && PyErr_Occurred()) throw PythonError{};
    if (axis < 0 || axis >= x.ndim || reduced[axis]) {
      call.fail(PyExc_ValueError, "axis %lld was given for x %s; each must be there, once", axis,
                describe(x).c_str());
    }
    reduced[axis] = true;
  }
  for (Dims* dims : {&c->kept, &c->reduced}) {
    dims->ndim = 0;
    dims->size = 1;
    for (int d = 0; d < x.ndim; ++d) {
      if (reduced[d] == (dims == &c->reduced)) append(call, dims, x.shape[d], x.strides[d]);
    }
    if (dims->ndim > 1 && dims->size >= INT64_C(1) << 31) {
      call.fail(PyExc_ValueError,
                "x is %s; dimensions that cannot be merged may have 2^31 elements",
                describe(x).c_str());
    }
    if (dims->ndim == 0) {
      dims->shape[0] = dims->size;
      dims->stride[dims->ndim++] = 1;
    }
  }
}

DType out_type(const ReduceCall& c) {
  if (c.finish.out == Finish::Out::kSame) return c.type;
  return c.finish.out == Finish::Out::kInt64 ? DType::kInt64 : DType::kBool;
}

Kind read_kind(Call& call) {
  return static_cast<Kind>(call.integer("kind", 0, static_cast<int64_t>(Kind::kCount) - 1));
}

PyObject* reduce(PyObject* const* args, Py_ssize_t count) {
  Call call("reduce", args, count, 8);
  const Array out = call.optional("out"), second = call.optional("second"), x = call.array("x");
  const Array work = call.optional("work");
  const Kind kind = read_kind(call);
  PyObject* axes = call.object();
  ReduceCall c = {};
  c.op = op_of(kind);
  c.type = x.dtype;
  c.x = x.data;
  divide(call, x, axes, &c);
  c.finish = finish_of(kind, c.reduced.size, call.number("number"));
  const bool floating = x.dtype >= DType::kFloat16 && x.dtype <= DType::kFloat64;
  if (!floating && (x.dtype != DType::kBool || c.finish.out == Finish::Out::kSame)) {
    call.fail(PyExc_TypeError,
              "x is %s; it must have a floating-point type (or be bool, to be "
              "counted)",
              describe(x).c_str());
  }
  const bool index = c.op >= kReduceArgMax;
  if (c.reduced.size == 0 && (index || kind == Kind::kMax || kind == Kind::kMin ||
                              kind == Kind::kNormInf || kind == Kind::kNormLeast)) {
    call.fail(PyExc_ValueError, "x is %s; what is reduced must have elements", describe(x).c_str());
  }
  if (out.given || !index) {
    call.need_dtype("out", out, index ? x.dtype : out_type(c));
    call.need_contiguous("out", out);
    if (out.size != c.kept.size) {
      call.fail(PyExc_ValueError, "out is %s; it must have %lld elements", describe(out).c_str(),
                static_cast<long long>(c.kept.size));
    }
  }
  if (second.given || index) {
    call.need_dtype("second", second, index ? DType::kInt64 : x.dtype);
    call.need_contiguous("second", second);
    if (second.size != c.kept.size) {
      call.fail(PyExc_ValueError, "second is %s; it must have %lld elements",
                describe(second).c_str(), static_cast<long long>(c.kept.size));
    }
  }
  call.need_workspace(work, reduce_workspace(c));
  c.out = out.data;
  c.second = second.data;
  c.work = work.data;
  const Stream stream = call.stream();
  return call.launch([&] { return reduce(c, stream); });
}

PyObject* reduce_workspace(PyObject* const* args, Py_ssize_t count) {
  Call call("reduce_workspace", args, count, 3);
  const Array x = call.array("x");
  ReduceCall c = {};
  c.op = op_of(read_kind(call));
  c.type = x.dtype;
  c.x = x.data;
  call.item(x);
  divide(call, x, call.object(), &c);
  return PyLong_FromLongLong(reduce_workspace(c));
}

}  // namespace

PyMethodDef kReduceFunctions[] = {
    MG_CUDA_FUNCTION(reduce, "reduce(out, second, x, work, kind, axes, number, stream)"),
    MG_CUDA_FUNCTION(reduce_workspace, "reduce_workspace(x, kind, axes): bytes"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
