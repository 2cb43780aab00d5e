// _cuda.conv2d, conv2d_input and conv2d_weight, conv3d, ...
#include "cuda/bindings.h"

namespace mg::cuda {
namespace {

constexpr int64_t kMost = (int64_t{1} << 31) - 1;

enum class Which { kForward, kInput, kWeight };

bool fits(const Array& x, const Array& w, const Array& g, const ConvShape& s, int spatial) {
  return x.ndim == spatial + 2 && w.ndim == spatial + 2 && g.ndim == spatial + 2 &&
         g.shape[0] == x.shape[0] && g.shape[1] == w.shape[0] && x.shape[1] % s.groups == 0 &&
         w.shape[1] == x.shape[1] / s.groups && w.shape[0] % s.groups == 0 && x.size > 0 &&
         w.size > 0 && g.size > 0;
}

void fill(const Array& x, const Array& w, const Array& g, int spatial, ConvShape* s) {
  const int row = spatial, column = spatial + 1;
  s->n = x.shape[0], s->c = x.shape[1], s->h = x.shape[row], s->w = x.shape[column];
  s->k = w.shape[0], s->r = w.shape[row], s->s = w.shape[column];
  s->p = g.shape[row], s->q = g.shape[column];
  s->d = s->t = s->o = 1;
  if (spatial == 3) s->d = x.shape[2], s->t = w.shape[2], s->o = g.shape[2];
}

// Forward: out, x, w, bias; input: out, g, w, bias; weight: out, x, g; then stride, padding and
// dilation (kSpatial numbers each), groups, tf32, workspace, stream.
template <int kSpatial, Which which>
PyObject* convolve(const char* kernel, PyObject* const* args, Py_ssize_t count) {
  constexpr bool weight = which == Which::kWeight, input = which == Which::kInput;
  Call call(kernel, args, count, (weight ? 3 : 4) + 3 * kSpatial + 4);
  const Array out = call.contiguous("out"), a = call.contiguous(input ? "g" : "x");
  const Array b = call.contiguous(weight ? "g" : "w");
  const Array bias = weight ? Array() : call.optional("bias");
  ConvArgs c = {};
  ConvShape& s = c.shape;
  int64_t* const to[3][3] = {{&s.stride_d, &s.stride_h, &s.stride_w},
                             {&s.pad_d, &s.pad_h, &s.pad_w},
                             {&s.dilation_d, &s.dilation_h, &s.dilation_w}};
  const char* const names[] = {"stride", "padding", "dilation"};
  for (int i = 0; i < 3; ++i) {
    const int64_t least = i == 1 ? 0 : 1;
    *to[i][0] = least;  // of two dimensions
    for (int j = 3 - kSpatial; j < 3; ++j) *to[i][j] = call.integer(names[i], least, kMost);
  }
  s.groups = call.integer("groups", 1, kMost);
  const bool tf32 = call.boolean("tf32");
  const Array workspace = call.optional("workspace");
  const Stream stream = call.stream();
  const DType t = out.dtype;
  if ((t != DType::kFloat32 && t != DType::kFloat64 && t != DType::kFloat16 &&
       t != DType::kBFloat16) ||
      a.dtype != t || b.dtype != t || (bias.given && bias.dtype != t)) {
    call.fail(PyExc_TypeError,
              "out is %s, the operands are %s, %s and bias is %s; they must be of "
              "one floating-point dtype",
              describe(out).c_str(), describe(a).c_str(), describe(b).c_str(),
              describe(bias).c_str());
  }
  const Array &x = input ? out : a, &w = weight ? out : b, &g = input ? a : weight ? b : out;
  if (!fits(x, w, g, s, kSpatial)) {
    call.fail(PyExc_ValueError,
              "x is %s, w is %s, g is %s, groups %lld; they must fit together and not be empty",
              describe(x).c_str(), describe(w).c_str(), describe(g).c_str(),
              static_cast<long long>(s.groups));
  }
  if (bias.given && (bias.ndim != 1 || !bias.contiguous || bias.shape[0] != out.shape[1])) {
    call.fail(PyExc_ValueError, "bias is %s and out is %s; it must have one value for each channel",
              describe(bias).c_str(), describe(out).c_str());
  }
  fill(x, w, g, kSpatial, &s);
  c.dtype = t;
  c.out = out.data;
  c.a = a.data;
  c.b = b.data;
  if (workspace.given) {
    call.need_workspace(workspace, 1);
    c.workspace = workspace.data;
    c.workspace_bytes = workspace.size * item_size(workspace.dtype);
  }
  return call.launch([&] {
    if (weight) return conv_to_weight(c, tf32, stream);
    return (input ? conv_to_input : conv_forward)(c, bias.data, tf32, stream);
  });
}

PyObject* conv2d(PyObject* const* args, Py_ssize_t count) {
  return convolve<2, Which::kForward>("conv2d", args, count);
}
PyObject* conv2d_input(PyObject* const* args, Py_ssize_t count) {
  return convolve<2, Which::kInput>("conv2d_input", args, count);
}
PyObject* conv2d_weight(PyObject* const* args, Py_ssize_t count) {
  return convolve<2, Which::kWeight>("conv2d_weight", args, count);
}
PyObject* conv3d(PyObject* const* args, Py_ssize_t count) {
  return convolve<3, Which::kForward>("conv3d", args, count);
}
PyObject* conv3d_input(PyObject* const* args, Py_ssize_t count) {
  return convolve<3, Which::kInput>("conv3d_input", args, count);
}
PyObject* conv3d_weight(PyObject* const* args, Py_ssize_t count) {
  return convolve<3, Which::kWeight>("conv3d_weight", args, count);
}

PyObject* parts_workspace(PyObject* const* args, Py_ssize_t count) {
  Call call("parts_workspace", args, count, 3);
  const int64_t results = call.integer("results", 0), depth = call.integer("depth", 0);
  const bool wide = call.integer("itemsize", 1, 8) == 8;
  return PyLong_FromLongLong(
      cuda::parts_workspace(results, depth, wide ? DType::kFloat64 : DType::kFloat32));
}

}  // namespace

PyMethodDef kConvFunctions[] = {
    MG_CUDA_FUNCTION(conv2d,
                     "conv2d(out, x, w, bias, stride, padding, dilation (2 numbers each), groups, "
                     "tf32, workspace, stream)"),
    MG_CUDA_FUNCTION(conv2d_input, "conv2d_input(out, g, w, bias, ...): x's gradient, as conv2d"),
    MG_CUDA_FUNCTION(conv2d_weight, "conv2d_weight(out, x, g, ...): w's gradient, without a bias"),
    MG_CUDA_FUNCTION(conv3d,
                     "conv3d(out, x, w, bias, stride, padding, dilation (3 numbers each), groups, "
                     "tf32, workspace, stream)"),
    MG_CUDA_FUNCTION(conv3d_input, "conv3d_input(out, g, w, bias, ...): x's gradient, as conv3d"),
    MG_CUDA_FUNCTION(conv3d_weight, "conv3d_weight(out, x, g, ...): w's gradient, without a bias"),
    MG_CUDA_FUNCTION(parts_workspace,
                     "parts_workspace(results, depth, itemsize): bytes of workspace that help a "
                     "product of so many results and terms in each, or 0"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
