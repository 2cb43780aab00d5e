// _C.conv2d, conv2d_input and conv2d_weight: convolution in float32 and float64, and its gradients.
#include "kernels/conv.h"

#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

// The seven numbers behind the arrays: stride, padding, dilation (height, width) and groups.
bool read_steps(const char* kernel, PyObject* const* args, ConvShape* s) {
  int64_t* const to[] = {&s->stride_h,   &s->stride_w,   &s->pad_h, &s->pad_w,
                         &s->dilation_h, &s->dilation_w, &s->groups};
  const char* const names[] = {"stride",   "stride",   "padding", "padding",
                               "dilation", "dilation", "groups"};
  for (int i = 0; i < 7; ++i) {
    const int64_t least = to[i] == &s->pad_h || to[i] == &s->pad_w ? 0 : 1;
    if (!read_step(kernel, names[i], args[i], least, to[i])) return false;
  }
  return true;
}

bool check_array(const char* kernel, const char* name, const Array& a, DType dtype) {
  return need_dtype(kernel, name, a, dtype) && need_contiguous(kernel, name, a) &&
         need_planes(kernel, name, a);
}

// Fills the sizes from x, w and g, and checks that they belong together.
bool fill_shape(const char* kernel, const Array& x, const Array& w, const Array& g,
                const Array& out, ConvShape* s) {
  const DType dtype = out.dtype;
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) {
    fail(PyExc_TypeError, "%s: out is %s; it must be float32 or float64", kernel,
         describe(out).c_str());
    return false;
  }
  if (!check_array(kernel, "x", x, dtype) || !check_array(kernel, "w", w, dtype) ||
      !check_array(kernel, "g", g, dtype) || !need_writeable(kernel, "out", out)) {
    return false;
  }
  s->n = x.shape[0], s->c = x.shape[1], s->h = x.shape[2], s->w = x.shape[3];
  s->k = w.shape[0], s->r = w.shape[2], s->s = w.shape[3];
  s->p = g.shape[2], s->q = g.shape[3];
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
  return 0.03 * static_cast<double>(s.n * s.k * s.p * s.q) *
         static_cast<double>(s.c / s.groups * s.r * s.s);
}

enum class Which { kForward, kInput, kWeight };

template <class T>
bool run(const char* kernel, const ConvOf<T>& k, Which which, const Array& out, const Array& a,
         const Array& b, const Array& bias, const ConvShape& s) {
  const auto workspace = which == Which::kForward ? k.forward.workspace
                         : which == Which::kInput ? k.to_input.workspace
                                                  : k.to_weight.workspace;
  const int64_t bytes = workspace(s);
  Workspace scratch(static_cast<size_t>(bytes));
  if (scratch.failed()) {
    fail(PyExc_MemoryError, "%s: a workspace of %lld bytes is needed; the system has not as many",
         kernel, static_cast<long long>(bytes));
    return false;
  }
  KernelScope scope(nanoseconds(s));
  if (which == Which::kWeight) {
    k.to_weight.run(out.as<T>(), a.as<T>(), b.as<T>(), s, scratch.data());
  } else {
    (which == Which::kForward ? k.forward : k.to_input)
        .run(out.as<T>(), a.as<T>(), b.as<T>(), bias.as<T>(), s, scratch.data());
  }
  return true;
}

PyObject* run_any(const char* kernel, Which which, const Array& out, const Array& a, const Array& b,
                  const Array& bias, const ConvShape& s) {
  const ConvKernels& k = kernels().conv;
  const bool done = out.dtype == DType::kFloat32
                        ? run<float>(kernel, k.f32, which, out, a, b, bias, s)
                        : run<double>(kernel, k.f64, which, out, a, b, bias, s);
  if (!done) return nullptr;
  Py_RETURN_NONE;
}

PyObject* conv2d(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array out, x, w, bias;
  ConvShape s;
  if (!check_count("conv2d", nargs, 11) || !read_array("conv2d", "out", args[0], &out) ||
      !read_array("conv2d", "x", args[1], &x) || !read_array("conv2d", "w", args[2], &w) ||
      !read_optional("conv2d", "bias", args[3], &bias) || !read_steps("conv2d", args + 4, &s) ||
      !fill_shape("conv2d", x, w, out, out, &s) || !check_bias("conv2d", bias, out)) {
    return nullptr;
  }
  return run_any("conv2d", Which::kForward, out, x, w, bias, s);
}

PyObject* conv2d_input(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array out, g, w, bias;
  ConvShape s;
  if (!check_count("conv2d_input", nargs, 11) ||
      !read_array("conv2d_input", "out", args[0], &out) ||
      !read_array("conv2d_input", "g", args[1], &g) ||
      !read_array("conv2d_input", "w", args[2], &w) ||
      !read_optional("conv2d_input", "bias", args[3], &bias) ||
      !read_steps("conv2d_input", args + 4, &s) ||
      !fill_shape("conv2d_input", out, w, g, out, &s) || !check_bias("conv2d_input", bias, out)) {
    return nullptr;
  }
  return run_any("conv2d_input", Which::kInput, out, g, w, bias, s);
}

PyObject* conv2d_weight(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array out, x, g, bias = {};
  ConvShape s;
  if (!check_count("conv2d_weight", nargs, 10) ||
      !read_array("conv2d_weight", "out", args[0], &out) ||
      !read_array("conv2d_weight", "x", args[1], &x) ||
      !read_array("conv2d_weight", "g", args[2], &g) ||
      !read_steps("conv2d_weight", args + 3, &s) ||
      !fill_shape("conv2d_weight", x, out, g, out, &s)) {
    return nullptr;
  }
  return run_any("conv2d_weight", Which::kWeight, out, x, g, bias, s);
}

PyMethodDef kFunctions[] = {
    MG_FAST(conv2d, "conv2d(out, x, w, bias, stride, padding, dilation (2 numbers each), groups)"),
    MG_FAST(conv2d_input, "conv2d_input(out, g, w, bias, ...): x's gradient, as conv2d"),
    MG_FAST(conv2d_weight, "conv2d_weight(out, x, g, ...): w's gradient, without a bias"),
    MG_TABLE_END,
};

}  // namespace

void bind_conv(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
