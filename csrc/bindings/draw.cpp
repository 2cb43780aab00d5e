// Small random tensors in one call, with the numbers of PyTorch's CPU generator, as
// minigrad/{random,fills,generator}.py say in Python. The functions named fast_ return None (or
// False) for what they leave to that code; then they have drawn nothing.
#include <algorithm>
#include <cmath>

#include "bindings/families.h"
#include "bindings/types.h"
#include "bindings/views.h"
#include "runtime/stream.h"

namespace mg {
namespace {

// What bind_generator has told: the class, the default generator, where its slots are.
PyTypeObject* g_generator = nullptr;
PyObject* g_default = nullptr;
Py_ssize_t g_lock, g_state, g_normal;
PyObject *g_acquire, *g_release;
PyObject* g_option_names[6];  // in the order of Options

// A generator's stream, locked as long as this lives; state is nullptr where Python has to draw:
// before the first draw, or while another thread draws.
class Stream {
 public:
  explicit Stream(PyObject* generator) {
    if (!g_generator || !g.tensor) return;
    object_ = generator == Py_None ? g_default : generator;
    if (Py_TYPE(object_) != g_generator) return;
    PyObject* words = slot(object_, g_state);
    if (!words || !PyArray_CheckExact(words)) return;
    lock_ = Py_XNewRef(slot(object_, g_lock));
    PyObject* got = lock_ ? PyObject_CallMethodOneArg(lock_, g_acquire, Py_False) : nullptr;
    if (!got) PyErr_Clear();
    locked_ = got == Py_True;
    Py_XDECREF(got);
    if (locked_)
      state = static_cast<uint32_t*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(words)));
  }
  ~Stream() {
    if (locked_) {
      PyObject* done = PyObject_CallMethodNoArgs(lock_, g_release);
      if (!done) PyErr_Clear();
      Py_XDECREF(done);
    }
    Py_XDECREF(lock_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  uint32_t* state = nullptr;

  // n normals made in pairs, of which one may be kept for the next call; false with an error set.
  template <class Take>
  bool normals(npy_intp n, Take take) {
    npy_intp done = 0;
    PyObject* kept = slot(object_, g_normal);
    if (n && kept && PyFloat_Check(kept)) {
      take(done++, PyFloat_AS_DOUBLE(kept));
      replace(object_, g_normal, new_none());
    }
    while (done < n) {
      double u[2];
      stream_uniform64(state, u, 2);
      const double radius = std::sqrt(-2 * std::log1p(-u[1]));
      const double angle = 6.283185307179586 * u[0];
      take(done++, radius * std::cos(angle));
      const double second = radius * std::sin(angle);
      if (done < n) {
        take(done++, second);
      } else {
        PyObject* rest = PyFloat_FromDouble(second);
        if (!rest) return false;
        replace(object_, g_normal, rest);
      }
    }
    return true;
  }

 private:
  PyObject *object_ = nullptr, *lock_ = nullptr;
  bool locked_ = false;
};

template <class T>
bool draw_normal(Stream& stream, T* out, npy_intp n, double mean, double std) {
  if (n >= 16) {
    stream_normal(stream.state, out, n, mean, std);
    return true;
  }
  return stream.normals(
      n, [&](npy_intp i, double value) { out[i] = static_cast<T>(std::fma(value, std, mean)); });
}

bool is_wide(PyArrayObject* x) { return PyArray_ITEMSIZE(x) == 8; }
template <class T>
T* data_of(PyArrayObject* x) {
  return static_cast<T*>(PyArray_DATA(x));
}

// `x` of float32 or float64, filled with numbers in [x0, x1), or normal ones of mean x0 and
// standard deviation x1; false with an error set.
bool draw(Stream& stream, bool normal, PyArrayObject* x, double x0, double x1) {
  const npy_intp n = PyArray_SIZE(x);
  const bool wide = is_wide(x);
  // Fewer than 16 normals, of which one may be kept for the next call, never get so far. Denormal
  // numbers are kept, as PyTorch's are.
  Unlocked scope(KernelScope::unlocks((wide ? 10.0 : 1.5) * static_cast<double>(n)));
  if (normal) {
    return wide ? draw_normal(stream, data_of<double>(x), n, x0, x1)
                : draw_normal(stream, data_of<float>(x), n, x0, x1);
  }
  if (wide) {
    stream_uniform(stream.state, data_of<double>(x), n, x0, x1);
  } else {
    stream_uniform(stream.state, data_of<float>(x), n, x0, x1);
  }
  return true;
}

bool is_real(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat64; }

// The keywords that these functions know. False for others, and for those that Python has to see.
struct Options {
  PyObject *dtype = Py_None, *device = Py_None, *generator = Py_None, *size = nullptr;

  bool read(PyObject* given) {
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(given, &position, &key, &value)) {
      int which = 0;
      while (which < 6 && g_option_names[which] != key) ++which;
      switch (which) {
        case 0:
          dtype = value;
          break;
        case 1:
          device = value;
          break;
        case 2:
          generator = value;
          break;
        case 3:
          size = value;
          break;
        case 4:  // requires_grad
          if (value != Py_False) return false;
          break;
        case 5:  // pin_memory means nothing here
          break;
        default:
          return false;
      }
    }
    return names_cpu(device);
  }
};

PyObject* tensor_of(PyArrayObject* x, bool drawn) {
  if (drawn) return new_tensor(reinterpret_cast<PyObject*>(x), Py_None);
  Py_DECREF(x);
  return nullptr;
}

PyObject* drawn(Stream& stream, bool normal, DType dtype, int ndim, const npy_intp* shape) {
  PyArrayObject* x = array_of(dtype, ndim, shape);
  return x ? tensor_of(x, draw(stream, normal, x, 0, 1)) : nullptr;
}

// fast_draw(normal, size, options): rand (normal False) or randn.
PyObject* fast_draw(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_draw", nargs, 3)) return nullptr;
  Options options;
  int ndim;
  npy_intp shape[kMaxDims];
  DType dtype;
  if (!options.read(args[2]) || options.size || !small_shape(args[1], &ndim, shape) ||
      !dtype_given(options.dtype, default_dtype(), &dtype) || !is_real(dtype)) {
    return new_none();
  }
  Stream stream(options.generator);
  if (!stream.state) return new_none();
  return drawn(stream, args[0] == Py_True, dtype, ndim, shape);
}

// fast_draw_like(normal, input, options)
PyObject* fast_draw_like(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_draw_like", nargs, 3)) return nullptr;
  Options options;
  DType dtype;
  PyArrayObject* x = plain_array(args[1]);
  if (!x || PyArray_SIZE(x) > kSmallTensor || !PyArray_IS_C_CONTIGUOUS(x) ||
      !options.read(args[2]) || options.size ||
      !dtype_given(options.dtype, dtype_of(PyArray_DESCR(x)), &dtype) || !is_real(dtype)) {
    return new_none();
  }
  Stream stream(options.generator);
  if (!stream.state) return new_none();
  return drawn(stream, args[0] == Py_True, dtype, PyArray_NDIM(x), PyArray_DIMS(x));
}

// fast_randint(args, options): randint(high, size) or randint(low, high, size).
PyObject* fast_randint(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_randint", nargs, 2)) return nullptr;
  Options options;
  if (!options.read(args[1])) return new_none();
  Py_ssize_t count = PyTuple_GET_SIZE(args[0]);
  PyObject* size = options.size;
  if (!size && count) size = PyTuple_GET_ITEM(args[0], --count);
  if (!size || !(PyTuple_Check(size) || PyList_CheckExact(size)) || count < 1 || count > 2) {
    return new_none();
  }
  Py_ssize_t low = 0, high;
  int ndim;
  npy_intp shape[kMaxDims];
  DType dtype;
  if ((count == 2 && !plain_int(PyTuple_GET_ITEM(args[0], 0), &low)) ||
      !plain_int(PyTuple_GET_ITEM(args[0], count - 1), &high) || low < -(int64_t{1} << 31) ||
      high > (int64_t{1} << 31) || low >= high || high - low >= 1 << 28 ||
      !dtype_given(options.dtype, DType::kInt64, &dtype) ||
      (dtype != DType::kInt64 && dtype != DType::kInt32)) {
    return new_none();
  }
  PyObject* packed = PyTuple_Pack(1, size);
  if (!packed) return nullptr;
  const bool small = small_shape(packed, &ndim, shape);
  Py_DECREF(packed);
  if (!small) return new_none();
  Stream stream(options.generator);
  if (!stream.state) return new_none();
  PyArrayObject* x = array_of(dtype, ndim, shape);
  if (!x) return nullptr;
  const uint32_t span = static_cast<uint32_t>(high - low);
  uint32_t raw[256];
  for (npy_intp done = 0, n = PyArray_SIZE(x); done < n;) {
    const npy_intp part = std::min<npy_intp>(n - done, 256);
    stream_draw32(stream.state, raw, part);
    for (npy_intp i = 0; i < part; ++i, ++done) {
      const int64_t value = static_cast<int64_t>(raw[i] % span) + low;
      if (is_wide(x)) {
        data_of<int64_t>(x)[done] = value;
      } else {
        data_of<int32_t>(x)[done] = static_cast<int32_t>(value);
      }
    }
  }
  return tensor_of(x, true);
}

// fast_randperm(n, generator): int64.
PyObject* fast_randperm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_randperm", nargs, 2)) return nullptr;
  Py_ssize_t n;
  if (!plain_int(args[0], &n) || n < 0 || n > kSmallTensor) return new_none();
  Stream stream(args[1]);
  if (!stream.state || !g_types.size) return new_none();
  PyArrayObject* x = array_of(DType::kInt64, 1, &n);
  if (!x) return nullptr;
  for (npy_intp i = 0; i < n; ++i) data_of<int64_t>(x)[i] = i;
  stream_shuffle(stream.state, data_of<int64_t>(x), n);
  return tensor_of(x, true);
}

