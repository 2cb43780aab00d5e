// _cuda.philox_mask and philox_dropout: dropout from the counter-based stream.
#include "cuda/bindings.h"
#include "cuda/kernels_dropout.h"

namespace mg::cuda {
namespace {

uint64_t read_word(Call& call, const char* name) {
  PyObject* object = call.object();
  if (!PyLong_Check(object)) {
    call.fail(PyExc_TypeError, "%s is %.80s; it must be an int", name, Py_TYPE(object)->tp_name);
  }
  const uint64_t value = PyLong_AsUnsignedLongLongMask(object);
  if (value == static_cast<uint64_t>(-1) && PyErr_Occurred()) throw PythonError{};
  return value;
}

// seed, offset, keep; the probability to stay in steps of 2^-32.
void read_stream(Call& call, DropoutCall* c) {
  c->mask.seed = read_word(call, "seed");
  if (PyLong_Check(call.peek())) {
    c->mask.offset = read_word(call, "offset");
  } else {
    const Array offset = call.contiguous("offset");
    call.need_dtype("offset", offset, DType::kInt64);
    if (offset.size != 1) {
      call.fail(PyExc_ValueError, "offset is %s; it must have one element",
                describe(offset).c_str());
    }
    c->offsets = offset.as<int64_t>();
  }
  const double p = call.number("keep");
  const uint64_t threshold = !(p > 0) ? 0
                             : p >= 1 ? uint64_t{1} << 32
                                      : static_cast<uint64_t>(p * 0x1p32);
  c->none = threshold == 0;
  c->mask.limit = threshold ? static_cast<uint32_t>(threshold - 1) : 0;
}

PyObject* philox_mask(PyObject* const* args, Py_ssize_t count) {
  Call call("philox_mask", args, count, 5);
  const Array out = call.contiguous("out");
  call.need_dtype("out", out, DType::kBool);
  DropoutCall c = {};
  c.n = out.size;
  read_stream(call, &c);
  const Stream stream = call.stream();
  return call.launch([&] { return mask(out.as<uint8_t>(), c, stream); });
}

PyObject* philox_dropout(PyObject* const* args, Py_ssize_t count) {
  Call call("philox_dropout", args, count, 9);
  const Array out = call.contiguous("out"), x = call.contiguous("x");
  call.need_same_shape("out", out, "x", x);
  call.need_dtype("out", out, x.dtype);
  if (x.dtype < DType::kFloat16 || x.dtype > DType::kFloat64) {
    call.fail(PyExc_TypeError, "x is %s; it must have a floating-point type", describe(x).c_str());
  }
  DropoutCall c = {};
  c.type = x.dtype;
  c.n = x.size;
  read_stream(call, &c);
  c.scale.scale = call.number("scale");
  c.scale.kept = call.number("kept");
  c.scale.dropped = call.number("dropped");
  const float scale = static_cast<float>(c.scale.scale);  // rounded to x's type, as on the CPU
  if (x.dtype == DType::kFloat16) c.scale.scale = to_float(to_half(scale));
  if (x.dtype == DType::kBFloat16) c.scale.scale = to_float(to_bfloat16(scale));
  const Stream stream = call.stream();
  return call.launch([&] { return dropout(out.data, x.data, c, stream); });
}

}  // namespace

PyMethodDef kDropoutFunctions[] = {
    MG_CUDA_FUNCTION(philox_mask, "philox_mask(out, seed, offset, keep, stream)"),
    MG_CUDA_FUNCTION(philox_dropout,
                     "philox_dropout(out, x, seed, offset, keep, scale, kept, dropped, stream)"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
