// _C.int8_linear, int8_linear_real, int8_conv: products of uint8 inputs with packed int8 weights.
#include "kernels/int8.h"

#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

constexpr int64_t kMostK = 65535;  // 255 * 128 * k stays below 2^31

// One of the weight's arrays for its columns.
bool read_columns(const char* kernel, const char* name, PyObject* argument, DType dtype,
                  int64_t count, bool optional, Array* a) {
  if (!(optional ? read_optional(kernel, name, argument, a)
                 : read_array(kernel, name, argument, a))) {
    return false;
  }
  if (!a->object) return true;
  if (!need_dtype(kernel, name, *a, dtype) || !need_contiguous(kernel, name, *a)) return false;
  if (a->size == count) return true;
  fail(PyExc_ValueError, "%s: %s is %s; it must have %lld values", kernel, name,
       describe(*a).c_str(), static_cast<long long>(count));
  return false;
}

constexpr int kWeightArguments = 9;

// packed, sum, scale, zero or None, bias or None, n, k, groups, depthwise
bool read_weight(const char* kernel, PyObject* const* args, Int8Weight* w) {
  Array packed, sum, scale, zero, bias;
  if (!read_array(kernel, "packed", args[0], &packed) ||
      !need_dtype(kernel, "packed", packed, DType::kInt8) ||
      !need_contiguous(kernel, "packed", packed) || !read_int(kernel, "n", args[5], &w->n) ||
      !read_int(kernel, "k", args[6], &w->k) || !read_int(kernel, "groups", args[7], &w->groups) ||
      !read_bool(kernel, "depthwise", args[8], &w->depthwise)) {
    return false;
  }
  constexpr int64_t kMost = int64_t{1} << 31;
  if (w->n < 1 || w->k < 1 || w->groups < 1 || w->k > kMostK || w->n >= kMost ||
      w->groups >= kMost) {
    fail(PyExc_ValueError,
         "%s: n %lld, k %lld, groups %lld were given; needed: n >= 1, groups >= 1, "
         "1 <= k <= %lld",
         kernel, static_cast<long long>(w->n), static_cast<long long>(w->k),
         static_cast<long long>(w->groups), static_cast<long long>(kMostK));
    return false;
  }
  const int64_t columns = w->groups * ((w->n + 15) / 16 * 16);
  const int64_t bytes = columns * (w->depthwise ? w->k : (w->k + 3) / 4 * 4);
  if (packed.size != bytes) {
    fail(PyExc_ValueError, "%s: packed is %s; it must have %lld bytes", kernel,
         describe(packed).c_str(), static_cast<long long>(bytes));
    return false;
  }
  if (!read_columns(kernel, "sum", args[1], DType::kInt32, columns, false, &sum) ||
      !read_columns(kernel, "scale", args[2], DType::kFloat32, columns, false, &scale) ||
      !read_columns(kernel, "zero", args[3], DType::kInt32, columns, true, &zero) ||
      !read_columns(kernel, "bias", args[4], DType::kFloat32, columns, true, &bias)) {
    return false;
  }
  if (w->depthwise && zero.object) {
    fail(PyExc_ValueError, "%s: zero points of depthwise weights were given; they must be 0",
         kernel);
    return false;
  }
  w->packed = packed.as<int8_t>();
  w->sum = sum.as<int32_t>();
  w->scale = scale.as<float>();
  w->zero = zero.object ? zero.as<int32_t>() : nullptr;
  w->bias = bias.object ? bias.as<float>() : nullptr;
  return true;
}

bool read_grid(const char* kernel, PyObject* const* args, float* scale, int32_t* zero) {
  double s;
  int64_t z;
  if (!read_double(kernel, "scale", args[0], &s) || !read_int(kernel, "zero", args[1], &z)) {
    return false;
  }
  *scale = static_cast<float>(s);
  *zero = static_cast<int32_t>(z);
  if (z >= 0 && z <= 255 && *scale > 0) return true;
  fail(PyExc_ValueError, "%s: scale %g, zero %lld were given; needed: scale > 0, 0 <= zero <= 255",
       kernel, s, static_cast<long long>(z));
  return false;
}

