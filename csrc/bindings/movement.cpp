// _C.flip, roll, repeat, repeat_each, pad, triangle: copies of C-contiguous arrays in another
// order. Each of the first five is a list of stretches for every dimension; dimensions that stay as
// they are merge with their neighbours. None: NumPy's work (other elements, strides, many
// dimensions).
#include "bindings/movement.h"

#include <algorithm>

#include "bindings/families.h"
#include "bindings/graph.h"
#include "runtime/memory.h"

namespace mg {

PyArrayObject* readable(PyObject* argument) {
  if (!PyArray_CheckExact(argument)) return nullptr;
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(argument);
  const npy_intp item = PyArray_ITEMSIZE(x);
  const bool fits = item == 1 || item == 2 || item == 4 || item == 8;
  const bool plain = PyArray_ISCARRAY_RO(x) && !PyDataType_REFCHK(PyArray_DESCR(x));
  return fits && plain ? x : nullptr;
}

static int64_t table_size(const Movement& m) {
  int64_t places = 0;
  for (int d = 0; d < m.ndim - 1; ++d) places += m.out[d];
  return places;
}

PyObject* moved(PyArrayObject* x, Maps* maps, uint64_t fill) {
  Movement m;
  if (maps->ndim() > NPY_MAXDIMS - 1 || !maps->finish(&m)) return new_none();
  m.fill = fill;
  PyArray_Descr* descr = PyArray_DESCR(x);
  Py_INCREF(descr);
  PyObject* out = new_array(descr, maps->ndim(), maps->shape());
  if (!out) return nullptr;
  PyArrayObject* y = reinterpret_cast<PyArrayObject*>(out);
  if (PyArray_SIZE(y) == 0) return out;
  int64_t small[64];
  const int64_t places = table_size(m);
  Workspace scratch(places > 64 ? sizeof(int64_t) * static_cast<size_t>(places) : 0);
  if (scratch.failed()) {
    Py_DECREF(out);
    return PyErr_NoMemory();
  }
  m.table = places > 64 ? static_cast<int64_t*>(scratch.data()) : small;
  KernelScope scope(0.1 * static_cast<double>(PyArray_NBYTES(y)));
  kernels().movement.move(PyArray_DATA(y), PyArray_DATA(x), m);
  return out;
}

void flip_maps(PyArrayObject* x, const bool* turned, Maps* maps) {
  for (int d = 0; d < PyArray_NDIM(x); ++d) {
    const int64_t extent = PyArray_DIM(x, d);
    maps->dimension(extent);
    maps->add(extent, turned[d] ? extent - 1 : 0, turned[d] ? -1 : 1);
  }
}

void add_shift(PyArrayObject* x, int64_t shift, int64_t dim, int64_t* by) {
  const int64_t extent = max_of(PyArray_DIM(x, dim), 1);
  by[dim] = ((by[dim] + shift % extent) % extent + extent) % extent;
}

void roll_maps(PyArrayObject* x, const int64_t* by, Maps* maps) {
  for (int d = 0; d < PyArray_NDIM(x); ++d) {
    const int64_t extent = PyArray_DIM(x, d);
    maps->dimension(extent);
    maps->add(by[d], extent - by[d], 1);
    maps->add(extent - by[d], 0, 1);
  }
}

void repeat_maps(PyArrayObject* x, int n, const int64_t* times, Maps* maps) {
  const int lead = n - PyArray_NDIM(x);
  for (int d = 0; d < n; ++d) {
    const int64_t extent = d < lead ? 1 : PyArray_DIM(x, d - lead);
    maps->dimension(extent);
    if (extent == 1 && times[d] > 1) {
      maps->add(times[d], 0, 0);
      continue;
    }
    for (int64_t k = 0; extent && k < times[d]; ++k) maps->add(extent, 0, 1);
  }
}

void each_maps(int ndim, const npy_intp* shape, int64_t times, int64_t dim, Maps* maps) {
  for (int d = 0; d < ndim; ++d) {
    if (d != dim) {
      maps->whole(shape[d]);
      continue;
    }
    maps->dimension(shape[d]);
    maps->add(shape[d] * times, 0, 1, times);
  }
}

bool pad_dimension(int64_t n, int64_t before, int64_t after, int mode, Maps* maps) {
  maps->dimension(n);
  const int64_t first = max_of(-before, 0), end = n - max_of(-after, 0);
  const int64_t left = max_of(before, 0), right = max_of(after, 0), inside = end - first;
  if (mode == kConstant) {
    if (inside < 0) return false;
    maps->add(left, -1, 0);
    maps->add(inside, first, 1);
    maps->add(right, -1, 0);
    return true;
  }
  if (left + right == 0 && inside >= 0) {
    maps->add(inside, first, 1);
    return true;
  }
  if (inside < 1 || n < 1) return false;
  if (mode == kReflect) {
    if (left >= n || right >= n) return false;
    maps->add(left, left, -1);
    maps->add(inside, first, 1);
    maps->add(right, n - 2, -1);
  } else if (mode == kReplicate) {
    maps->add(left, 0, 0);
    maps->add(inside, first, 1);
    maps->add(right, n - 1, 0);
  } else {  // what is cut off does not come round again
    if (left > inside || right > inside) return false;
    maps->add(left, end - left, 1);
    maps->add(inside, first, 1);
    maps->add(right, first, 1);
  }
  return true;
}

namespace {

// Reads a tuple of ints; their number, or -1 with an error set.
int read_tuple(const char* kernel, PyObject* argument, int64_t* values) {
  if (!PyTuple_CheckExact(argument) || PyTuple_GET_SIZE(argument) > 2 * NPY_MAXDIMS) {
    fail(PyExc_TypeError, "%s: a short tuple of ints is needed", kernel);
    return -1;
  }
  const int n = static_cast<int>(PyTuple_GET_SIZE(argument));
  for (int i = 0; i < n; ++i) {
    values[i] = PyLong_AsLongLong(PyTuple_GET_ITEM(argument, i));
    if (values[i] == -1 && PyErr_Occurred()) return -1;
  }
  return n;
}

bool need_dim(const char* kernel, int64_t dim, int ndim) {
  if (dim >= 0 && dim < ndim) return true;
  fail(PyExc_ValueError, "%s: dimension %lld of %d", kernel, static_cast<long long>(dim), ndim);
  return false;
}

// flip(x, dims)
PyObject* flip(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t dims[2 * NPY_MAXDIMS];
  if (!check_count("flip", nargs, 2)) return nullptr;
  PyArrayObject* x = readable(args[0]);
  if (!x) return new_none();
  const int n = read_tuple("flip", args[1], dims), ndim = PyArray_NDIM(x);
  if (n < 0) return nullptr;
  bool turned[NPY_MAXDIMS] = {};
  for (int i = 0; i < n; ++i) {
    if (!need_dim("flip", dims[i], ndim)) return nullptr;
    turned[dims[i]] = true;
  }
  Maps maps(PyArray_ITEMSIZE(x));
  flip_maps(x, turned, &maps);
  return ndim ? moved(x, &maps) : new_none();
}

// roll(x, shifts, dims)
PyObject* roll(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t shifts[2 * NPY_MAXDIMS], dims[2 * NPY_MAXDIMS];
  if (!check_count("roll", nargs, 3)) return nullptr;
  PyArrayObject* x = readable(args[0]);
  if (!x) return new_none();
  const int n = read_tuple("roll", args[1], shifts), count = read_tuple("roll", args[2], dims);
  if (n < 0 || count < 0) return nullptr;
  if (n != count) return fail(PyExc_ValueError, "roll: %d shifts for %d dimensions", n, count);
  const int ndim = PyArray_NDIM(x);
  int64_t by[NPY_MAXDIMS] = {};
  for (int i = 0; i < n; ++i) {
    if (!need_dim("roll", dims[i], ndim)) return nullptr;
    add_shift(x, shifts[i], dims[i], by);
  }
  Maps maps(PyArray_ITEMSIZE(x));
  roll_maps(x, by, &maps);
  return ndim ? moved(x, &maps) : new_none();
}

// repeat(x, times): times has a number for every dimension, and for new ones before them.
PyObject* repeat(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t times[2 * NPY_MAXDIMS];
  if (!check_count("repeat", nargs, 2)) return nullptr;
  PyArrayObject* x = readable(args[0]);
  if (!x) return new_none();
  const int n = read_tuple("repeat", args[1], times), lead = n - PyArray_NDIM(x);
  if (n < 0) return nullptr;
  if (lead < 0) return fail(PyExc_ValueError, "repeat: %d numbers for %d", n, PyArray_NDIM(x));
  if (n == 0 || n >= NPY_MAXDIMS) return new_none();
  for (int d = 0; d < n; ++d) {
    if (times[d] < 0) return fail(PyExc_ValueError, "repeat: a negative number");
  }
  Maps maps(PyArray_ITEMSIZE(x));
  repeat_maps(x, n, times, &maps);
  return moved(x, &maps);
}

// repeat_each(x, times, dim): every place of the dimension `times` times in a row.
PyObject* repeat_each(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t times, dim;
  if (!check_count("repeat_each", nargs, 3) || !read_int("repeat_each", "times", args[1], &times) ||
      !read_int("repeat_each", "dim", args[2], &dim)) {
    return nullptr;
  }
  PyArrayObject* x = readable(args[0]);
  if (!x) return new_none();
  if (!need_dim("repeat_each", dim, PyArray_NDIM(x))) return nullptr;
  if (times < 0) return fail(PyExc_ValueError, "repeat_each: a negative number");
  Maps maps(PyArray_ITEMSIZE(x));
  each_maps(PyArray_NDIM(x), PyArray_DIMS(x), times, dim, &maps);
  return moved(x, &maps);
}

// Reads (before, after, before, after ...) of all dimensions into maps: 1, 0 for NumPy's work, -1.
int pad_maps(const char* kernel, PyObject* widths, PyObject* mode, int ndim, const npy_intp* shape,
             Maps* maps) {
  int64_t width[2 * NPY_MAXDIMS], number;
  const int count = read_tuple(kernel, widths, width);
  if (count < 0 || !read_int(kernel, "mode", mode, &number)) return -1;
  if (count != 2 * ndim || number < kConstant || number > kCircular) {
    fail(PyExc_ValueError, "%s: mode %d and %d widths for %d dimensions", kernel,
         static_cast<int>(number), count, ndim);
    return -1;
  }
  for (int d = 0; d < ndim; ++d) {
    if (!pad_dimension(shape[d], width[2 * d], width[2 * d + 1], static_cast<int>(number), maps)) {
      return 0;
    }
  }
  return ndim > 0;
}

// pad(x, widths, mode, value): `value` an array of x's type, with one element.
PyObject* pad(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("pad", nargs, 4)) return nullptr;
  PyArrayObject* x = readable(args[0]);
  PyArrayObject* value = readable(args[3]);
  if (!x || !value || PyArray_ITEMSIZE(value) != PyArray_ITEMSIZE(x) || PyArray_SIZE(value) != 1) {
    return new_none();
  }
  Maps maps(PyArray_ITEMSIZE(x));
  const int status = pad_maps("pad", args[1], args[2], PyArray_NDIM(x), PyArray_DIMS(x), &maps);
  if (status <= 0) return status ? nullptr : new_none();
  uint64_t fill = 0;
  memcpy(&fill, PyArray_DATA(value), static_cast<size_t>(PyArray_ITEMSIZE(x)));
  return moved(x, &maps, fill);
}

// The gradient of a copy by maps: what was taken from each place of an array of `shape`.
PyObject* added_back(PyArrayObject* grad, int ndim, const npy_intp* shape, Maps* maps) {
  Movement m;
  const bool same = maps->ndim() == PyArray_NDIM(grad) &&
                    std::equal(maps->shape(), maps->shape() + maps->ndim(), PyArray_DIMS(grad));
  if (!same) {
    return fail(PyExc_ValueError, "the gradient of a copy: its shape is not that of the copy");
  }
  if (!maps->finish(&m)) return new_none();
  PyArray_Descr* descr = PyArray_DESCR(grad);
  Py_INCREF(descr);
  PyObject* out = new_array(descr, ndim, shape);
  if (!out) return nullptr;
  PyArrayObject* y = reinterpret_cast<PyArrayObject*>(out);
  if (PyArray_SIZE(grad) == 0) {
    memset(PyArray_DATA(y), 0, static_cast<size_t>(PyArray_NBYTES(y)));
    return out;
  }
  Workspace scratch(sizeof(int64_t) * static_cast<size_t>(table_size(m) + 1));
  if (scratch.failed()) {
    Py_DECREF(out);
    return PyErr_NoMemory();
  }
  m.table = static_cast<int64_t*>(scratch.data());
  KernelScope scope(0.1 * static_cast<double>(PyArray_NBYTES(grad)));
  kernels().movement.add_back(PyArray_DATA(y), PyArray_DATA(grad), PyArray_TYPE(grad) == NPY_DOUBLE,
                              m);
  return out;
}

// Reads a gradient that add_back takes, and the shape of the input; false: None or the error.
bool read_back(const char* kernel, PyObject* const* args, PyArrayObject** grad, int* ndim,
               npy_intp* shape) {
  *grad = readable(args[0]);
  if (!*grad || !is_fast(args[0])) return false;
  int64_t sizes[2 * NPY_MAXDIMS];
  *ndim = read_tuple(kernel, args[1], sizes);
  if (*ndim < 0 || *ndim > NPY_MAXDIMS) return false;
  for (int d = 0; d < *ndim; ++d) shape[d] = sizes[d];
  return *ndim > 0;
}

// pad_backward(grad, shape, widths, mode)
PyObject* pad_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  PyArrayObject* grad;
  int ndim;
  npy_intp shape[NPY_MAXDIMS];
  if (!check_count("pad_backward", nargs, 4)) return nullptr;
  if (!read_back("pad_backward", args, &grad, &ndim, shape)) {
    return PyErr_Occurred() ? nullptr : new_none();
  }
  Maps maps(PyArray_ITEMSIZE(grad));
  const int status = pad_maps("pad_backward", args[2], args[3], ndim, shape, &maps);
  if (status <= 0) return status ? nullptr : new_none();
  return added_back(grad, ndim, shape, &maps);
}

