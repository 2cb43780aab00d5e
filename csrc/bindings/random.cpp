// _C.mt_seed, draw32, draw64, uniform32, uniform64, uniform_fill, normal_fill, integers and
// shuffle: the random stream.
// The caller sees to it that two threads do not draw from one state at a time.
#include "bindings/array.h"
#include "bindings/families.h"
#include "runtime/stream.h"

namespace mg {
namespace {

// The dtypes of tensors do not include the unsigned ones of the engine.
bool need_unsigned(const char* kernel, const char* name, const Array& array, int bytes) {
  const PyArray_Descr* descr = PyArray_DESCR(array.object);
  if (descr->kind == 'u' && PyDataType_ELSIZE(descr) == bytes &&
      PyArray_ISNOTSWAPPED(array.object)) {
    return true;
  }
  fail(PyExc_TypeError, "%s: %s is %s; it must be uint%d", kernel, name, describe(array).c_str(),
       8 * bytes);
  return false;
}

bool need_dtype(const char* kernel, const Array& out, const uint32_t*) {
  return need_unsigned(kernel, "out", out, 4);
}
bool need_dtype(const char* kernel, const Array& out, const uint64_t*) {
  return need_unsigned(kernel, "out", out, 8);
}
bool need_dtype(const char* kernel, const Array& out, const float*) {
  return need_dtype(kernel, "out", out, DType::kFloat32);
}
bool need_dtype(const char* kernel, const Array& out, const double*) {
  return need_dtype(kernel, "out", out, DType::kFloat64);
}
bool need_dtype(const char* kernel, const Array& out, const int64_t*) {
  return need_dtype(kernel, "out", out, DType::kInt64);
}

bool read_state(const char* kernel, PyObject* argument, Array* state) {
  if (!read_array(kernel, "state", argument, state) || !need_unsigned(kernel, "state", *state, 4) ||
      !need_contiguous(kernel, "state", *state) || !need_writeable(kernel, "state", *state)) {
    return false;
  }
  if (state->size == kStreamWords + 1) return true;
  fail(PyExc_ValueError, "%s: state is %s; it must have 625 elements", kernel,
       describe(*state).c_str());
  return false;
}

PyObject* mt_seed(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "mt_seed";
  Array state;
  if (!check_count(kernel, nargs, 2) || !read_state(kernel, args[0], &state)) return nullptr;
  const unsigned long long seed = PyLong_AsUnsignedLongLongMask(args[1]);
  if (seed == static_cast<unsigned long long>(-1) && PyErr_Occurred()) return nullptr;
  stream_seed(state.as<uint32_t>(), static_cast<uint32_t>(seed));
  Py_RETURN_NONE;
}

// Reads (state, out) and runs `fill(state, out, n)`.
template <class T>
PyObject* run(const char* kernel, double ns, PyObject* const* args, Py_ssize_t nargs,
              void (*fill)(uint32_t*, T*, int64_t)) {
  Array state, out;
  if (!check_count(kernel, nargs, 2) || !read_state(kernel, args[0], &state) ||
      !read_array(kernel, "out", args[1], &out) ||
      !need_dtype(kernel, out, static_cast<T*>(nullptr)) || !need_contiguous(kernel, "out", out) ||
      !need_writeable(kernel, "out", out)) {
    return nullptr;
  }
  {
    KernelScope scope(ns * static_cast<double>(out.size));
    fill(state.as<uint32_t>(), out.as<T>(), out.size);
  }
  Py_RETURN_NONE;
}

PyObject* draw32(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return run<uint32_t>("draw32", 1.5, args, nargs, stream_draw32);
}

PyObject* draw64(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return run<uint64_t>("draw64", 3, args, nargs, stream_draw64);
}

PyObject* uniform32(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return run<float>("uniform32", 1.5, args, nargs, stream_uniform32);
}

PyObject* uniform64(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return run<double>("uniform64", 3, args, nargs, stream_uniform64);
}

PyObject* shuffle(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return run<int64_t>("shuffle", 6, args, nargs, stream_shuffle);
}

// Reads (state, out, x, y), out of float32 or float64, and runs `fill(state, data, n, x, y)`.
template <class Fill>
PyObject* run_real(const char* kernel, double ns, double wide_ns, PyObject* const* args,
                   Py_ssize_t nargs, int64_t least, Fill fill) {
  Array state, out;
  double x, y;
  if (!check_count(kernel, nargs, 4) || !read_state(kernel, args[0], &state) ||
      !read_array(kernel, "out", args[1], &out) || !need_contiguous(kernel, "out", out) ||
      !need_writeable(kernel, "out", out) || !read_double(kernel, "third", args[2], &x) ||
      !read_double(kernel, "fourth", args[3], &y)) {
    return nullptr;
  }
  if (out.dtype != DType::kFloat32 && out.dtype != DType::kFloat64) {
    return fail(PyExc_TypeError, "%s: out is %s; it must be float32 or float64", kernel,
                describe(out).c_str());
  }
  if (out.size < least) {
    return fail(PyExc_ValueError, "%s: out is %s; it must have at least %d elements", kernel,
                describe(out).c_str(), static_cast<int>(least));
  }
  const bool wide = out.dtype == DType::kFloat64;
  {
    // Denormal numbers are kept, as PyTorch's are.
    Unlocked scope(KernelScope::unlocks((wide ? wide_ns : ns) * static_cast<double>(out.size)));
    if (wide) {
      fill(state.as<uint32_t>(), out.as<double>(), out.size, x, y);
    } else {
      fill(state.as<uint32_t>(), out.as<float>(), out.size, x, y);
    }
  }
  Py_RETURN_NONE;
}

PyObject* uniform_fill(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return run_real("uniform_fill", 1, 2.5, args, nargs, 0,
                  [](auto... values) { stream_uniform(values...); });
}

PyObject* normal_fill(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return run_real("normal_fill", 2, 20, args, nargs, 16,
                  [](auto... values) { stream_normal(values...); });
}

PyObject* integers(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "integers";
  Array state, out;
  int64_t low, span;
  if (!check_count(kernel, nargs, 4) || !read_state(kernel, args[0], &state) ||
      !read_array(kernel, "out", args[1], &out) || !need_dtype(kernel, "out", out, DType::kInt64) ||
      !need_contiguous(kernel, "out", out) || !need_writeable(kernel, "out", out) ||
      !read_int(kernel, "low", args[2], &low) || !read_int(kernel, "span", args[3], &span)) {
    return nullptr;
  }
  if (span < 1 || span >= int64_t{1} << 32 || low > INT64_MAX - span) {
    return fail(PyExc_ValueError, "%s: span must be from 1 to 2^32 - 1, low + span an int64",
                kernel);
  }
  {
    KernelScope scope(1.5 * static_cast<double>(out.size));
    stream_integers(state.as<uint32_t>(), out.as<int64_t>(), out.size, low,
                    static_cast<uint32_t>(span));
  }
  Py_RETURN_NONE;
}

PyMethodDef g_functions[] = {
    MG_FAST(mt_seed, "mt_seed(state, seed): start the engine, a uint32 array of 625"),
    MG_FAST(draw32, "draw32(state, out): the next outputs, uint32"),
    MG_FAST(draw64, "draw64(state, out): pairs of outputs, uint64"),
    MG_FAST(uniform32, "uniform32(state, out): float32 in [0, 1)"),
    MG_FAST(uniform64, "uniform64(state, out): float64 in [0, 1)"),
    MG_FAST(uniform_fill, "uniform_fill(state, out, low, high): in [low, high)"),
    MG_FAST(normal_fill, "normal_fill(state, out, mean, std): normals, at least 16"),
    MG_FAST(integers, "integers(state, out, low, span): int64, low + output % span"),
    MG_FAST(shuffle, "shuffle(state, out): a random permutation of int64 values, in place"),
    MG_TABLE_END};

}  // namespace

void bind_random(PyObject* module) { add_functions(module, g_functions); }

}  // namespace mg
