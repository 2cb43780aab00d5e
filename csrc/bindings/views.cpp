// Views in one call: the same memory in another shape, with its place in the graph, as
// minigrad/ops/{movement,permutation}.py say in Python. The functions named fast_ return None for
// what they leave to that code: errors, anything but plain arrays and ints, anomaly detection.
#include "bindings/views.h"

#include "bindings/families.h"

namespace mg {
namespace {

struct Names {
  PyObject *shape, *dims, *variant, *where;
} n;

constexpr npy_intp kFarthest = 1LL << 40;  // of a diagonal's offset

}  // namespace

PyArrayObject* plain_array(PyObject* input) {
  if (g_anomaly || !g.tensor || !is_variable(input)) return nullptr;
  PyObject* array = slot(input, g.array);
  if (!PyArray_CheckExact(array)) return nullptr;
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(array);
  return PyArray_NDIM(x) < kMaxDims ? x : nullptr;
}

bool plain_int(PyObject* object, Py_ssize_t* value) {
  if (!PyLong_CheckExact(object)) return false;
  *value = PyLong_AsSsize_t(object);
  if (*value != -1 || !PyErr_Occurred()) return true;
  PyErr_Clear();
  return false;
}
bool plain_dim(PyObject* object, int ndim, int* dim) {
  Py_ssize_t d;
  if (!plain_int(object, &d) || d < -ndim || d >= ndim) return false;
  *dim = static_cast<int>(d < 0 ? d + ndim : d);
  return true;
}

PyObject* view_array(PyArrayObject* x, const Dims& d) {
  PyArray_Descr* descr = PyArray_DESCR(x);
  Py_INCREF(descr);
  const int flags = PyArray_FLAGS(x) & (NPY_ARRAY_WRITEABLE | NPY_ARRAY_ALIGNED);
  PyObject* view = PyArray_NewFromDescr(&PyArray_Type, descr, d.ndim, d.shape, d.strides, d.data,
                                        flags, nullptr);
  if (!view) return nullptr;
  Py_INCREF(x);
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(view),
                            reinterpret_cast<PyObject*>(x)) < 0) {
    Py_DECREF(view);
    return nullptr;
  }
  return view;
}

PyObject* tuple_of(const npy_intp* values, int count) {
  PyObject* tuple = PyTuple_New(count);
  for (int i = 0; tuple && i < count; ++i) {
    PyObject* value = PyLong_FromSsize_t(values[i]);
    if (!value) Py_CLEAR(tuple);
    if (tuple) PyTuple_SET_ITEM(tuple, i, value);
  }
  return tuple;
}

bool set_attribute(PyObject* object, PyObject* name, PyObject* value) {
  const bool ok = value && PyObject_SetAttr(object, name, value) == 0;
  Py_XDECREF(value);
  return ok;
}

PyObject* finish_view(PyObject* cls, PyObject* input, PyArrayObject* x, const Dims& d,
                      PyObject* argument, PyObject* name, PyObject* more) {
  if (!argument) return nullptr;
  PyObject* fn = t_recording ? slot(input, g.fn) : Py_None;
  PyObject* node = nullptr;
  bool ok = true;
  if (fn != Py_None) {
    node = new_node(cls, PyTuple_Pack(1, fn));
    ok = node &&
         (name == n.dims ||
          set_attribute(node, n.shape, tuple_of(PyArray_DIMS(x), PyArray_NDIM(x)))) &&
         (!name || PyObject_SetAttr(node, name, argument) == 0) &&
         (!more || PyObject_SetAttr(node, n.variant, more) == 0);
  }
  PyObject* out = nullptr;
  if (ok) {
    PyObject* rest = more ? PyTuple_Pack(2, argument, more) : PyTuple_Pack(1, argument);
    PyObject* array = rest ? view_array(x, d) : nullptr;
    out = view_tensor(input, cls, rest, array, node ? node : Py_None, false);
  }
  Py_DECREF(argument);
  Py_XDECREF(node);
  return out;
}

