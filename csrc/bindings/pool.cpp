// _C.max_pool2d, avg_pool2d, their gradients and the adaptive ones, in float32 and float64.
#include "kernels/pool.h"

#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"

namespace mg {
namespace {

bool check_array(const char* kernel, const char* name, const Array& a, DType dtype) {
  return need_dtype(kernel, name, a, dtype) && need_contiguous(kernel, name, a) &&
         need_planes(kernel, name, a);
}

// Of a float type, x (N, C, H, W) and out (N, C, P, Q) with the same planes.
bool check_pair(const char* kernel, const Array& out, const Array& x, PoolShape* s, bool backward) {
  const DType dtype = out.dtype;
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) {
    fail(PyExc_TypeError, "%s: out is %s; it must be float32 or float64", kernel,
         describe(out).c_str());
    return false;
  }
  if (!check_array(kernel, "out", out, dtype) || !need_writeable(kernel, "out", out) ||
      !check_array(kernel, "x", x, dtype)) {
    return false;
  }
  if (out.shape[0] != x.shape[0] || out.shape[1] != x.shape[1]) {
    fail(PyExc_ValueError, "%s: out is %s and x is %s; their planes must be equal in number",
         kernel, describe(out).c_str(), describe(x).c_str());
    return false;
  }
  const Array& large = backward ? out : x;
  const Array& small = backward ? x : out;
  s->planes = x.shape[0] * x.shape[1];
  s->h = large.shape[2], s->w = large.shape[3];
  s->p = small.shape[2], s->q = small.shape[3];
  return true;
}

bool read_sizes(const char* kernel, PyObject* const* args, int count, PoolShape* s) {
  int64_t* const to[] = {&s->kernel_h, &s->kernel_w, &s->stride_h,   &s->stride_w,
                         &s->pad_h,    &s->pad_w,    &s->dilation_h, &s->dilation_w};
  const char* const names[] = {"kernel",  "kernel",  "stride",   "stride",
                               "padding", "padding", "dilation", "dilation"};
  s->dilation_h = s->dilation_w = 1;
  for (int i = 0; i < count; ++i) {
    if (!read_step(kernel, names[i], args[i], i == 4 || i == 5 ? 0 : 1, to[i])) return false;
  }
  return true;
}

bool check_index(const char* kernel, const Array& index, const char* name, const Array& like) {
  return check_array(kernel, "index", index, DType::kInt32) &&
         need_same_shape(kernel, "index", index, name, like);
}

double nanoseconds(const PoolShape& s) {
  const double taps = static_cast<double>(min_of(s.kernel_h, s.h) * min_of(s.kernel_w, s.w));
  return 0.2 * static_cast<double>(s.planes) *
         (static_cast<double>(s.h * s.w) + static_cast<double>(s.p * s.q) * taps);
}

PyObject* max_pool2d(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array out, index, x;
  PoolShape s;
  if (!check_count("max_pool2d", nargs, 11) || !read_array("max_pool2d", "out", args[0], &out) ||
      !read_optional("max_pool2d", "index", args[1], &index) ||
      !read_array("max_pool2d", "x", args[2], &x) || !check_pair("max_pool2d", out, x, &s, false) ||
      !read_sizes("max_pool2d", args + 3, 8, &s)) {
    return nullptr;
  }
  if (index.object && (!check_index("max_pool2d", index, "out", out) ||
                       !need_writeable("max_pool2d", "index", index))) {
    return nullptr;
  }
  if (s.h * s.w > INT32_MAX) {
    return fail(PyExc_ValueError, "max_pool2d: x is %s; its planes are too large",
                describe(x).c_str());
  }
  int32_t* places = index.object ? index.as<int32_t>() : nullptr;
  {
    KernelScope scope(nanoseconds(s));
    if (out.dtype == DType::kFloat32) {
      kernels().pool.f32.max(out.as<float>(), places, x.as<float>(), s);
    } else {
      kernels().pool.f64.max(out.as<double>(), places, x.as<double>(), s);
    }
  }
  Py_RETURN_NONE;
}

PyObject* scatter_planes(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array out, values, index;
  PoolShape s = {};
  if (!check_count("scatter_planes", nargs, 3) ||
      !read_array("scatter_planes", "out", args[0], &out) ||
      !read_array("scatter_planes", "values", args[1], &values) ||
      !read_array("scatter_planes", "index", args[2], &index) ||
      !check_pair("scatter_planes", out, values, &s, true) ||
      !check_index("scatter_planes", index, "values", values)) {
    return nullptr;
  }
  const int64_t size = s.h * s.w, count = s.p * s.q;
  const int32_t* at = index.as<int32_t>();
  bool inside;
  {
    KernelScope scope(static_cast<double>(out.size + values.size));
    const PoolKernels& k = kernels().pool;
    if (out.dtype == DType::kFloat32) {
      inside = k.f32.scatter(out.as<float>(), values.as<float>(), at, s.planes, size, count);
    } else {
      inside = k.f64.scatter(out.as<double>(), values.as<double>(), at, s.planes, size, count);
    }
  }
  if (!inside) {
    return fail(PyExc_IndexError,
                "scatter_planes: index has places outside the planes; planes have %lld elements",
                static_cast<long long>(size));
  }
  Py_RETURN_NONE;
}

template <bool kBackward>
PyObject* average(const char* kernel, PyObject* const* args, Py_ssize_t nargs) {
  Array out, x;
  PoolShape s;
  bool count_pad;
  int64_t divisor;
  if (!check_count(kernel, nargs, 10) || !read_array(kernel, "out", args[0], &out) ||
      !read_array(kernel, "x", args[1], &x) || !check_pair(kernel, out, x, &s, kBackward) ||
      !read_sizes(kernel, args + 2, 6, &s) || !read_bool(kernel, "pad", args[8], &count_pad) ||
      !read_int(kernel, "divisor", args[9], &divisor)) {
    return nullptr;
  }
  {
    KernelScope scope(nanoseconds(s));
    const PoolKernels& k = kernels().pool;
    if (out.dtype == DType::kFloat32) {
      (kBackward ? k.f32.avg_backward : k.f32.avg)(out.as<float>(), x.as<float>(), s, count_pad,
                                                   divisor);
    } else {
      (kBackward ? k.f64.avg_backward : k.f64.avg)(out.as<double>(), x.as<double>(), s, count_pad,
                                                   divisor);
    }
  }
  Py_RETURN_NONE;
}

PyObject* avg_pool2d(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return average<false>("avg_pool2d", args, nargs);
}

PyObject* avg_pool2d_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return average<true>("avg_pool2d_backward", args, nargs);
}

