// _C.resample: weighted sums of neighbours along one dimension, in float32 and float64.
#include "kernels/resample.h"

#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"

namespace mg {
namespace {

constexpr const char* kName = "resample";

bool check_float(const char* name, const Array& a, DType dtype, int ndim) {
  if (!need_dtype(kName, name, a, dtype) || !need_contiguous(kName, name, a)) return false;
  if (a.ndim == ndim) return true;
  fail(PyExc_ValueError, "resample: %s is %s; it must have %d dimensions", name,
       describe(a).c_str(), ndim);
  return false;
}

bool check_shapes(const Array& out, const Array& x, const Array& index, const Array& weight,
                  ResampleShape* s) {
  const DType dtype = out.dtype;
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) {
    fail(PyExc_TypeError, "resample: out is %s; it must be float32 or float64",
         describe(out).c_str());
    return false;
  }
  if (!check_float("out", out, dtype, 3) || !need_writeable(kName, "out", out) ||
      !check_float("x", x, dtype, 3) || !check_float("index", index, DType::kInt32, 2) ||
      (weight.object && !check_float("weight", weight, dtype, 2)) ||
      (weight.object && !need_same_shape(kName, "weight", weight, "index", index))) {
    return false;
  }
  *s = {x.shape[0], x.shape[1], out.shape[1], x.shape[2], index.shape[0]};
  if (out.shape[0] != s->outer || out.shape[2] != s->inner || index.shape[1] != s->count ||
      s->taps < 1 || (!weight.object && s->taps != 1)) {
    fail(PyExc_ValueError,
         "resample: out is %s, x is %s and index is %s; needed: (outer, count, inner), (outer, "
         "size, inner) and (taps, count), one tap without weights",
         describe(out).c_str(), describe(x).c_str(), describe(index).c_str());
    return false;
  }
  const int32_t* at = index.as<int32_t>();
  for (int64_t i = 0; i < index.size; ++i) {
    if (at[i] < 0 || at[i] >= s->size) {
      fail(PyExc_IndexError, "resample: index holds %d; x has %lld places", at[i],
           static_cast<long long>(s->size));
      return false;
    }
  }
  return true;
}

PyObject* resample(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array out, x, index, weight;
  ResampleShape s;
  if (!check_count(kName, nargs, 4) || !read_array(kName, "out", args[0], &out) ||
      !read_array(kName, "x", args[1], &x) || !read_array(kName, "index", args[2], &index) ||
      !read_optional(kName, "weight", args[3], &weight) ||
      !check_shapes(out, x, index, weight, &s)) {
    return nullptr;
  }
  {
    KernelScope scope(0.5 * static_cast<double>(out.size) * static_cast<double>(s.taps));
    const ResampleKernels& k = kernels().resample;
    const int32_t* at = index.as<int32_t>();
    if (out.dtype == DType::kFloat32) {
      k.f32(out.as<float>(), x.as<float>(), at, weight.object ? weight.as<float>() : nullptr, s);
    } else {
      k.f64(out.as<double>(), x.as<double>(), at, weight.object ? weight.as<double>() : nullptr, s);
    }
  }
  Py_RETURN_NONE;
}

PyMethodDef kFunctions[] = {
    MG_FAST(resample,
            "resample(out, x, index, weight): sums of weighted neighbours; weight or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_resample(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