// The array of results: contiguous, float32, or uint8 with scale and zero point.
bool read_out(const char* kernel, PyObject* argument, Array* array, Int8Out* out) {
  if (!read_array(kernel, "out", argument, array) || !need_writeable(kernel, "out", *array) ||
      !need_contiguous(kernel, "out", *array)) {
    return false;
  }
  out->data = array->data;
  out->quantized = array->dtype == DType::kUInt8;
  if (out->quantized || array->dtype == DType::kFloat32) return true;
  fail(PyExc_TypeError, "%s: out is %s; it must be float32 or uint8", kernel,
       describe(*array).c_str());
  return false;
}

bool need_rows(const char* kernel, const Array& out, const Array& x, const Int8Weight& w,
               int64_t* m) {
  const bool fits = out.ndim >= 1 && out.ndim == x.ndim && out.shape[out.ndim - 1] == w.n &&
                    x.shape[x.ndim - 1] == w.k && w.groups == 1 && !w.depthwise &&
                    out.size / w.n == x.size / w.k;
  if (!fits) {
    fail(PyExc_ValueError,
         "%s: out is %s, x is %s, the weight (%lld, %lld); they must fit together", kernel,
         describe(out).c_str(), describe(x).c_str(), static_cast<long long>(w.n),
         static_cast<long long>(w.k));
    return false;
  }
  *m = x.size / w.k;
  return true;
}

PyObject* run_linear(const char* kernel, const Int8Out& out, const Int8Rows& x,
                     const Int8Weight& w) {
  const Int8Kernels& k = kernels().int8;
  Workspace scratch(static_cast<size_t>(k.linear_workspace(x, w)));
  if (scratch.failed()) return fail(PyExc_MemoryError, "%s: no memory for a workspace", kernel);
  {
    KernelScope scope(0.01 * static_cast<double>(x.m * w.n) * static_cast<double>(w.k));
    k.linear(out, x, w, scratch.data());
  }
  Py_RETURN_NONE;
}

// int8_linear(out, x, *weight, x_scale, x_zero, out_scale, out_zero, relu)
PyObject* int8_linear(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  constexpr const char* kernel = "int8_linear";
  Array to, x;
  Int8Out out;
  Int8Weight w;
  Int8Rows rows = {};
  if (!check_count(kernel, nargs, 2 + kWeightArguments + 5) ||
      !read_out(kernel, args[0], &to, &out) || !read_array(kernel, "x", args[1], &x) ||
      !need_dtype(kernel, "x", x, DType::kUInt8) || !need_contiguous(kernel, "x", x) ||
      !read_weight(kernel, args + 2, &w)) {
    return nullptr;
  }
  args += 2 + kWeightArguments;
  if (!read_grid(kernel, args, &rows.scale, &rows.zero) ||
      !read_grid(kernel, args + 2, &out.scale, &out.zero) ||
      !read_bool(kernel, "relu", args[4], &out.relu) || !need_rows(kernel, to, x, w, &rows.m)) {
    return nullptr;
  }
  rows.x = x.as<uint8_t>();
  return run_linear(kernel, out, rows, w);
}