namespace {

// The sizes in f(2, 3), f((2, 3)) or f([2, 3]), given as a tuple of arguments; -1 if other objects.
int read_sizes(PyObject* arguments, npy_intp* sizes) {
  if (!PyTuple_CheckExact(arguments)) return -1;
  PyObject* list = arguments;
  if (PyTuple_GET_SIZE(list) == 1) {
    PyObject* only = PyTuple_GET_ITEM(list, 0);
    if (PyTuple_Check(only) || PyList_CheckExact(only)) list = only;
  }
  const Py_ssize_t count = Py_SIZE(list);
  if (count >= kMaxDims) return -1;
  PyObject* const* items = PySequence_Fast_ITEMS(list);
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!plain_int(items[i], &sizes[i])) return -1;
  }
  return static_cast<int>(count);
}

// A C-contiguous array in the shape of `d`.
PyObject* reshaped(PyObject* cls, PyObject* input, PyArrayObject* x, Dims* d) {
  npy_intp stride = PyArray_ITEMSIZE(x);
  for (int i = d->ndim - 1; i >= 0; --i) {
    d->strides[i] = stride;
    if (d->shape[i]) stride *= d->shape[i];
  }
  d->data = PyArray_BYTES(x);
  return finish_view(cls, input, x, *d, tuple_of(d->shape, d->ndim), nullptr);
}

// fast_view(cls, input, sizes): a C-contiguous tensor in another shape, in which one size may be
// -1.
PyObject* fast_view(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_view", nargs, 3)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  Dims d;
  if (!x || !PyArray_IS_C_CONTIGUOUS(x) || PyArray_SIZE(x) == 0) return new_none();
  d.ndim = read_sizes(args[2], d.shape);
  if (d.ndim < 0 || (d.ndim == 0 && PyTuple_GET_SIZE(args[2]) == 0)) return new_none();
  npy_intp known = 1;
  int free = -1;
  for (int i = 0; i < d.ndim; ++i) {
    if (d.shape[i] == -1 && free < 0) {
      free = i;
    } else if (d.shape[i] < 1 || __builtin_mul_overflow(known, d.shape[i], &known)) {
      return new_none();
    }
  }
  const npy_intp size = PyArray_SIZE(x);
  if (free >= 0) {
    d.shape[free] = size / known;
    known *= d.shape[free];
  }
  if (known != size) return new_none();
  return reshaped(args[0], args[1], x, &d);
}

// fast_flatten(cls, input, start_dim, end_dim): these dimensions as one.
PyObject* fast_flatten(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_flatten", nargs, 4)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  int first, last;
  if (!x || !PyArray_IS_C_CONTIGUOUS(x) || !PyArray_NDIM(x) ||
      !plain_dim(args[2], PyArray_NDIM(x), &first) || !plain_dim(args[3], PyArray_NDIM(x), &last) ||
      first >= last) {
    return new_none();
  }
  Dims d;
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    if (i <= first || i > last) {
      d.add(PyArray_DIM(x, i), 0);
    } else {
      d.shape[first] *= PyArray_DIM(x, i);
    }
  }
  return reshaped(args[0], args[1], x, &d);
}

PyObject* permuted(PyObject* cls, PyObject* input, PyArrayObject* x, const npy_intp* order) {
  Dims d;
  d.data = PyArray_BYTES(x);
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    d.add(PyArray_DIM(x, static_cast<int>(order[i])),
          PyArray_STRIDE(x, static_cast<int>(order[i])));
  }
  return finish_view(cls, input, x, d, tuple_of(order, d.ndim), n.dims);
}

// fast_permute(cls, input, dims): dims as the sizes of fast_view.
PyObject* fast_permute(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_permute", nargs, 3)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  npy_intp order[kMaxDims];
  if (!x || read_sizes(args[2], order) != PyArray_NDIM(x)) return new_none();
  const int ndim = PyArray_NDIM(x);
  uint32_t seen = 0;
  for (int i = 0; i < ndim; ++i) {
    if (order[i] < 0) order[i] += ndim;
    if (order[i] < 0 || order[i] >= ndim) return new_none();
    seen |= uint32_t{1} << order[i];
  }
  if (ndim == 0 || seen + 1 != uint32_t{1} << ndim) return new_none();
  return permuted(args[0], args[1], x, order);
}

