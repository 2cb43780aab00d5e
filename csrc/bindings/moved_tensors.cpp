// fast_flip, fast_roll, fast_repeat, fast_repeat_each, fast_pad: copies in another order of tensors
// outside the graph, in one call. None: Python's work (recording, other arguments, errors).
#include "bindings/families.h"
#include "bindings/movement.h"
#include "bindings/types.h"

namespace mg {
namespace {

// The array of a tensor whose copy is not recorded; nullptr for anything else.
PyArrayObject* free_array(PyObject* input) {
  if (!g.tensor || !is_variable(input)) return nullptr;
  if (t_recording && slot(input, g.fn) != Py_None) return nullptr;
  PyArrayObject* x = readable(slot(input, g.array));
  return x && PyArray_NDIM(x) > 0 ? x : nullptr;
}

// The tensor of the copy; None stays None.
PyObject* moved_tensor(PyArrayObject* x, Maps* maps, uint64_t fill = 0) {
  Keep keep(true, {reinterpret_cast<PyObject*>(x)});
  PyObject* array = moved(x, maps, fill);
  return !array || array == Py_None ? array : new_tensor(array, Py_None);
}

bool read_one(PyObject* given, int64_t* value) {
  if (!PyLong_CheckExact(given)) return false;
  int overflow;
  *value = PyLong_AsLongLongAndOverflow(given, &overflow);
  return !overflow && *value > -(int64_t{1} << 40) && *value < int64_t{1} << 40;
}

// The ints of a tuple or list; their number, or -1 where Python has to look.
int read_ints(PyObject* given, int64_t* values) {
  const bool tuple = PyTuple_CheckExact(given);
  if ((!tuple && !PyList_CheckExact(given)) || Py_SIZE(given) > NPY_MAXDIMS) return -1;
  const int n = static_cast<int>(Py_SIZE(given));
  for (int i = 0; i < n; ++i) {
    PyObject* item = tuple ? PyTuple_GET_ITEM(given, i) : PyList_GET_ITEM(given, i);
    if (!read_one(item, values + i)) return -1;
  }
  return n;
}

// The same for what a function took as *args: ints, or one tuple or list of them.
int read_arguments(PyObject* args, int64_t* values) {
  if (!PyTuple_CheckExact(args)) return -1;
  const bool nested = PyTuple_GET_SIZE(args) == 1 && !PyLong_CheckExact(PyTuple_GET_ITEM(args, 0));
  return read_ints(nested ? PyTuple_GET_ITEM(args, 0) : args, values);
}

// Counts dimensions from the front; false if one is not there.
bool count_from_front(int64_t* dims, int n, int ndim) {
  for (int i = 0; i < n; ++i) {
    if (dims[i] < 0) dims[i] += ndim;
    if (dims[i] < 0 || dims[i] >= ndim) return false;
  }
  return true;
}

// fast_flip(input, dims)
PyObject* fast_flip(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_flip", nargs, 2)) return nullptr;
  PyArrayObject* x = free_array(args[0]);
  int64_t dims[NPY_MAXDIMS];
  const int n = x ? read_arguments(args[1], dims) : -1;
  if (n < 0 || !count_from_front(dims, n, PyArray_NDIM(x))) return new_none();
  bool turned[NPY_MAXDIMS] = {};
  for (int i = 0; i < n; ++i) {
    if (turned[dims[i]]) return new_none();
    turned[dims[i]] = true;
  }
  Maps maps(PyArray_ITEMSIZE(x));
  flip_maps(x, turned, &maps);
  return moved_tensor(x, &maps);
}

// fast_roll(input, shifts, dims)
PyObject* fast_roll(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_roll", nargs, 3)) return nullptr;
  PyArrayObject* x = free_array(args[0]);
  if (!x) return new_none();
  int64_t shifts[NPY_MAXDIMS], dims[NPY_MAXDIMS];
  const int n = read_one(args[1], shifts) ? 1 : read_ints(args[1], shifts);
  const int count = read_one(args[2], dims) ? 1 : read_ints(args[2], dims);
  const int ndim = PyArray_NDIM(x);
  if (n < 1 || n != count || !count_from_front(dims, n, ndim)) return new_none();
  int64_t by[NPY_MAXDIMS] = {};
  for (int i = 0; i < n; ++i) add_shift(x, shifts[i], dims[i], by);
  Maps maps(PyArray_ITEMSIZE(x));
  roll_maps(x, by, &maps);
  return moved_tensor(x, &maps);
}

// fast_repeat(input, times)
PyObject* fast_repeat(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_repeat", nargs, 2)) return nullptr;
  PyArrayObject* x = free_array(args[0]);
  int64_t times[NPY_MAXDIMS];
  const int n = x ? read_arguments(args[1], times) : -1, lead = x ? n - PyArray_NDIM(x) : -1;
  if (lead < 0 || n >= NPY_MAXDIMS) return new_none();
  for (int d = 0; d < n; ++d) {
    if (times[d] < 0 || times[d] > 64) return new_none();
  }
  Maps maps(PyArray_ITEMSIZE(x));
  repeat_maps(x, n, times, &maps);
  return moved_tensor(x, &maps);
}

// fast_repeat_each(input, times, dim)
PyObject* fast_repeat_each(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_repeat_each", nargs, 3)) return nullptr;
  PyArrayObject* x = free_array(args[0]);
  int64_t times, dim;
  if (!x || !read_one(args[1], &times) || !read_one(args[2], &dim) || times < 0 ||
      times > INT32_MAX || !count_from_front(&dim, 1, PyArray_NDIM(x))) {
    return new_none();
  }
  Maps maps(PyArray_ITEMSIZE(x));
  each_maps(PyArray_NDIM(x), PyArray_DIMS(x), times, dim, &maps);
  return moved_tensor(x, &maps);
}

// The number of a mode's name; -1 for any other object.
int read_mode(PyObject* given) {
  constexpr const char* kNames[] = {"constant", "reflect", "replicate", "circular"};
  if (!PyUnicode_CheckExact(given)) return -1;
  for (int mode = kConstant; mode <= kCircular; ++mode) {
    if (PyUnicode_CompareWithASCIIString(given, kNames[mode]) == 0) return mode;
  }
  return -1;
}

// fast_pad(input, pad, mode, value): `pad` as PyTorch has it, from the last dimension on. With the
// tensor's own elements one to three dimensions, before which there are one or two others.
PyObject* fast_pad(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_pad", nargs, 4)) return nullptr;
  PyArrayObject* x = free_array(args[0]);
  const int mode = read_mode(args[2]);
  int64_t width[NPY_MAXDIMS];
  const int n = x ? read_ints(args[1], width) : -1;
  const int ndim = x ? PyArray_NDIM(x) : 0;
  uint64_t fill = 0;
  if (n < 0 || n % 2 || n > 2 * ndim || mode < 0) return new_none();
  if (mode == kConstant) {
    if (args[3] != Py_None && !element_of(dtype_of(PyArray_DESCR(x)), args[3], &fill)) {
      return new_none();
    }
  } else if (args[3] != Py_None || n < 2 || n > 6 || ndim < n / 2 + 1 || ndim > n / 2 + 2 ||
             PyArray_SIZE(x) == 0 || PyArray_TYPE(x) == NPY_BOOL) {
    return new_none();
  }
  Maps maps(PyArray_ITEMSIZE(x));
  for (int d = 0; d < ndim; ++d) {
    const int at = 2 * (ndim - 1 - d);
    const int64_t before = at < n ? width[at] : 0, after = at < n ? width[at + 1] : 0;
    if (before < 0 || after < 0 || !pad_dimension(PyArray_DIM(x, d), before, after, mode, &maps)) {
      return new_none();
    }
  }
  return moved_tensor(x, &maps, fill);
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_flip, "fast_flip(input, dims): a tensor, or None"),
    MG_FAST(fast_roll, "fast_roll(input, shifts, dims): a tensor, or None"),
    MG_FAST(fast_repeat, "fast_repeat(input, times): a tensor, or None"),
    MG_FAST(fast_repeat_each, "fast_repeat_each(input, times, dim): a tensor, or None"),
    MG_FAST(fast_pad, "fast_pad(input, pad, mode, value): a tensor, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_moved_tensors(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