// repeat_each_backward(grad, shape, times, dim)
PyObject* repeat_each_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  PyArrayObject* grad;
  int ndim;
  npy_intp shape[NPY_MAXDIMS];
  int64_t times, dim;
  if (!check_count("repeat_each_backward", nargs, 4) ||
      !read_int("repeat_each_backward", "times", args[2], &times) ||
      !read_int("repeat_each_backward", "dim", args[3], &dim)) {
    return nullptr;
  }
  if (!read_back("repeat_each_backward", args, &grad, &ndim, shape)) {
    return PyErr_Occurred() ? nullptr : new_none();
  }
  if (!need_dim("repeat_each_backward", dim, ndim)) return nullptr;
  Maps maps(PyArray_ITEMSIZE(grad));
  each_maps(ndim, shape, times, dim, &maps);
  return added_back(grad, ndim, shape, &maps);
}

// triangle(x, diagonal, upper): the last two dimensions' lower or upper triangle, and zeros.
PyObject* triangle(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t diagonal;
  bool upper;
  if (!check_count("triangle", nargs, 3) || !read_int("triangle", "diagonal", args[1], &diagonal) ||
      !read_bool("triangle", "upper", args[2], &upper)) {
    return nullptr;
  }
  PyArrayObject* x = readable(args[0]);
  if (!x || PyArray_NDIM(x) < 2) return new_none();
  PyObject* out = array_like(x);
  if (!out || PyArray_SIZE(x) == 0) return out;
  const int ndim = PyArray_NDIM(x);
  const int64_t rows = PyArray_DIM(x, ndim - 2), columns = PyArray_DIM(x, ndim - 1);
  diagonal = min_of(max_of(diagonal, -rows - 1), columns + 1);
  KernelScope scope(0.1 * static_cast<double>(PyArray_NBYTES(x)));
  kernels().movement.triangle(PyArray_DATA(reinterpret_cast<PyArrayObject*>(out)), PyArray_DATA(x),
                              PyArray_ITEMSIZE(x), PyArray_SIZE(x) / (rows * columns), rows,
                              columns, diagonal, upper);
  return out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(flip, "flip(x, dims): a copy, or None"),
    MG_FAST(roll, "roll(x, shifts, dims): a copy, or None"),
    MG_FAST(repeat, "repeat(x, times): a copy, or None"),
    MG_FAST(repeat_each, "repeat_each(x, times, dim): a copy, or None"),
    MG_FAST(repeat_each_backward, "repeat_each_backward(grad, shape, times, dim)"),
    MG_FAST(pad, "pad(x, widths, mode, value): a copy, or None"),
    MG_FAST(pad_backward, "pad_backward(grad, shape, widths, mode): an array, or None"),
    MG_FAST(triangle, "triangle(x, diagonal, upper): a copy, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_movement(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
