// _C.conv2d, conv2d_input and conv2d_weight, conv3d, ...: convolution in float32, float64 and,
// where the kernels have it, bfloat16, and its gradients.
#include "bindings/conv.h"

#include "bindings/families.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

// The numbers behind the arrays: stride, padding, dilation (N of each, the depth first) and groups.
template <int N>
bool read_steps(const char* kernel, PyObject* const* args, ConvShape* s) {
  int64_t* const to[3][3] = {{&s->stride_d, &s->stride_h, &s->stride_w},
                             {&s->pad_d, &s->pad_h, &s->pad_w},
                             {&s->dilation_d, &s->dilation_h, &s->dilation_w}};
  const char* const names[] = {"stride", "padding", "dilation"};
  for (int i = 0; i < 3; ++i) {
    const int64_t least = i == 1 ? 0 : 1;
    *to[i][0] = least;  // of two dimensions
    for (int j = 3 - N; j < 3; ++j) {
      if (!read_step(kernel, names[i], *args++, least, to[i][j])) return false;
    }
  }
  return read_step(kernel, "groups", *args, 1, &s->groups);
}

bool check_array(const char* kernel, const char* name, const Array& a, DType dtype, int spatial) {
  return need_dtype(kernel, name, a, dtype) && need_contiguous(kernel, name, a) &&
         need_planes(kernel, name, a, spatial);
}

// Fills the sizes from x, w and g, and checks that they belong together.
bool fill_shape(const char* kernel, const Array& x, const Array& w, const Array& g,
                const Array& out, int spatial, ConvShape* s) {
  const DType dtype = out.dtype;
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64 && dtype != DType::kBFloat16) {
    fail(PyExc_TypeError, "%s: out is %s; it must be float32, float64 or bfloat16", kernel,
         describe(out).c_str());
    return false;
  }
  if (!check_array(kernel, "x", x, dtype, spatial) ||
      !check_array(kernel, "w", w, dtype, spatial) ||
      !check_array(kernel, "g", g, dtype, spatial) || !need_writeable(kernel, "out", out)) {
    return false;
  }
  const int row = spatial, column = spatial + 1;
  s->n = x.shape[0], s->c = x.shape[1], s->h = x.shape[row], s->w = x.shape[column];
  s->k = w.shape[0], s->r = w.shape[row], s->s = w.shape[column];
  s->p = g.shape[row], s->q = g.shape[column];
  s->d = s->t = s->o = 1;
  if (spatial == 3) s->d = x.shape[2], s->t = w.shape[2], s->o = g.shape[2];
  const bool fits = g.shape[0] == s->n && g.shape[1] == s->k && s->c % s->groups == 0 &&
                    w.shape[1] == s->c / s->groups && s->k % s->groups == 0;
  if (!fits || x.size == 0 || w.size == 0 || g.size == 0) {
    fail(PyExc_ValueError,
         "%s: x is %s, w is %s, g is %s, groups %lld; they must fit together and not be empty",
         kernel, describe(x).c_str(), describe(w).c_str(), describe(g).c_str(),
         static_cast<long long>(s->groups));
    return false;
  }
  return true;
}

bool check_bias(const char* kernel, const Array& bias, const Array& out) {
  if (!bias.object) return true;
  if (!need_dtype(kernel, "bias", bias, out.dtype) || !need_contiguous(kernel, "bias", bias)) {
    return false;
  }
  if (bias.ndim == 1 && bias.shape[0] == out.shape[1]) return true;
  fail(PyExc_ValueError, "%s: bias is %s and out is %s; it must have one value for each channel",
       kernel, describe(bias).c_str(), describe(out).c_str());
  return false;
}

double nanoseconds(const ConvShape& s) {
  return 0.03 * static_cast<double>(s.n * s.k * s.o * s.p * s.q) *
         static_cast<double>(s.c / s.groups * s.t * s.r * s.s);
}

