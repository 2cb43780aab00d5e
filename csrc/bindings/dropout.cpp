// _C.philox_mask and _C.philox_dropout: dropout from the counter-based stream.
#include "bindings/families.h"
#include "bindings/graph.h"
#include "kernels.h"

namespace mg {
namespace {

// Nanoseconds for an element on one thread, roughly.
constexpr double kElement = 0.4;

// The probability to stay in steps of 2^-32, as a count of words: 0 to 2^32.
struct Stream {
  DropoutMask mask;
  uint64_t threshold;
};

bool read_word(const char* kernel, const char* name, PyObject* argument, uint64_t* value) {
  if (!PyLong_Check(argument)) {
    fail(PyExc_TypeError, "%s: %s is %s; it must be an int", kernel, name,
         Py_TYPE(argument)->tp_name);
    return false;
  }
  *value = PyLong_AsUnsignedLongLongMask(argument);
  return !(*value == static_cast<uint64_t>(-1) && PyErr_Occurred());
}

bool read_stream(const char* kernel, PyObject* seed, PyObject* offset, PyObject* keep, Stream* s) {
  double p;
  if (!read_word(kernel, "seed", seed, &s->mask.seed) ||
      !read_word(kernel, "offset", offset, &s->mask.offset) ||
      !read_double(kernel, "keep", keep, &p)) {
    return false;
  }
  s->threshold = !(p > 0) ? 0 : p >= 1 ? uint64_t{1} << 32 : static_cast<uint64_t>(p * 0x1p32);
  s->mask.limit = s->threshold ? static_cast<uint32_t>(s->threshold - 1) : 0;
  return true;
}

// philox_mask(seed, offset, n, keep): n booleans.
PyObject* philox_mask(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "philox_mask";
  Stream s;
  int64_t n;
  if (!check_count(kernel, nargs, 4) || !read_stream(kernel, args[0], args[1], args[3], &s) ||
      !read_int(kernel, "n", args[2], &n)) {
    return nullptr;
  }
  if (n < 0) {
    return fail(PyExc_ValueError, "%s: n is %lld; it must not be negative", kernel,
                static_cast<long long>(n));
  }
  const npy_intp shape[1] = {n};
  PyObject* out = new_array(PyArray_DescrFromType(NPY_BOOL), 1, shape);
  if (!out) return nullptr;
  uint8_t* data = static_cast<uint8_t*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(out)));
  if (s.threshold == 0) {
    memset(data, 0, static_cast<size_t>(n));
    return out;
  }
  KernelScope scope(kElement * static_cast<double>(n));
  kernels().dropout.mask(data, n, s.mask);
  return out;
}

// philox_dropout(x, seed, offset, keep, scale, kept, dropped): like x, or None.
PyObject* philox_dropout(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "philox_dropout";
  Array x;
  Stream s;
  DropoutScale scale;
  if (!check_count(kernel, nargs, 7) || !read_array(kernel, "x", args[0], &x) ||
      !read_stream(kernel, args[1], args[2], args[3], &s) ||
      !read_double(kernel, "scale", args[4], &scale.scale) ||
      !read_double(kernel, "kept", args[5], &scale.kept) ||
      !read_double(kernel, "dropped", args[6], &scale.dropped)) {
    return nullptr;
  }
  const bool half_type = x.dtype == DType::kFloat16 || x.dtype == DType::kBFloat16;
  const bool known = half_type || x.dtype == DType::kFloat32 || x.dtype == DType::kFloat64;
  const bool shifts = scale.kept != 0 || scale.dropped != 0;
  if (!known || !x.contiguous || (half_type && shifts)) return new_none();
  if (!s.threshold) {  // nothing stays
    scale.scale = 0;
    scale.kept = scale.dropped;
  }
  if (x.dtype == DType::kFloat16) scale.scale = to_float(to_half(static_cast<float>(scale.scale)));
  if (x.dtype == DType::kBFloat16) {
    scale.scale = to_float(to_bfloat16(static_cast<float>(scale.scale)));
  }
  PyObject* out = array_like(x.object);
  if (!out) return nullptr;
  void* data = PyArray_DATA(reinterpret_cast<PyArrayObject*>(out));
  const DropoutKernels& k = kernels().dropout;
  KernelScope guard(kElement * static_cast<double>(x.size));
  if (x.dtype == DType::kFloat32) {
    k.f32(static_cast<float*>(data), x.as<float>(), x.size, s.mask, scale);
  } else if (x.dtype == DType::kFloat64) {
    k.f64(static_cast<double*>(data), x.as<double>(), x.size, s.mask, scale);
  } else if (x.dtype == DType::kFloat16) {
    k.f16(static_cast<half*>(data), x.as<half>(), x.size, s.mask, scale);
  } else {
    k.bf16(static_cast<bfloat16*>(data), x.as<bfloat16>(), x.size, s.mask, scale);
  }
  return out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(philox_mask, "philox_mask(seed, offset, n, keep): n booleans"),
    MG_FAST(philox_dropout,
            "philox_dropout(x, seed, offset, keep, scale, kept, dropped); None if NumPy has to"),
    MG_TABLE_END,
};

}  // namespace

void bind_dropout(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
