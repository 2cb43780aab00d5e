// _cuda.max_pool2d, avg_pool2d, adaptive ones, and their gradients, for contiguous (N, C, H, W).
#include "cuda/bindings.h"
#include "cuda/kernels_pool.h"

namespace mg::cuda {
namespace {

// `large` has the planes, `small` the windows.
PoolShape read_planes(const Call& call, const Array& out, const Array& large, const Array& small) {
  call.need_dtype("out", out, &out == &large ? small.dtype : large.dtype);
  if (out.dtype < DType::kFloat16 || out.dtype > DType::kFloat64) {
    call.fail(PyExc_TypeError, "out is %s; it must have a floating-point type",
              describe(out).c_str());
  }
  if (large.ndim != 4 || small.ndim != 4 || large.shape[0] != small.shape[0] ||
      large.shape[1] != small.shape[1] || large.shape[2] * large.shape[3] >= INT32_MAX ||
      small.shape[2] * small.shape[3] >= INT32_MAX) {
    call.fail(PyExc_ValueError,
              "planes are %s and windows %s; they must be (N, C, H, W) and "
              "(N, C, P, Q), with fewer than 2^31 elements a plane",
              describe(large).c_str(), describe(small).c_str());
  }
  PoolShape s = {};
  s.planes = large.shape[0] * large.shape[1];
  s.h = large.shape[2];
  s.w = large.shape[3];
  s.p = small.shape[2];
  s.q = small.shape[3];
  s.dilation_h = s.dilation_w = s.stride_h = s.stride_w = 1;
  return s;
}

constexpr int64_t kMost = 1 << 24;

void read_sizes(Call& call, PoolShape* s, bool dilation, int64_t least = 1) {
  s->kernel_h = call.integer("kernel", least, kMost);
  s->kernel_w = call.integer("kernel", least, kMost);
  s->stride_h = call.integer("stride", 1, kMost);
  s->stride_w = call.integer("stride", 1, kMost);
  s->pad_h = call.integer("padding", 0, kMost);
  s->pad_w = call.integer("padding", 0, kMost);
  if (!dilation) return;
  s->dilation_h = call.integer("dilation", 1, kMost);
  s->dilation_w = call.integer("dilation", 1, kMost);
}

Array read_index(Call& call, bool needed) {
  const Array index = needed ? call.contiguous("index") : call.optional("index");
  if (index.given) {
    call.need_dtype("index", index, DType::kInt32);
    call.need_contiguous("index", index);
  }
  return index;
}

PyObject* max_pool2d(PyObject* const* args, Py_ssize_t count) {
  Call call("max_pool2d", args, count, 12);
  const Array out = call.contiguous("out"), index = read_index(call, false);
  const Array x = call.contiguous("x");
  PoolShape s = read_planes(call, out, x, out);
  read_sizes(call, &s, true);
  if (index.given) call.need_same_shape("index", index, "out", out);
  const Stream stream = call.stream();
  return call.launch(
      [&] { return max_pool(out.data, index.as<int32_t>(), x.data, x.dtype, s, stream); });
}

PyObject* max_pool2d_backward(PyObject* const* args, Py_ssize_t count) {
  Call call("max_pool2d_backward", args, count, 12);
  const Array out = call.contiguous("out"), grad = call.contiguous("grad");
  const Array index = read_index(call, true);
  PoolShape s = read_planes(call, out, out, grad);
  read_sizes(call, &s, true, 0);
  call.need_same_shape("index", index, "grad", grad);
  const Stream stream = call.stream();
  return call.launch([&] {
    return max_pool_backward(out.data, grad.data, index.as<int32_t>(), grad.dtype, s, stream);
  });
}

PyObject* avg_pool2d(PyObject* const* args, Py_ssize_t count) {
  Call call("avg_pool2d", args, count, 11);
  const Array out = call.contiguous("out"), x = call.contiguous("x");
  PoolShape s = read_planes(call, out, x, out);
  read_sizes(call, &s, false);
  const bool pad = call.boolean("pad");
  const int64_t divisor = call.integer("divisor");
  const Stream stream = call.stream();
  return call.launch([&] { return avg_pool(out.data, x.data, x.dtype, s, pad, divisor, stream); });
}

PyObject* avg_pool2d_backward(PyObject* const* args, Py_ssize_t count) {
  Call call("avg_pool2d_backward", args, count, 11);
  const Array out = call.contiguous("out"), grad = call.contiguous("grad");
  PoolShape s = read_planes(call, out, out, grad);
  read_sizes(call, &s, false);
  const bool pad = call.boolean("pad");
  const int64_t divisor = call.integer("divisor");
  const Stream stream = call.stream();
  return call.launch(
      [&] { return avg_pool_backward(out.data, grad.data, grad.dtype, s, pad, divisor, stream); });
}

PyObject* adaptive_avg_pool2d(PyObject* const* args, Py_ssize_t count) {
  Call call("adaptive_avg_pool2d", args, count, 3);
  const Array out = call.contiguous("out"), x = call.contiguous("x");
  const PoolShape s = read_planes(call, out, x, out);
  const Stream stream = call.stream();
  return call.launch([&] { return adaptive_avg_pool(out.data, x.data, x.dtype, s, stream); });
}

PyObject* adaptive_avg_pool2d_backward(PyObject* const* args, Py_ssize_t count) {
  Call call("adaptive_avg_pool2d_backward", args, count, 3);
  const Array out = call.contiguous("out"), grad = call.contiguous("grad");
  const PoolShape s = read_planes(call, out, out, grad);
  const Stream stream = call.stream();
  return call.launch(
      [&] { return adaptive_avg_pool_backward(out.data, grad.data, grad.dtype, s, stream); });
}

PyObject* adaptive_max_pool2d(PyObject* const* args, Py_ssize_t count) {
  Call call("adaptive_max_pool2d", args, count, 4);
  const Array out = call.contiguous("out"), index = read_index(call, true);
  const Array x = call.contiguous("x");
  const PoolShape s = read_planes(call, out, x, out);
  call.need_same_shape("index", index, "out", out);
  const Stream stream = call.stream();
  return call.launch(
      [&] { return adaptive_max_pool(out.data, index.as<int32_t>(), x.data, x.dtype, s, stream); });
}

}  // namespace

PyMethodDef kPoolFunctions[] = {
    MG_CUDA_FUNCTION(max_pool2d,
                     "max_pool2d(out, index, x, kernel, stride, padding, dilation, "
                     "stream), each size twice"),
    MG_CUDA_FUNCTION(max_pool2d_backward,
                     "max_pool2d_backward(out, grad, index, kernel, stride, padding, dilation, "
                     "stream), each size twice; kernels 0: adaptive"),
    MG_CUDA_FUNCTION(avg_pool2d,
                     "avg_pool2d(out, x, kernel, stride, padding, pad, divisor, "
                     "stream), each size twice"),
    MG_CUDA_FUNCTION(avg_pool2d_backward,
                     "avg_pool2d_backward(out, grad, kernel, stride, padding, pad, divisor, "
                     "stream), each size twice"),
    MG_CUDA_FUNCTION(adaptive_avg_pool2d, "adaptive_avg_pool2d(out, x, stream)"),
    MG_CUDA_FUNCTION(adaptive_avg_pool2d_backward,
                     "adaptive_avg_pool2d_backward(out, grad, stream)"),
    MG_CUDA_FUNCTION(adaptive_max_pool2d, "adaptive_max_pool2d(out, index, x, stream)"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
