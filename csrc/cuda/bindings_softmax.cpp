// _cuda.softmax, log_softmax and their gradients along any axis of contiguous arrays.
#include "cuda/bindings.h"
#include "cuda/kernels_softmax.h"

namespace mg::cuda {
namespace {

SoftmaxShape read_shape(Call& call, const Array& x, bool logarithm) {
  if (x.dtype < DType::kFloat16 || x.dtype > DType::kFloat64) {
    call.fail(PyExc_TypeError, "an array is %s; it must have a floating-point type",
              describe(x).c_str());
  }
  const int64_t axis = call.integer("axis", -x.ndim, x.ndim > 0 ? x.ndim - 1 : 0);
  SoftmaxShape shape = {1, 1, 1, logarithm};
  for (int d = 0; d < x.ndim; ++d) {
    const int64_t at = axis < 0 ? axis + x.ndim : axis;
    (d < at ? shape.outer : d == at ? shape.n : shape.inner) *= x.shape[d];
  }
  return shape;
}

PyObject* forward(const char* name, PyObject* const* args, Py_ssize_t count, bool logarithm) {
  Call call(name, args, count, 4);
  const Array out = call.contiguous("out"), x = call.contiguous("x");
  call.need_same_shape("out", out, "x", x);
  call.need_dtype("out", out, x.dtype);
  const SoftmaxShape shape = read_shape(call, x, logarithm);
  const Stream stream = call.stream();
  return call.launch([&] { return softmax(out.data, x.data, x.dtype, shape, stream); });
}

PyObject* backward(const char* name, PyObject* const* args, Py_ssize_t count, bool logarithm) {
  Call call(name, args, count, 5);
  const Array out = call.contiguous("out"), grad = call.contiguous("grad");
  const Array y = call.contiguous("y");
  call.need_same_shape("out", out, "y", y);
  call.need_same_shape("grad", grad, "y", y);
  call.need_dtype("out", out, y.dtype);
  call.need_dtype("grad", grad, y.dtype);
  const SoftmaxShape shape = read_shape(call, y, logarithm);
  const Stream stream = call.stream();
  return call.launch(
      [&] { return softmax_backward(out.data, grad.data, y.data, y.dtype, shape, stream); });
}

PyObject* softmax(PyObject* const* args, Py_ssize_t count) {
  return forward("softmax", args, count, false);
}
PyObject* log_softmax(PyObject* const* args, Py_ssize_t count) {
  return forward("log_softmax", args, count, true);
}
PyObject* softmax_backward(PyObject* const* args, Py_ssize_t count) {
  return backward("softmax_backward", args, count, false);
}
PyObject* log_softmax_backward(PyObject* const* args, Py_ssize_t count) {
  return backward("log_softmax_backward", args, count, true);
}

}  // namespace

PyMethodDef kSoftmaxFunctions[] = {
    MG_CUDA_FUNCTION(softmax, "softmax(out, x, axis, stream)"),
    MG_CUDA_FUNCTION(log_softmax, "log_softmax(out, x, axis, stream)"),
    MG_CUDA_FUNCTION(softmax_backward, "softmax_backward(out, grad, y, axis, stream)"),
    MG_CUDA_FUNCTION(log_softmax_backward, "log_softmax_backward(out, grad, y, axis, stream)"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
