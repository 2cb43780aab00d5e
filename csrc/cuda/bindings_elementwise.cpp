// _cuda.unary, binary, compare, where, ternary, copy and fill: operands of any strides, broadcast
// to the shape of `out`. Operations are numbered as in csrc/kernels/elementwise.h.
#include <algorithm>

#include "cuda/bindings.h"
#include "cuda/kernels_elementwise.h"

namespace mg::cuda {
namespace {

// An input: an array, or a Python number that is converted to the computing type.
struct Operand {
  Array array;
  double number = 0;
};

Operand operand(Call& call, const char* name) {
  PyObject* object = call.peek();
  Operand result;
  if (PyFloat_Check(object) || PyLong_Check(object)) {
    result.number = call.number(name);
  } else {
    result.array = call.array(name);
  }
  return result;
}

FloatType float_type(const Call& call, const char* name, DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return FloatType::kFloat32;
    case DType::kFloat64:
      return FloatType::kFloat64;
    case DType::kFloat16:
      return FloatType::kFloat16;
    case DType::kBFloat16:
      return FloatType::kBFloat16;
    default:
      call.fail(PyExc_TypeError,
                "%s has no floating-point type; it must be float16, bfloat16, "
                "float32 or float64",
                name);
  }
}

void read_params(const Call& call, PyObject* numbers, double (&params)[3]) {
  const Py_ssize_t n = PyTuple_Check(numbers) ? PyTuple_GET_SIZE(numbers) : -1;
  if (n < 0 || n > 3) {
    call.fail(PyExc_TypeError, "numbers is %.80s; it must be a tuple of at most 3 numbers",
              Py_TYPE(numbers)->tp_name);
  }
  std::fill_n(params, 3, 0.0);
  for (Py_ssize_t i = 0; i < n; ++i) {
    params[i] = PyFloat_AsDouble(PyTuple_GET_ITEM(numbers, i));
    if (params[i] == -1 && PyErr_Occurred()) throw PythonError{};
  }
}

// The walk of `out` and inputs that broadcast to it: dimensions from the largest stride of the
// result to its smallest, merged where all operands allow it.
template <int kInputs>
MapCall<kInputs> plan(const Call& call, const Array& out, const Operand (&in)[kInputs]) {
  int64_t stride[kInputs + 1][kMaxDims] = {};
  int order[kMaxDims];
  for (int d = 0; d < out.ndim; ++d) {
    order[d] = d;
    stride[0][d] = out.strides[d];
    for (int k = 0; k < kInputs; ++k) {
      const Array& a = in[k].array;
      const int at = d - (out.ndim - a.ndim);
      if (at < 0) continue;
      if (a.shape[at] != out.shape[d] && a.shape[at] != 1) {
        call.fail(PyExc_ValueError, "out is %s and an operand is %s; it must broadcast to out",
                  describe(out).c_str(), describe(a).c_str());
      }
      if (a.shape[at] != 1) stride[k + 1][d] = a.strides[at];
    }
  }
  for (int k = 0; k < kInputs; ++k) {
    if (in[k].array.ndim <= out.ndim) continue;
    call.fail(PyExc_ValueError, "out is %s and an operand is %s; it must broadcast to out",
              describe(out).c_str(), describe(in[k].array).c_str());
  }
  std::stable_sort(order, order + out.ndim,
                   [&](int a, int b) { return std::abs(stride[0][a]) > std::abs(stride[0][b]); });
  MapCall<kInputs> map = {};
  map.out = out.data;
  auto& w = map.walk;
  w.size = out.size;
  for (int i = 0; i < out.ndim; ++i) {
    const int d = order[i];
    const int64_t extent = out.shape[d];
    if (extent == 1) continue;
    if (w.size > 0 && stride[0][d] == 0) {
      call.fail(PyExc_ValueError, "out is %s with repeated elements; each must have its own place",
                describe(out).c_str());
    }
    bool joins = w.ndim > 0;
    for (int k = 0; joins && k <= kInputs; ++k) {
      joins = w.stride[k][w.ndim - 1] == stride[k][d] * extent;
    }
    if (!joins && w.ndim == kWalkDims) {
      call.fail(PyExc_ValueError, "the operands have more than %d dimensions that cannot be merged",
                kWalkDims);
    }
    if (!joins) w.shape[w.ndim++] = 1;
    w.shape[w.ndim - 1] *= extent;
    for (int k = 0; k <= kInputs; ++k) w.stride[k][w.ndim - 1] = stride[k][d];
  }
  if (w.ndim == 0) {
    w.ndim = 1;
    w.shape[0] = w.size;
    w.stride[0][0] = 1;
  }
  for (int k = 0; k < kInputs; ++k) {
    map.in[k] = in[k].array.given ? in[k].array.data : nullptr;
    map.number[k] = in[k].number;
  }
  return map;
}

void need_types(const Call& call, const Array& like, const char* name, const Operand& operand) {
  if (operand.array.given) call.need_dtype(name, operand.array, like.dtype);
}

PyObject* unary(PyObject* const* args, Py_ssize_t count) {
  Call call("unary", args, count, 5);
  const Array out = call.array("out");
  const Operand in[] = {{call.array("x"), 0}};
  const auto op =
      static_cast<UnaryOp>(call.integer("op", 0, static_cast<int64_t>(UnaryOp::kCount) - 1));
  const FloatType type = float_type(call, "out", out.dtype);
  need_types(call, out, "x", in[0]);
  MapCall<1> map = plan(call, out, in);
  read_params(call, call.object(), map.params);
  const Stream stream = call.stream();
  return call.launch([&] { return unary(op, type, map, stream); });
}

PyObject* binary(PyObject* const* args, Py_ssize_t count) {
  Call call("binary", args, count, 6);
  const Array out = call.array("out");
  const Operand x = operand(call, "x"), y = operand(call, "y");
  const auto op =
      static_cast<BinaryOp>(call.integer("op", 0, static_cast<int64_t>(BinaryOp::kCount) - 1));
  const FloatType type = float_type(call, "out", out.dtype);
  need_types(call, out, "x", x);
  need_types(call, out, "y", y);
  MapCall<2> map = plan(call, out, {x, y});
  read_params(call, call.object(), map.params);
  const Stream stream = call.stream();
  return call.launch([&] { return binary(op, type, map, stream); });
}

PyObject* compare(PyObject* const* args, Py_ssize_t count) {
  Call call("compare", args, count, 5);
  const Array out = call.array("out");
  call.need_dtype("out", out, DType::kBool);
  const Operand x = operand(call, "x"), y = operand(call, "y");
  const Array& like = x.array.given ? x.array : y.array;
  if (!like.given) call.fail(PyExc_TypeError, "two numbers were given; one must be an array");
  const auto op =
      static_cast<CompareOp>(call.integer("op", 0, static_cast<int64_t>(CompareOp::kCount) - 1));
  const FloatType type = float_type(call, "an operand", like.dtype);
  need_types(call, like, "y", y);
  const MapCall<2> map = plan(call, out, {x, y});
  const Stream stream = call.stream();
  return call.launch([&] { return compare(op, type, map, stream); });
}

PyObject* where(PyObject* const* args, Py_ssize_t count) {
  Call call("where", args, count, 5);
  const Array out = call.array("out");
  const Operand in[] = {{call.array("mask"), 0}, {call.array("x"), 0}, {call.array("y"), 0}};
  call.need_dtype("mask", in[0].array, DType::kBool);
  need_types(call, out, "x", in[1]);
  need_types(call, out, "y", in[2]);
  const int64_t item = call.item(out);
  const MapCall<3> map = plan(call, out, in);
  const Stream stream = call.stream();
  return call.launch([&] { return where(item, map, stream); });
}

PyObject* ternary(PyObject* const* args, Py_ssize_t count) {
  Call call("ternary", args, count, 7);
  const Array out = call.array("out");
  const Operand x = operand(call, "x"), a = operand(call, "a"), b = operand(call, "b");
  const auto op =
      static_cast<TernaryOp>(call.integer("op", 0, static_cast<int64_t>(TernaryOp::kCount) - 1));
  const FloatType type = float_type(call, "out", out.dtype);
  need_types(call, out, "x", x);
  need_types(call, out, "a", a);
  need_types(call, out, "b", b);
  MapCall<3> map = plan(call, out, {x, a, b});
  map.params[0] = call.number("number");
  const Stream stream = call.stream();
  return call.launch([&] { return ternary(op, type, map, stream); });
}

PyObject* copy(PyObject* const* args, Py_ssize_t count) {
  Call call("copy", args, count, 3);
  const Array out = call.array("out");
  const Operand in[] = {{call.array("x"), 0}};
  need_types(call, out, "x", in[0]);
  const int64_t item = call.item(out);
  const MapCall<1> map = plan(call, out, in);
  const Stream stream = call.stream();
  return call.launch([&] { return copy(item, map, stream); });
}

// The bytes of a number as an element of a type.
void to_bytes(double x, int64_t integer, DType dtype, void* bytes) {
  const float single = static_cast<float>(x);
  switch (dtype) {
    case DType::kFloat64:
      memcpy(bytes, &x, 8);
      break;
    case DType::kFloat32:
      memcpy(bytes, &single, 4);
      break;
    case DType::kFloat16: {
      const half h = to_half(single);
      memcpy(bytes, &h, 2);
      break;
    }
    case DType::kBFloat16: {
      const bfloat16 h = to_bfloat16(single);
      memcpy(bytes, &h, 2);
      break;
    }
    default:  // the low bytes come first
      if (dtype == DType::kBool) integer = integer != 0;
      memcpy(bytes, &integer, 8);
  }
}

PyObject* fill(PyObject* const* args, Py_ssize_t count) {
  Call call("fill", args, count, 3);
  const Array out = call.array("out");
  const int64_t item = call.item(out);
  const bool floating = out.dtype >= DType::kFloat16 && out.dtype <= DType::kFloat64;
  unsigned char bytes[8];
  if (floating) {
    to_bytes(call.number("value"), 0, out.dtype, bytes);
  } else {
    to_bytes(0, call.integer("value"), out.dtype, bytes);
  }
  const MapCall<1> map = plan(call, out, {Operand()});
  const Stream stream = call.stream();
  return call.launch([&] { return fill(item, map, bytes, stream); });
}

}  // namespace

PyMethodDef kElementwiseFunctions[] = {
    MG_CUDA_FUNCTION(unary, "unary(out, x, op, numbers, stream)"),
    MG_CUDA_FUNCTION(binary, "binary(out, x, y, op, numbers, stream); x or y may be a number"),
    MG_CUDA_FUNCTION(compare, "compare(out, x, y, op, stream); x or y may be a number"),
    MG_CUDA_FUNCTION(where, "where(out, mask, x, y, stream)"),
    MG_CUDA_FUNCTION(ternary, "ternary(out, x, a, b, op, number, stream); any may be a number"),
    MG_CUDA_FUNCTION(copy, "copy(out, x, stream): any strides, one dtype"),
    MG_CUDA_FUNCTION(fill, "fill(out, value, stream)"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