template <class T>
bool all_between(PyArrayObject* x, T least, T most) {
  const T* values = data_of<T>(x);
  return std::all_of(values, values + PyArray_SIZE(x),
                     [=](T v) { return v >= least && v <= most; });
}

// The array in C order of a float32 or float64 tensor; nullptr for any other object.
PyArrayObject* plain_real(PyObject* input) {
  PyArrayObject* x = plain_array(input);
  return x && PyArray_ISCARRAY_RO(x) && is_real(dtype_of(PyArray_DESCR(x))) && g_types.size
             ? x
             : nullptr;
}

template <class T>
void below(Stream& stream, PyArrayObject* chance, PyArrayObject* out) {
  const npy_intp n = PyArray_SIZE(chance);
  stream_uniform(stream.state, data_of<T>(out), n, 0, 1);
  for (npy_intp i = 0; i < n; ++i) {
    T& value = data_of<T>(out)[i];
    value = value < data_of<T>(chance)[i] ? T(1) : T(0);
  }
}

// fast_bernoulli(input, generator): 1 with the probabilities in input.
PyObject* fast_bernoulli(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_bernoulli", nargs, 2)) return nullptr;
  PyArrayObject* p = plain_real(args[0]);
  if (!p || PyArray_SIZE(p) > kSmallTensor ||
      !(is_wide(p) ? all_between(p, 0.0, 1.0) : all_between(p, 0.0f, 1.0f))) {
    return new_none();
  }
  Stream stream(args[1]);
  if (!stream.state) return new_none();
  PyArrayObject* x = array_of(dtype_of(PyArray_DESCR(p)), PyArray_NDIM(p), PyArray_DIMS(p));
  if (!x) return nullptr;
  if (is_wide(p)) {
    below<double>(stream, p, x);
  } else {
    below<float>(stream, p, x);
  }
  return tensor_of(x, true);
}