// Python's True; False where bfloat16 is to be converted to float32, which is not done here.
template <class T>
PyObject* run(const char* kernel, const ConvOf<T>& k, ConvResult which, const Array& out,
              const Array& a, const Array& b, const Array& bias, const ConvShape& s) {
  const auto workspace = which == ConvResult::kForward ? k.forward.workspace
                         : which == ConvResult::kInput ? k.to_input.workspace
                                                       : k.to_weight.workspace;
  const int64_t bytes = workspace(s);
  if (bytes < 0) Py_RETURN_FALSE;
  Workspace scratch(static_cast<size_t>(bytes));
  if (scratch.failed()) {
    fail(PyExc_MemoryError, "%s: a workspace of %lld bytes is needed; the system has not as many",
         kernel, static_cast<long long>(bytes));
    return nullptr;
  }
  {
    KernelScope scope(nanoseconds(s));
    if (which == ConvResult::kWeight) {
      k.to_weight.run(out.as<T>(), a.as<T>(), b.as<T>(), s, scratch.data());
    } else {
      (which == ConvResult::kForward ? k.forward : k.to_input)
          .run(out.as<T>(), a.as<T>(), b.as<T>(), bias.as<T>(), s, scratch.data());
    }
  }
  Py_RETURN_TRUE;
}

// kForward: out, x, w, bias; kInput: out, g, w, bias; kWeight: out, x, g; then the steps.
template <int N>
PyObject* convolve(const char* kernel, ConvResult which, PyObject* const* args, Py_ssize_t nargs) {
  const bool weight = which == ConvResult::kWeight, input = which == ConvResult::kInput;
  const int arrays = weight ? 3 : 4;
  Array out, a, b, bias = {};
  ConvShape s;
  if (!check_count(kernel, nargs, arrays + 3 * N + 1) ||
      !read_array(kernel, "out", args[0], &out) ||
      !read_array(kernel, input ? "g" : "x", args[1], &a) ||
      !read_array(kernel, weight ? "g" : "w", args[2], &b) ||
      (!weight && !read_optional(kernel, "bias", args[3], &bias)) ||
      !read_steps<N>(kernel, args + arrays, &s) ||
      !fill_shape(kernel, input ? out : a, weight ? out : b,
                  input    ? a
                  : weight ? b
                           : out,
                  out, N, &s) ||
      !check_bias(kernel, bias, out)) {
    return nullptr;
  }
  return run_convolution(kernel, which, out, a, b, bias, s);
}

PyObject* conv2d(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return convolve<2>("conv2d", ConvResult::kForward, args, nargs);
}
PyObject* conv2d_input(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return convolve<2>("conv2d_input", ConvResult::kInput, args, nargs);
}
PyObject* conv2d_weight(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return convolve<2>("conv2d_weight", ConvResult::kWeight, args, nargs);
}
PyObject* conv3d(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return convolve<3>("conv3d", ConvResult::kForward, args, nargs);
}
PyObject* conv3d_input(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return convolve<3>("conv3d_input", ConvResult::kInput, args, nargs);
}
PyObject* conv3d_weight(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return convolve<3>("conv3d_weight", ConvResult::kWeight, args, nargs);
}

PyMethodDef kFunctions[] = {
    MG_FAST(conv2d, "conv2d(out, x, w, bias, stride, padding, dilation (2 numbers each), groups)"),
    MG_FAST(conv2d_input, "conv2d_input(out, g, w, bias, ...): x's gradient, as conv2d"),
    MG_FAST(conv2d_weight, "conv2d_weight(out, x, g, ...): w's gradient, without a bias"),
    MG_FAST(conv3d, "conv3d(out, x, w, bias, stride, padding, dilation (3 numbers each), groups)"),
    MG_FAST(conv3d_input, "conv3d_input(out, g, w, bias, ...): x's gradient, as conv3d"),
    MG_FAST(conv3d_weight, "conv3d_weight(out, x, g, ...): w's gradient, without a bias"),
    MG_TABLE_END,
};

}  // namespace

PyObject* run_convolution(const char* kernel, ConvResult which, const Array& out, const Array& a,
                          const Array& b, const Array& bias, const ConvShape& s) {
  const ConvKernels& k = kernels().conv;
  switch (out.dtype) {
    case DType::kFloat32:
      return run<float>(kernel, k.f32, which, out, a, b, bias, s);
    case DType::kFloat64:
      return run<double>(kernel, k.f64, which, out, a, b, bias, s);
    default:
      return run<bfloat16>(kernel, k.bf16, which, out, a, b, bias, s);
  }
}

void bind_conv(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
