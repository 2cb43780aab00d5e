// _C.sample_gamma, sample_poisson, sample_binomial, gamma_slope and beta_slope: all arrays float64,
// contiguous and of one size; the last one is written.
// The caller sees to it that two threads do not draw from one state at a time.
#include "runtime/samplers.h"

#include "bindings/array.h"
#include "bindings/families.h"
#include "runtime/stream.h"

namespace mg {
namespace {

bool read_doubles(const char* kernel, const char* name, PyObject* argument, Array* array) {
  return read_array(kernel, name, argument, array) &&
         need_dtype(kernel, name, *array, DType::kFloat64) && need_contiguous(kernel, name, *array);
}

bool read_state(const char* kernel, PyObject* argument, Array* state) {
  if (!read_array(kernel, "state", argument, state) || !need_contiguous(kernel, "state", *state) ||
      !need_writeable(kernel, "state", *state)) {
    return false;
  }
  const PyArray_Descr* descr = PyArray_DESCR(state->object);
  if (descr->kind == 'u' && PyDataType_ELSIZE(descr) == 4 && state->size == kStreamWords + 1) {
    return true;
  }
  fail(PyExc_ValueError, "%s: state is %s; it must be uint32 of 625 elements", kernel,
       describe(*state).c_str());
  return false;
}

// The operands and the result of a function, from `args` on: all of one size.
template <int kCount>
bool read_all(const char* kernel, PyObject* const* args, Array (&arrays)[kCount]) {
  static const char* names[] = {"x", "y", "z"};
  for (int i = 0; i < kCount; ++i) {
    const char* name = i == kCount - 1 ? "out" : names[i];
    if (!read_doubles(kernel, name, args[i], &arrays[i])) return false;
    if (arrays[i].size != arrays[0].size) {
      fail(PyExc_ValueError, "%s: %s is %s; it must have as many elements as the first", kernel,
           name, describe(arrays[i]).c_str());
      return false;
    }
  }
  return need_writeable(kernel, "out", arrays[kCount - 1]);
}

// Reads kCount arrays and calls `call(arrays, n)`; `ns` is what an element takes.
template <int kCount, class Call>
PyObject* run(const char* kernel, double ns, PyObject* const* args, Call call) {
  Array arrays[kCount];
  if (!read_all(kernel, args, arrays)) return nullptr;
  {
    const int64_t n = arrays[0].size;
    KernelScope scope(ns * static_cast<double>(n));
    call(arrays, n);
  }
  Py_RETURN_NONE;
}

PyObject* py_sample_gamma(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "sample_gamma";
  Array state, spare;
  if (!check_count(kernel, nargs, 4) || !read_state(kernel, args[0], &state) ||
      !read_doubles(kernel, "spare", args[1], &spare) || !need_writeable(kernel, "spare", spare)) {
    return nullptr;
  }
  if (spare.size != 2) {
    return fail(PyExc_ValueError, "%s: spare is %s; it must have 2 elements", kernel,
                describe(spare).c_str());
  }
  return run<2>(kernel, 60, args + 2, [&](Array* a, int64_t n) {
    sample_gamma(state.as<uint32_t>(), spare.as<double>(), a[0].as<double>(), a[1].as<double>(), n);
  });
}

PyObject* py_sample_poisson(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "sample_poisson";
  Array state;
  if (!check_count(kernel, nargs, 3) || !read_state(kernel, args[0], &state)) return nullptr;
  return run<2>(kernel, 60, args + 1, [&](Array* a, int64_t n) {
    sample_poisson(state.as<uint32_t>(), a[0].as<double>(), a[1].as<double>(), n);
  });
}

PyObject* py_sample_binomial(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "sample_binomial";
  Array state;
  if (!check_count(kernel, nargs, 4) || !read_state(kernel, args[0], &state)) return nullptr;
  return run<3>(kernel, 60, args + 1, [&](Array* a, int64_t n) {
    sample_binomial(state.as<uint32_t>(), a[0].as<double>(), a[1].as<double>(), a[2].as<double>(),
                    n);
  });
}

PyObject* py_gamma_slope(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "gamma_slope";
  if (!check_count(kernel, nargs, 3)) return nullptr;
  return run<3>(kernel, 500, args, [](Array* a, int64_t n) {
    gamma_slope(a[0].as<double>(), a[1].as<double>(), a[2].as<double>(), n);
  });
}

PyObject* py_beta_slope(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "beta_slope";
  if (!check_count(kernel, nargs, 4)) return nullptr;
  return run<4>(kernel, 500, args, [](Array* a, int64_t n) {
    beta_slope(a[0].as<double>(), a[1].as<double>(), a[2].as<double>(), a[3].as<double>(), n);
  });
}

PyMethodDef g_functions[] = {
    MG_FAST_NAMED("sample_gamma", py_sample_gamma,
                  "sample_gamma(state, spare, concentration, out); spare: is a normal kept, it"),
    MG_FAST_NAMED("sample_poisson", py_sample_poisson, "sample_poisson(state, rate, out)"),
    MG_FAST_NAMED("sample_binomial", py_sample_binomial,
                  "sample_binomial(state, count, prob, out)"),
    MG_FAST_NAMED("gamma_slope", py_gamma_slope, "gamma_slope(concentration, x, out): dx / da"),
    MG_FAST_NAMED("beta_slope", py_beta_slope, "beta_slope(x, a, b, out): dx / da / (1 - x)"),
    MG_TABLE_END};

}  // namespace

void bind_samplers(PyObject* module) { add_functions(module, g_functions); }

}  // namespace mg
