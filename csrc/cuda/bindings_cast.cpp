// _cuda.cast(out, src, stream).
#include "cuda/bindings.h"

namespace mg::cuda {
namespace {

PyObject* cast(PyObject* const* args, Py_ssize_t count) {
  Call call("cast", args, count, 3);
  const Array out = call.contiguous("out"), src = call.contiguous("src");
  const Stream stream = call.stream();
  call.need_same_shape("out", out, "src", src);
  const int64_t n = src.size;
  if (out.dtype == DType::kFloat16 && src.dtype == DType::kFloat32) {
    return call.launch([&] { return float_to_half(out.as<half>(), src.as<float>(), n, stream); });
  }
  if (out.dtype == DType::kFloat32 && src.dtype == DType::kFloat16) {
    return call.launch([&] { return half_to_float(out.as<float>(), src.as<half>(), n, stream); });
  }
  if (out.dtype == DType::kBFloat16 && src.dtype == DType::kFloat32) {
    return call.launch(
        [&] { return float_to_bfloat16(out.as<bfloat16>(), src.as<float>(), n, stream); });
  }
  if (out.dtype == DType::kFloat32 && src.dtype == DType::kBFloat16) {
    return call.launch(
        [&] { return bfloat16_to_float(out.as<float>(), src.as<bfloat16>(), n, stream); });
  }
  call.fail(PyExc_TypeError,
            "out is %s and src is %s; one must be float32, the other float16 or bfloat16",
            describe(out).c_str(), describe(src).c_str());
}

}  // namespace

PyMethodDef kCastFunctions[] = {
    MG_CUDA_FUNCTION(cast, "cast(out, src, stream): float32 to or from float16 or bfloat16"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