// int8_linear_real(out, x, *weight, each, levels, relu): float32 to float32
PyObject* int8_linear_real(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  constexpr const char* kernel = "int8_linear_real";
  Array to, x;
  Int8Out out = {};
  Int8Weight w;
  Int8Rows rows = {};
  int64_t levels;
  if (!check_count(kernel, nargs, 2 + kWeightArguments + 3) ||
      !read_out(kernel, args[0], &to, &out) || !need_dtype(kernel, "out", to, DType::kFloat32) ||
      !read_array(kernel, "x", args[1], &x) || !need_dtype(kernel, "x", x, DType::kFloat32) ||
      !need_contiguous(kernel, "x", x) || !read_weight(kernel, args + 2, &w)) {
    return nullptr;
  }
  args += 2 + kWeightArguments;
  if (!read_bool(kernel, "each", args[0], &rows.each) ||
      !read_int(kernel, "levels", args[1], &levels) ||
      !read_bool(kernel, "relu", args[2], &out.relu) || !need_rows(kernel, to, x, w, &rows.m)) {
    return nullptr;
  }
  if (levels < 1 || levels > 255) {
    return fail(PyExc_ValueError, "%s: levels %lld were given; needed: 1 to 255", kernel,
                static_cast<long long>(levels));
  }
  rows.levels = static_cast<int32_t>(levels);
  rows.real = x.as<float>();
  if (!rows.each && x.size > 0) {
    const QuantizeKernels& k = kernels().quantize;
    Workspace scratch(static_cast<size_t>(ceil_div(x.size, kMinMaxGrain) * 12));
    if (scratch.failed()) return fail(PyExc_MemoryError, "%s: no memory for a workspace", kernel);
    float range[3];
    {
      KernelScope scope(0.1 * static_cast<double>(x.size));
      k.min_max(range, rows.real, x.size, static_cast<float*>(scratch.data()));
    }
    const Grid grid = grid_of(range[0], range[1], rows.levels);
    rows.zero = grid.zero;
    rows.scale = grid.scale + range[2];
  }
  return run_linear(kernel, out, rows, w);
}

// stride, padding and dilation, two numbers each
bool read_steps(const char* kernel, PyObject* const* args, Int8Planes* x) {
  return read_step(kernel, "stride", args[0], 1, &x->stride_h) &&
         read_step(kernel, "stride", args[1], 1, &x->stride_w) &&
         read_step(kernel, "padding", args[2], 0, &x->pad_h) &&
         read_step(kernel, "padding", args[3], 0, &x->pad_w) &&
         read_step(kernel, "dilation", args[4], 1, &x->dilation_h) &&
         read_step(kernel, "dilation", args[5], 1, &x->dilation_w);
}

// The sizes of channels-last x and out.
bool read_planes(const char* kernel, const Array& out, const Array& x, Int8Planes* planes) {
  if (!need_dtype(kernel, "x", x, DType::kUInt8) || !need_contiguous(kernel, "x", x) ||
      !need_planes(kernel, "x", x) || !need_planes(kernel, "out", out)) {
    return false;
  }
  planes->x = x.as<uint8_t>();
  planes->n = x.shape[0], planes->h = x.shape[1], planes->w = x.shape[2], planes->c = x.shape[3];
  planes->p = out.shape[1], planes->q = out.shape[2];
  return true;
}

// Whether the windows of the last place end inside the padded input.
bool need_windows(const char* kernel, const Array& out, const Array& x, const Int8Planes& p) {
  const auto fits = [](int64_t size, int64_t pad, int64_t kernel_size, int64_t dilation,
                       int64_t stride, int64_t count) {
    return (count - 1) * stride + (kernel_size - 1) * dilation < size + 2 * pad;
  };
  if (out.shape[0] == p.n && p.r >= 1 && p.s >= 1 &&
      fits(p.h, p.pad_h, p.r, p.dilation_h, p.stride_h, p.p) &&
      fits(p.w, p.pad_w, p.s, p.dilation_w, p.stride_w, p.q)) {
    return true;
  }
  fail(PyExc_ValueError, "%s: out is %s, x is %s; the windows must lie in the padded input", kernel,
       describe(out).c_str(), describe(x).c_str());
  return false;
}

