// _C.quantize, dequantize, fake_quantize and value_range: numbers on a grid of integers.
#include "kernels/quantize.h"

#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

bool read_pair(const char* kernel, PyObject* const* args, Array* out, Array* x) {
  return read_array(kernel, "out", args[0], out) && read_array(kernel, "x", args[1], x) &&
         need_same_shape(kernel, "out", *out, "x", *x) && need_writeable(kernel, "out", *out) &&
         need_contiguous(kernel, "out", *out) && need_contiguous(kernel, "x", *x);
}

bool read_grid(const char* kernel, PyObject* const* args, Grid* grid) {
  double scale;
  int64_t zero;
  if (!read_double(kernel, "scale", args[0], &scale) || !read_int(kernel, "zero", args[1], &zero)) {
    return false;
  }
  grid->scale = static_cast<float>(scale);
  grid->zero = static_cast<int32_t>(zero);
  if (zero > -(1 << 23) && zero < 1 << 23) return true;
  fail(PyExc_ValueError, "%s: zero %lld was given; it must be smaller than 2^23", kernel,
       static_cast<long long>(zero));
  return false;
}

bool read_bounds(const char* kernel, PyObject* const* args, int64_t least, int64_t most,
                 Grid* grid) {
  int64_t low, high;
  if (!read_int(kernel, "low", args[0], &low) || !read_int(kernel, "high", args[1], &high)) {
    return false;
  }
  grid->low = static_cast<int32_t>(low);
  grid->high = static_cast<int32_t>(high);
  if (least <= low && low <= high && high <= most) return true;
  fail(PyExc_ValueError, "%s: bounds %lld and %lld were given; needed: %lld <= low <= high <= %lld",
       kernel, static_cast<long long>(low), static_cast<long long>(high),
       static_cast<long long>(least), static_cast<long long>(most));
  return false;
}

// quantize(out, x, scale, zero, low, high): out uint8 or int8
PyObject* quantize(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array out, x;
  Grid grid;
  if (!check_count("quantize", nargs, 6) || !read_pair("quantize", args, &out, &x) ||
      !need_dtype("quantize", "x", x, DType::kFloat32) || !read_grid("quantize", args + 2, &grid)) {
    return nullptr;
  }
  const bool is_signed = out.dtype == DType::kInt8;
  if (!is_signed && !need_dtype("quantize", "out", out, DType::kUInt8)) return nullptr;
  if (!read_bounds("quantize", args + 4, is_signed ? -128 : 0, is_signed ? 127 : 255, &grid)) {
    return nullptr;
  }
  const QuantizeKernels& k = kernels().quantize;
  {
    KernelScope scope(0.1 * static_cast<double>(x.size));
    if (is_signed) {
      k.to_int8(out.as<int8_t>(), x.as<float>(), x.size, grid);
    } else {
      k.to_uint8(out.as<uint8_t>(), x.as<float>(), x.size, grid);
    }
  }
  Py_RETURN_NONE;
}

// dequantize(out, x, scale, zero): x uint8 or int8
PyObject* dequantize(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array out, x;
  Grid grid = {};
  if (!check_count("dequantize", nargs, 4) || !read_pair("dequantize", args, &out, &x) ||
      !need_dtype("dequantize", "out", out, DType::kFloat32) ||
      !read_grid("dequantize", args + 2, &grid)) {
    return nullptr;
  }
  const bool is_signed = x.dtype == DType::kInt8;
  if (!is_signed && !need_dtype("dequantize", "x", x, DType::kUInt8)) return nullptr;
  const QuantizeKernels& k = kernels().quantize;
  {
    KernelScope scope(0.1 * static_cast<double>(x.size));
    if (is_signed) {
      k.from_int8(out.as<float>(), x.as<int8_t>(), x.size, grid);
    } else {
      k.from_uint8(out.as<float>(), x.as<uint8_t>(), x.size, grid);
    }
  }
  Py_RETURN_NONE;
}

// fake_quantize(out, inside, x, scale, zero, low, high): float32; inside is bool
PyObject* fake_quantize(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  constexpr const char* kernel = "fake_quantize";
  Array out, inside, x;
  Grid grid;
  if (!check_count(kernel, nargs, 7) || !read_array(kernel, "out", args[0], &out) ||
      !read_pair(kernel, args + 1, &inside, &x) || !need_same_shape(kernel, "out", out, "x", x) ||
      !need_writeable(kernel, "out", out) || !need_contiguous(kernel, "out", out) ||
      !need_dtype(kernel, "out", out, DType::kFloat32) ||
      !need_dtype(kernel, "x", x, DType::kFloat32) ||
      !need_dtype(kernel, "inside", inside, DType::kBool) || !read_grid(kernel, args + 3, &grid) ||
      !read_bounds(kernel, args + 5, -(1 << 23), 1 << 23, &grid)) {
    return nullptr;
  }
  {
    KernelScope scope(0.2 * static_cast<double>(x.size));
    kernels().quantize.fake(out.as<float>(), inside.as<uint8_t>(), x.as<float>(), x.size, grid);
  }
  Py_RETURN_NONE;
}

// value_range(x): (least, largest) of a float32 array and 0, as floats; NaN if any is not finite
PyObject* value_range(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array x;
  if (!check_count("value_range", nargs, 1) || !read_array("value_range", "x", args[0], &x) ||
      !need_dtype("value_range", "x", x, DType::kFloat32) ||
      !need_contiguous("value_range", "x", x)) {
    return nullptr;
  }
  float range[3] = {};
  Workspace scratch(static_cast<size_t>(ceil_div(x.size, kMinMaxGrain) * 12));
  if (scratch.failed()) return fail(PyExc_MemoryError, "value_range: no memory for a workspace");
  {
    KernelScope scope(0.1 * static_cast<double>(x.size));
    kernels().quantize.min_max(range, x.as<float>(), x.size, static_cast<float*>(scratch.data()));
  }
  const double bad = static_cast<double>(range[2]);
  return Py_BuildValue("(dd)", static_cast<double>(range[0]) + bad,
                       static_cast<double>(range[1]) + bad);
}

PyMethodDef kFunctions[] = {
    MG_FAST(quantize, "quantize(out, x, scale, zero, low, high): out uint8 or int8"),
    MG_FAST(dequantize, "dequantize(out, x, scale, zero): x uint8 or int8"),
    MG_FAST(fake_quantize, "fake_quantize(out, inside, x, scale, zero, low, high): float32"),
    MG_FAST(value_range, "value_range(x): (least, largest) of x and 0"),
    MG_TABLE_END,
};

}  // namespace

void bind_quantize(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