// fast_transpose(cls, input, dim0, dim1); with dim0 = None all dimensions in reverse order.
PyObject* fast_transpose(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_transpose", nargs, 4)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  if (!x || PyArray_NDIM(x) == 0) return new_none();
  const int ndim = PyArray_NDIM(x);
  const bool reverse = args[2] == Py_None;
  int a = 0, b = 0;
  if (!reverse && (!plain_dim(args[2], ndim, &a) || !plain_dim(args[3], ndim, &b))) {
    return new_none();
  }
  npy_intp order[kMaxDims];
  for (int i = 0; i < ndim; ++i) order[i] = reverse ? ndim - 1 - i : i;
  if (!reverse) {
    order[a] = b;
    order[b] = a;
  }
  return permuted(args[0], args[1], x, order);
}

// fast_t(cls, input): a matrix's or vector's dimensions in reverse order.
PyObject* fast_t(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_t", nargs, 2)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  if (!x || PyArray_NDIM(x) == 0 || PyArray_NDIM(x) > 2) return new_none();
  const npy_intp matrix[] = {1, 0}, vector[] = {0};
  return permuted(args[0], args[1], x, PyArray_NDIM(x) == 2 ? matrix : vector);
}

// fast_squeeze(cls, input, dim): without dimension `dim` if that has size 1.
PyObject* fast_squeeze(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_squeeze", nargs, 3)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  int dim;
  if (!x || PyArray_NDIM(x) == 0 || !plain_dim(args[2], PyArray_NDIM(x), &dim)) return new_none();
  Dims d;
  d.data = PyArray_BYTES(x);
  const npy_intp at = dim;
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    if (i != dim || PyArray_DIM(x, i) != 1) d.add(PyArray_DIM(x, i), PyArray_STRIDE(x, i));
  }
  PyObject* variant = PyLong_FromLong(1);
  PyObject* out = variant ? finish_view(args[0], args[1], x, d,
                                        tuple_of(&at, d.ndim < PyArray_NDIM(x)), nullptr, variant)
                          : nullptr;
  Py_XDECREF(variant);
  return out;
}

// fast_expand(cls, input, sizes): dimensions of size 1 repeated; -1 keeps a size.
PyObject* fast_expand(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_expand", nargs, 3)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  Dims d;
  d.ndim = x ? read_sizes(args[2], d.shape) : -1;
  const int lead = x ? d.ndim - PyArray_NDIM(x) : -1;
  if (lead < 0) return new_none();
  bool same = lead == 0;
  for (int i = 0; i < d.ndim; ++i) {
    const npy_intp from = i < lead ? 1 : PyArray_DIM(x, i - lead);
    if (i >= lead && d.shape[i] == -1) d.shape[i] = from;
    if (d.shape[i] < 0 || (d.shape[i] != from && from != 1)) return new_none();
    d.strides[i] = i < lead || d.shape[i] != from ? 0 : PyArray_STRIDE(x, i - lead);
    same = same && d.shape[i] == from;
  }
  if (same) return new_none();  // its gradient is passed on as it is: Python says so
  d.data = PyArray_BYTES(x);
  return finish_view(args[0], args[1], x, d, tuple_of(d.shape, d.ndim), nullptr);
}

// The diagonal of dimensions a != b, as the last dimension.
void read_diagonal(PyArrayObject* x, npy_intp offset, int a, int b, Dims* d) {
  const npy_intp skip = offset < 0 ? -offset : offset;
  const npy_intp rows = PyArray_DIM(x, a) - (offset < 0 ? skip : 0);
  const npy_intp columns = PyArray_DIM(x, b) - (offset < 0 ? 0 : skip);
  const npy_intp n = rows < columns ? rows : columns;
  d->data = static_cast<char*>(PyArray_DATA(x));
  if (n > 0) d->data += skip * PyArray_STRIDE(x, offset < 0 ? a : b);
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    if (i != a && i != b) d->add(PyArray_DIM(x, i), PyArray_STRIDE(x, i));
  }
  d->add(n > 0 ? n : 0, PyArray_STRIDE(x, a) + PyArray_STRIDE(x, b));
}

