// _C.mt_seed, draw32, draw64, uniform32, uniform64, normal_blocks and shuffle: the random stream.
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

PyObject* normal_blocks(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "normal_blocks";
  Array data;
  if (!check_count(kernel, nargs, 1) || !read_array(kernel, "data", args[0], &data) ||
      !need_contiguous(kernel, "data", data) || !need_writeable(kernel, "data", data)) {
    return nullptr;
  }
  if (data.dtype != DType::kFloat32 && data.dtype != DType::kFloat64) {
    return fail(PyExc_TypeError, "%s: data is %s; it must be float32 or float64", kernel,
                describe(data).c_str());
  }
  if (data.size % 16) {
    return fail(PyExc_ValueError, "%s: data is %s; it must have a multiple of 16 elements", kernel,
                describe(data).c_str());
  }
  {
    const bool wide = data.dtype == DType::kFloat64;
    KernelScope scope((wide ? 20.0 : 3.0) * static_cast<double>(data.size));
    if (wide) {
      stream_normal_blocks(data.as<double>(), data.size / 16);
    } else {
      stream_normal_blocks(data.as<float>(), data.size / 16);
    }
  }
  Py_RETURN_NONE;
}

PyMethodDef g_functions[] = {
    MG_FAST(mt_seed, "mt_seed(state, seed): start the engine, a uint32 array of 625"),
    MG_FAST(draw32, "draw32(state, out): the next outputs, uint32"),
    MG_FAST(draw64, "draw64(state, out): pairs of outputs, uint64"),
    MG_FAST(uniform32, "uniform32(state, out): float32 in [0, 1)"),
    MG_FAST(uniform64, "uniform64(state, out): float64 in [0, 1)"),
    MG_FAST(normal_blocks, "normal_blocks(data): uniforms to normals in blocks of 16, in place"),
    MG_FAST(shuffle, "shuffle(state, out): a random permutation of int64 values, in place"),
    MG_TABLE_END};

}  // namespace

void bind_random(PyObject* module) { add_functions(module, g_functions); }

}  // namespace mg