// ---- in place ----

// Fills a tensor outside the graph, of float32 or float64, of any size: whether it was done.
PyObject* fill(bool normal, PyObject* const* args) {
  PyArrayObject* x = may_write(args[0], Py_None) ? plain_real(args[0]) : nullptr;
  double x0, x1;
  if (!x || !plain_number(args[1], &x0) || !plain_number(args[2], &x1) || !std::isfinite(x0) ||
      !std::isfinite(x1) || (normal ? x1 < 0 : x0 > x1)) {
    Py_RETURN_FALSE;
  }
  Stream stream(args[3]);
  if (!stream.state) Py_RETURN_FALSE;
  Keep keep(true, {args[0], reinterpret_cast<PyObject*>(x)});
  if (!draw(stream, normal, x, x0, x1) || !cell_of(args[0]) || !note_write(args[0])) return nullptr;
  Py_RETURN_TRUE;
}

// fast_uniform(target, low, high, generator): whether it was done.
PyObject* fast_uniform(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return check_count("fast_uniform", nargs, 4) ? fill(false, args) : nullptr;
}

// fast_normal(target, mean, std, generator): whether it was done.
PyObject* fast_normal(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return check_count("fast_normal", nargs, 4) ? fill(true, args) : nullptr;
}

// bind_generator(cls, default): the class of generators and the one that functions take by default.
PyObject* bind_generator(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("bind_generator", nargs, 2)) return nullptr;
  if (!PyType_Check(args[0]) ||
      !PyObject_TypeCheck(args[1], reinterpret_cast<PyTypeObject*>(args[0]))) {
    return fail(PyExc_TypeError, "bind_generator: needed: a class and an instance");
  }
  PyTypeObject* cls = reinterpret_cast<PyTypeObject*>(args[0]);
  g_lock = offset_of(cls, "_lock");
  g_state = g_lock < 0 ? -1 : offset_of(cls, "_state");
  g_normal = g_state < 0 ? -1 : offset_of(cls, "_normal");
  if (g_normal < 0) return nullptr;
  Py_INCREF(cls);  // they live for ever
  g_default = Py_NewRef(args[1]);
  g_generator = cls;
  return new_none();
}