double adaptive_nanoseconds(const PoolShape& s) {
  return 0.2 * static_cast<double>(s.planes * (s.h * s.w + 4 * s.p * s.q));
}

template <bool kBackward>
PyObject* adaptive(const char* kernel, PyObject* const* args, Py_ssize_t nargs) {
  Array out, x;
  PoolShape s = {};
  if (!check_count(kernel, nargs, 2) || !read_array(kernel, "out", args[0], &out) ||
      !read_array(kernel, "x", args[1], &x) || !check_pair(kernel, out, x, &s, kBackward)) {
    return nullptr;
  }
  {
    KernelScope scope(adaptive_nanoseconds(s));
    const PoolKernels& k = kernels().pool;
    if (out.dtype == DType::kFloat32) {
      (kBackward ? k.adaptive32.avg_backward : k.adaptive32.avg)(out.as<float>(), x.as<float>(), s);
    } else {
      (kBackward ? k.adaptive64.avg_backward : k.adaptive64.avg)(out.as<double>(), x.as<double>(),
                                                                 s);
    }
  }
  Py_RETURN_NONE;
}

PyObject* adaptive_avg_pool2d(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return adaptive<false>("adaptive_avg_pool2d", args, nargs);
}

PyObject* adaptive_avg_pool2d_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return adaptive<true>("adaptive_avg_pool2d_backward", args, nargs);
}

PyObject* adaptive_max_pool2d(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "adaptive_max_pool2d";
  Array out, index, x;
  PoolShape s = {};
  if (!check_count(kernel, nargs, 3) || !read_array(kernel, "out", args[0], &out) ||
      !read_array(kernel, "index", args[1], &index) || !read_array(kernel, "x", args[2], &x) ||
      !check_pair(kernel, out, x, &s, false) || !check_index(kernel, index, "out", out) ||
      !need_writeable(kernel, "index", index)) {
    return nullptr;
  }
  if (s.h * s.w > INT32_MAX || (s.h * s.w == 0 && out.size)) {
    return fail(PyExc_ValueError, "%s: x is %s; its planes must have 1 to 2^31 - 1 elements",
                kernel, describe(x).c_str());
  }
  {
    KernelScope scope(4 * adaptive_nanoseconds(s));
    const PoolKernels& k = kernels().pool;
    if (out.dtype == DType::kFloat32) {
      k.adaptive32.max(out.as<float>(), index.as<int32_t>(), x.as<float>(), s);
    } else {
      k.adaptive64.max(out.as<double>(), index.as<int32_t>(), x.as<double>(), s);
    }
  }
  Py_RETURN_NONE;
}

PyMethodDef kFunctions[] = {
    MG_FAST(max_pool2d,
            "max_pool2d(out, index, x, kernel, stride, padding, dilation (2 numbers each))"),
    MG_FAST(scatter_planes, "scatter_planes(out, values, index): zeros, values added at index"),
    MG_FAST(avg_pool2d,
            "avg_pool2d(out, x, kernel, stride, padding (2 numbers each), pad, divisor)"),
    MG_FAST(avg_pool2d_backward, "avg_pool2d_backward(out, g, ...): the gradient, as avg_pool2d"),
    MG_FAST(adaptive_avg_pool2d, "adaptive_avg_pool2d(out, x): averages of out's number of parts"),
    MG_FAST(adaptive_avg_pool2d_backward, "adaptive_avg_pool2d_backward(out, g): its gradient"),
    MG_FAST(adaptive_max_pool2d, "adaptive_max_pool2d(out, index, x): maxima and their places"),
    MG_TABLE_END,
};

}  // namespace

void bind_pool(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