// int8_conv(out, x, *weight, x_scale, x_zero, out_scale, out_zero, relu, rows, columns, stride (2),
// padding (2), dilation (2))
PyObject* int8_conv(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  constexpr const char* kernel = "int8_conv";
  Array to, x;
  Int8Out out;
  Int8Weight w;
  Int8Planes planes = {};
  if (!check_count(kernel, nargs, 2 + kWeightArguments + 13) ||
      !read_out(kernel, args[0], &to, &out) || !read_array(kernel, "x", args[1], &x) ||
      !read_planes(kernel, to, x, &planes) || !read_weight(kernel, args + 2, &w)) {
    return nullptr;
  }
  args += 2 + kWeightArguments;
  if (!read_grid(kernel, args, &planes.scale, &planes.zero) ||
      !read_grid(kernel, args + 2, &out.scale, &out.zero) ||
      !read_bool(kernel, "relu", args[4], &out.relu) ||
      !read_step(kernel, "rows", args[5], 1, &planes.r) ||
      !read_step(kernel, "columns", args[6], 1, &planes.s) ||
      !read_steps(kernel, args + 7, &planes) || !need_windows(kernel, to, x, planes)) {
    return nullptr;
  }
  const int64_t each = w.depthwise ? 1 : planes.c / w.groups;
  const bool channels = w.depthwise ? planes.c == w.n : planes.c % w.groups == 0;
  if (!channels || to.shape[3] != w.groups * w.n || w.k != planes.r * planes.s * each ||
      (w.depthwise && w.groups != 1)) {
    return fail(PyExc_ValueError,
                "%s: out is %s, x is %s, n %lld, k %lld, groups %lld; they must "
                "fit together",
                kernel, describe(to).c_str(), describe(x).c_str(), static_cast<long long>(w.n),
                static_cast<long long>(w.k), static_cast<long long>(w.groups));
  }
  const Int8Kernels& k = kernels().int8;
  Workspace scratch(static_cast<size_t>(k.conv_workspace(planes, w)));
  if (scratch.failed()) return fail(PyExc_MemoryError, "%s: no memory for a workspace", kernel);
  {
    KernelScope scope(0.01 * static_cast<double>(to.size) * static_cast<double>(w.k));
    k.conv(out, planes, w, scratch.data());
  }
  Py_RETURN_NONE;
}

// int8_max_pool(out, x, rows, columns, stride (2), padding (2), dilation (2))
PyObject* int8_max_pool(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  constexpr const char* kernel = "int8_max_pool";
  Array out, x;
  Int8Planes planes = {};
  if (!check_count(kernel, nargs, 10) || !read_array(kernel, "out", args[0], &out) ||
      !need_writeable(kernel, "out", out) || !need_contiguous(kernel, "out", out) ||
      !need_dtype(kernel, "out", out, DType::kUInt8) || !read_array(kernel, "x", args[1], &x) ||
      !read_planes(kernel, out, x, &planes) || !read_step(kernel, "rows", args[2], 1, &planes.r) ||
      !read_step(kernel, "columns", args[3], 1, &planes.s) ||
      !read_steps(kernel, args + 4, &planes)) {
    return nullptr;
  }
  if (out.shape[0] != planes.n || out.shape[3] != planes.c) {
    return fail(PyExc_ValueError, "%s: out is %s, x is %s; batch and channels must be the same",
                kernel, describe(out).c_str(), describe(x).c_str());
  }
  {
    KernelScope scope(0.1 * static_cast<double>(out.size * planes.r * planes.s));
    kernels().quantize.max_pool(out.as<uint8_t>(), planes);
  }
  Py_RETURN_NONE;
}

PyMethodDef kFunctions[] = {
    MG_FAST(int8_linear,
            "int8_linear(out, x, *weight, x_scale, x_zero, out_scale, out_zero, relu)"),
    MG_FAST(int8_linear_real, "int8_linear_real(out, x, *weight, each, levels, relu)"),
    MG_FAST(int8_conv, "int8_conv(out, x, *weight, *grids, relu, *window): channels last"),
    MG_FAST(int8_max_pool, "int8_max_pool(out, x, *window): channels last, uint8"),
    MG_TABLE_END,
};

}  // namespace

void bind_int8(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