PyMethodDef kFunctions[] = {
    MG_FAST(bind_generator, "Tells the class of generators and the default one"),
    MG_FAST(fast_draw, "fast_draw(normal, size, options): rand or randn, or None"),
    MG_FAST(fast_draw_like, "fast_draw_like(normal, input, options): the same, or None"),
    MG_FAST(fast_randint, "fast_randint(args, options): a tensor, or None"),
    MG_FAST(fast_randperm, "fast_randperm(n, generator): a tensor, or None"),
    MG_FAST(fast_bernoulli, "fast_bernoulli(input, generator): a tensor, or None"),
    MG_FAST(fast_uniform, "fast_uniform(target, low, high, generator): whether it was done"),
    MG_FAST(fast_normal, "fast_normal(target, mean, std, generator): whether it was done"),
    MG_TABLE_END,
};

}  // namespace

void bind_draw(PyObject* module) {
  const char* names[] = {"dtype", "device", "generator", "size", "requires_grad", "pin_memory"};
  for (int i = 0; i < 6; ++i) {
    g_option_names[i] = PyUnicode_InternFromString(names[i]);
    if (!g_option_names[i]) throw_python_error();
  }
  g_acquire = PyUnicode_InternFromString("acquire");
  g_release = PyUnicode_InternFromString("release");
  if (!g_acquire || !g_release) throw_python_error();
  add_functions(module, kFunctions);
}

}  // namespace mg