// The dimensions of a diagonal from the arguments offset, dim1, dim2; false for others.
bool diagonal_dims(PyObject* const* args, PyArrayObject* x, npy_intp* where, Dims* d) {
  int a, b;
  const int ndim = PyArray_NDIM(x);
  if (ndim < 2 || ndim >= kMaxDims || !plain_int(args[0], where) || *where < -kFarthest ||
      *where > kFarthest || !plain_dim(args[1], ndim, &a) || !plain_dim(args[2], ndim, &b) ||
      a == b) {
    return false;
  }
  where[1] = a, where[2] = b;
  read_diagonal(x, *where, a, b, d);
  return true;
}

// diagonal(x, offset, dim1, dim2): a view of an array; None for what is no plain one.
PyObject* diagonal(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("diagonal", nargs, 4)) return nullptr;
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(args[0]);
  npy_intp where[3];
  Dims d;
  if (!PyArray_CheckExact(args[0]) || !diagonal_dims(args + 1, x, where, &d)) return new_none();
  return view_array(x, d);
}

// fast_diagonal(cls, input, offset, dim1, dim2)
PyObject* fast_diagonal(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_diagonal", nargs, 5)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  npy_intp where[3];
  Dims d;
  if (!x || !diagonal_dims(args + 2, x, where, &d)) return new_none();
  return finish_view(args[0], args[1], x, d, tuple_of(where, 3), n.where);
}

// expand(x, shape): x seen with a shape that it broadcasts to; the repeated dimensions have stride
// 0.
PyObject* expand(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array x;
  if (!check_count("expand", nargs, 2) || !read_array("expand", "x", args[0], &x)) return nullptr;
  if (!PyTuple_CheckExact(args[1]) || PyTuple_GET_SIZE(args[1]) > kMaxDims ||
      PyTuple_GET_SIZE(args[1]) < x.ndim) {
    return fail(PyExc_TypeError, "expand: needed: a tuple of at least %d and at most %d sizes",
                x.ndim, kMaxDims);
  }
  const int ndim = static_cast<int>(PyTuple_GET_SIZE(args[1]));
  const int lead = ndim - x.ndim;
  Dims d;
  for (int i = 0; i < ndim; ++i) {
    d.shape[i] = PyLong_AsSsize_t(PyTuple_GET_ITEM(args[1], i));
    if (d.shape[i] == -1 && PyErr_Occurred()) return nullptr;
    const npy_intp from = i < lead ? 1 : x.shape[i - lead];
    if (d.shape[i] < 0 || (from != 1 && from != d.shape[i])) {
      return fail(PyExc_ValueError, "expand: %s does not broadcast to size %zd in dimension %d",
                  describe(x).c_str(), d.shape[i], i);
    }
    d.strides[i] = i < lead || (from == 1 && d.shape[i] != 1) ? 0 : x.strides[i - lead];
  }
  d.ndim = ndim;
  d.data = static_cast<char*>(x.data);
  return view_array(x.object, d);
}

PyMethodDef kFunctions[] = {
    MG_FAST(diagonal, "diagonal(x, offset, dim1, dim2): a view of an array, or None"),
    MG_FAST(fast_diagonal, "fast_diagonal(cls, input, offset, dim1, dim2): the same, recorded"),
    MG_FAST(expand, "expand(x, shape): a view that repeats dimensions of size 1"),
    MG_FAST(fast_expand, "fast_expand(cls, input, sizes): the same, recorded"),
    MG_FAST(fast_flatten, "fast_flatten(cls, input, start_dim, end_dim): dimensions merged"),
    MG_FAST(fast_permute, "fast_permute(cls, input, dims): dimensions in another order"),
    MG_FAST(fast_squeeze, "fast_squeeze(cls, input, dim): a dimension of size 1 left out"),
    MG_FAST(fast_t, "fast_t(cls, input): a matrix's dimensions exchanged"),
    MG_FAST(fast_transpose, "fast_transpose(cls, input, dim0, dim1): two dimensions exchanged"),
    MG_FAST(fast_view, "fast_view(cls, input, sizes): contiguous memory in another shape"),
    MG_TABLE_END,
};

}  // namespace

void bind_views(PyObject* module) {
  add_functions(module, kFunctions);
  const struct {
    PyObject** name;
    const char* text;
  } names[] = {
      {&n.shape, "shape"}, {&n.dims, "dims"}, {&n.variant, "variant"}, {&n.where, "where"}};
  for (const auto& each : names) *each.name = PyUnicode_InternFromString(each.text);
}

}  // namespace mg
