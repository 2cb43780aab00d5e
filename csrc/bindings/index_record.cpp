// Indexing operations recorded in one call: the array, its tensor and its node. Where a function
// returns None, the Python code of minigrad/ops, which says what happens here, does it.
#include <cmath>

#include "bindings/families.h"
#include "bindings/graph.h"
#include "bindings/index.h"

namespace mg {
namespace {

struct Names {
  PyObject *shape, *positions, *adds, *dim, *sizes, *ids, *rows, *padding_idx, *by_frequency;
};
Names n;

// A tensor or an array.
struct Operand {
  PyArrayObject* array = nullptr;
  PyObject* fn = Py_None;
  bool variable = false;
};

bool read_operand(PyObject* given, Operand* operand) {
  operand->variable = is_variable(given);
  PyObject* array = operand->variable ? slot(given, g.array) : given;
  if (operand->variable) operand->fn = slot(given, g.fn);
  if (!PyArray_CheckExact(array)) return false;
  operand->array = reinterpret_cast<PyArrayObject*>(array);
  return true;
}

// A dimension given as an exact int; anything else is left to Python.
bool read_dim(PyObject* given, int64_t* dim) {
  if (!PyLong_CheckExact(given)) return false;
  *dim = PyLong_AsLongLong(given);
  if (*dim != -1 || !PyErr_Occurred()) return true;
  PyErr_Clear();
  return false;
}

bool set(PyObject* node, PyObject* name, PyObject* value) {
  const bool done = value && PyObject_SetAttr(node, name, value) == 0;
  Py_XDECREF(value);
  return done;
}

PyObject* shape_of(PyArrayObject* array) {
  const int ndim = PyArray_NDIM(array);
  PyObject* shape = PyTuple_New(ndim);
  for (int i = 0; shape && i < ndim; ++i) {
    PyTuple_SET_ITEM(shape, i, PyLong_FromSsize_t(PyArray_DIM(array, i)));
  }
  return shape;
}

PyObject* none_or_error(PyObject* result) {
  return result || PyErr_Occurred() ? result : new_none();
}

// Puts the index where backward reads it, with the record of writes to it.
bool save_index(PyObject* node, PyObject* given, const Operand& index) {
  PyObject* cell = index.variable ? saved_cell(given) : nullptr;
  if (index.variable && !cell) return false;
  replace(node, g.saved, PyTuple_Pack(1, index.array));
  replace(node, g.cells, cell ? PyTuple_Pack(1, cell) : PyTuple_New(0));
  return slot(node, g.saved) && slot(node, g.cells);
}

// A tensor of `array` (its reference is taken) and `node` (which too), if `good`.
PyObject* finish(PyObject* array, PyObject* node, bool good) {
  PyObject* result = nullptr;
  if (node && good) {
    result = new_tensor(array, node);
  } else {
    Py_DECREF(array);
  }
  Py_XDECREF(node);
  return result;
}

int64_t from_front(int64_t dim, PyArrayObject* x) { return dim < 0 ? dim + PyArray_NDIM(x) : dim; }

// (cls, input, dim, index): its node has `shape` of the input and `positions`, (dim,).
PyObject* record_take(PyObject* const* args, Form form, bool wrap) {
  Operand x, index;
  int64_t dim;
  if (!g.tensor || !read_operand(args[1], &x) || !read_dim(args[2], &dim) ||
      !read_operand(args[3], &index) || (index.variable && !x.variable)) {
    return new_none();
  }
  const bool tracked = t_recording && x.fn != Py_None;
  if (tracked && g_anomaly) return new_none();
  Keep keep(tracked,
            {reinterpret_cast<PyObject*>(x.array), x.fn, reinterpret_cast<PyObject*>(index.array)});
  PyObject* array = take_places(x.array, dim, index.array, form, wrap);
  if (!array) return none_or_error(nullptr);
  if (!x.variable) return array;
  if (!tracked) return new_tensor(array, Py_None);
  PyObject* node = new_node(args[0], PyTuple_Pack(2, x.fn, Py_None));
  const bool good =
      node && set(node, n.shape, shape_of(x.array)) &&
      set(node, n.positions, Py_BuildValue("(L)", (long long)from_front(dim, x.array))) &&
      save_index(node, args[3], index);
  return finish(array, node, good);
}

// fast_take(cls, input, dim, index, wrap); an index that does not wrap must be a vector
PyObject* fast_take(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  bool wrap;
  if (!check_count("fast_take", nargs, 5) || !read_bool("fast_take", "wrap", args[4], &wrap)) {
    return nullptr;
  }
  Operand index;
  if (!g.tensor || !read_operand(args[3], &index) || (!wrap && PyArray_NDIM(index.array) != 1)) {
    return new_none();
  }
  return record_take(args, Form::kRows, wrap);
}

// fast_gather(cls, input, dim, index)
PyObject* fast_gather(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_gather", nargs, 4)) return nullptr;
  return record_take(args, Form::kAlong, false);
}

// The part of the values that covers the index, for values outside the graph: a view, or of a
// number one element that repeats. nullptr without an error where Python has to look.
PyObject* covering(PyObject* given, const Operand& values, PyArrayObject* x, PyArrayObject* index) {
  const int ndim = PyArray_NDIM(index);
  PyArray_Descr* descr = PyArray_DESCR(x);
  if (!values.array) {
    const int type = PyArray_TYPE(x);
    double number = PyFloat_CheckExact(given) ? PyFloat_AS_DOUBLE(given) : PyLong_AsDouble(given);
    if (number == -1 && PyErr_Occurred()) PyErr_Clear();
    if (!(fabs(number) < 1e38) || (type != NPY_FLOAT && type != NPY_DOUBLE)) return nullptr;
    Py_INCREF(descr);
    PyObject* one = new_array(descr, 0, nullptr);
    if (!one) return nullptr;
    void* at = PyArray_DATA(reinterpret_cast<PyArrayObject*>(one));
    if (type == NPY_FLOAT) {
      *static_cast<float*>(at) = static_cast<float>(number);
    } else {
      *static_cast<double*>(at) = number;
    }
    return one;
  }
  if (PyArray_NDIM(values.array) != ndim) return nullptr;
  for (int d = 0; d < ndim; ++d) {
    if (PyArray_DIM(index, d) > PyArray_DIM(values.array, d)) return nullptr;
  }
  Py_INCREF(descr);
  PyObject* part = PyArray_NewFromDescr(&PyArray_Type, descr, ndim, PyArray_DIMS(index),
                                        PyArray_STRIDES(values.array), PyArray_DATA(values.array),
                                        PyArray_FLAGS(values.array) & NPY_ARRAY_ALIGNED, nullptr);
  if (!part) return nullptr;
  Py_INCREF(values.array);
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(part),
                            reinterpret_cast<PyObject*>(values.array)) < 0) {
    Py_CLEAR(part);
  }
  return part;
}

// fast_scatter(cls, input, values, dim, index, add): fast_put along a dimension for values outside
// the graph, of which the index may cover a part, or a number.
PyObject* fast_scatter(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  bool add;
  if (!check_count("fast_scatter", nargs, 6) || !read_bool("fast_scatter", "add", args[5], &add)) {
    return nullptr;
  }
  Operand x, values, index;
  int64_t dim;
  const bool number = PyFloat_CheckExact(args[2]) || PyLong_CheckExact(args[2]);
  if (!g.tensor || !read_operand(args[1], &x) || !x.variable || !PyArray_NDIM(x.array) ||
      !read_dim(args[3], &dim) || !read_operand(args[4], &index) || !index.variable ||
      PyArray_NDIM(index.array) != PyArray_NDIM(x.array) ||
      (!number && (!read_operand(args[2], &values) || !values.variable))) {
    return new_none();
  }
  const bool tracked = t_recording && x.fn != Py_None;
  if ((t_recording && values.fn != Py_None) || (tracked && g_anomaly)) return new_none();
  if (!number && PyArray_TYPE(x.array) != PyArray_TYPE(values.array)) return new_none();
  Keep keep(true, {x.fn, reinterpret_cast<PyObject*>(index.array)});
  PyObject* part = covering(args[2], values, x.array, index.array);
  if (!part) return none_or_error(nullptr);
  PyArrayObject* covered = reinterpret_cast<PyArrayObject*>(part);
  PyObject* array =
      put_places(x.array, 0, nullptr, dim, index.array, covered, Form::kAlong, false, add, -1);
  PyObject* shape = array && tracked ? shape_of(covered) : nullptr;
  Py_DECREF(part);
  if (!array) return none_or_error(nullptr);
  if (!tracked) return new_tensor(array, Py_None);
  PyObject* node = new_node(args[0], PyTuple_Pack(3, x.fn, Py_None, Py_None));
  const bool good =
      node && set(node, n.shape, shape) &&
      set(node, n.positions, Py_BuildValue("(L)", (long long)from_front(dim, x.array))) &&
      set(node, n.adds, PyBool_FromLong(add)) && save_index(node, args[4], index);
  return finish(array, node, good);
}

// fast_put(cls, input, values, dim, index, along, add): its node has `shape` of the values,
// `positions` and `adds`. The values have the shape of the places, exactly.
PyObject* fast_put(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  bool along, add;
  if (!check_count("fast_put", nargs, 7) || !read_bool("fast_put", "along", args[5], &along) ||
      !read_bool("fast_put", "add", args[6], &add)) {
    return nullptr;
  }
  Operand x, values, index;
  int64_t dim;
  if (!g.tensor || !read_operand(args[1], &x) || !read_operand(args[2], &values) ||
      !read_dim(args[3], &dim) || !read_operand(args[4], &index) || x.variable != values.variable ||
      (index.variable && !x.variable)) {
    return new_none();
  }
  const int ndim = PyArray_NDIM(x.array);
  if (PyArray_NDIM(values.array) != ndim) return new_none();
  for (int d = 0; d < ndim; ++d) {
    const npy_intp extent = PyArray_DIM(values.array, d);
    const bool here = d == from_front(dim, x.array);
    if (along ? PyArray_NDIM(index.array) != ndim || extent != PyArray_DIM(index.array, d)
              : extent != (here ? PyArray_SIZE(index.array) : PyArray_DIM(x.array, d))) {
      return new_none();
    }
  }
  if (!along && PyArray_NDIM(index.array) != 1) return new_none();
  const bool tracked = t_recording && (x.fn != Py_None || values.fn != Py_None);
  if (tracked && g_anomaly) return new_none();
  Keep keep(tracked, {x.fn, values.fn, reinterpret_cast<PyObject*>(values.array),
                      reinterpret_cast<PyObject*>(index.array)});
  PyObject* array = put_places(x.array, 0, nullptr, dim, index.array, values.array,
                               along ? Form::kAlong : Form::kRows, false, add, -1);
  if (!array) return none_or_error(nullptr);
  if (!x.variable) return array;
  if (!tracked) return new_tensor(array, Py_None);
  PyObject* node = new_node(args[0], PyTuple_Pack(3, x.fn, values.fn, Py_None));
  const bool good =
      node && set(node, n.shape, shape_of(values.array)) &&
      set(node, n.positions, Py_BuildValue("(L)", (long long)from_front(dim, x.array))) &&
      set(node, n.adds, PyBool_FromLong(add)) && save_index(node, args[4], index);
  return finish(array, node, good);
}

// fast_embedding(cls, weight, ids, padding_idx, by_frequency)
PyObject* fast_embedding(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_embedding", nargs, 5)) return nullptr;
  Operand weight, ids;
  if (!g.tensor || !read_operand(args[1], &weight) || !read_operand(args[2], &ids) ||
      !weight.variable || PyArray_NDIM(weight.array) != 2) {
    return new_none();
  }
  const bool tracked = t_recording && weight.fn != Py_None;
  if (tracked && g_anomaly) return new_none();
  Keep keep(tracked, {weight.fn, reinterpret_cast<PyObject*>(ids.array)});
  const npy_intp rows = PyArray_DIM(weight.array, 0);
  int64_t padding;
  if (!read_dim(args[3], &padding) || padding < -1 || padding >= rows) return new_none();
  PyObject* array = take_places(weight.array, 0, ids.array, Form::kRows, false);
  if (!array) return none_or_error(nullptr);
  if (!tracked) return new_tensor(array, Py_None);
  PyObject* node = new_node(args[0], PyTuple_Pack(1, weight.fn));
  bool good = node != nullptr;
  if (good) {
    // A copy: a later write to the ids must not change what backward reads.
    good = set(node, n.ids, PyArray_NewCopy(ids.array, NPY_CORDER)) &&
           set(node, n.rows, PyLong_FromSsize_t(rows)) &&
           PyObject_SetAttr(node, n.padding_idx, args[3]) == 0 &&
           PyObject_SetAttr(node, n.by_frequency, args[4]) == 0;
  }
  return finish(array, node, good);
}

// fast_join(cls, tensors, dim, stack): a list or tuple of tensors. Its node has `dim` and `sizes`.
PyObject* fast_join(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  bool stack;
  if (!check_count("fast_join", nargs, 4) || !read_bool("fast_join", "stack", args[3], &stack)) {
    return nullptr;
  }
  PyObject* given = args[1];
  int64_t dim;
  if (!g.tensor || !(PyTuple_CheckExact(given) || PyList_CheckExact(given)) ||
      !read_dim(args[2], &dim)) {
    return new_none();
  }
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(given);
  if (count < 1 || count > kMaxJoined) return new_none();
  PyArrayObject* arrays[kMaxJoined];
  bool tracked = false;
  for (Py_ssize_t k = 0; k < count; ++k) {
    Operand x;
    if (!read_operand(PySequence_Fast_GET_ITEM(given, k), &x) || !x.variable) return new_none();
    arrays[k] = x.array;
    tracked |= x.fn != Py_None;
  }
  tracked &= t_recording;
  if (tracked && g_anomaly) return new_none();
  const int limit = PyArray_NDIM(arrays[0]) + stack;
  if (dim < -limit || dim >= limit) return new_none();
  if (dim < 0) dim += limit;

  PyObject *next = nullptr, *sizes = nullptr;
  if (tracked) {
    next = PyTuple_New(count);
    sizes = PyList_New(count);
    if (!next || !sizes) {
      Py_XDECREF(next);
      Py_XDECREF(sizes);
      return nullptr;
    }
  }
  for (Py_ssize_t k = 0; k < count; ++k) {
    Py_INCREF(arrays[k]);
    if (!tracked) continue;
    PyObject* fn = slot(PySequence_Fast_GET_ITEM(given, k), g.fn);
    Py_INCREF(fn);
    PyTuple_SET_ITEM(next, k, fn);
    const bool sized = !stack && PyArray_NDIM(arrays[k]) > dim;
    PyList_SET_ITEM(sizes, k,
                    PyLong_FromSsize_t(sized ? PyArray_DIM(arrays[k], static_cast<int>(dim)) : 1));
  }
  PyObject* array = join_arrays(arrays, count, dim, stack);
  for (Py_ssize_t k = 0; k < count; ++k) Py_DECREF(arrays[k]);
  if (!array) {
    Py_XDECREF(next);
    Py_XDECREF(sizes);
    return none_or_error(nullptr);
  }
  if (!tracked) return new_tensor(array, Py_None);
  PyObject* node = new_node(args[0], next);
  bool good = node && set(node, n.dim, PyLong_FromLongLong(dim));
  good = good && PyObject_SetAttr(node, n.sizes, sizes) == 0;
  Py_DECREF(sizes);
  return finish(array, node, good);
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_take, "fast_take(cls, input, dim, index, wrap): recorded, or None"),
    MG_FAST(fast_gather, "fast_gather(cls, input, dim, index): recorded, or None"),
    MG_FAST(fast_put, "fast_put(cls, input, values, dim, index, along, add): recorded, or None"),
    MG_FAST(fast_scatter, "fast_scatter(cls, input, values, dim, index, add): recorded, or None"),
    MG_FAST(fast_embedding,
            "fast_embedding(cls, weight, ids, padding_idx, by_frequency): recorded, or None"),
    MG_FAST(fast_join, "fast_join(cls, tensors, dim, stack): recorded, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_index_record(PyObject* module) {
  add_functions(module, kFunctions);
  PyObject** const names[] = {&n.shape, &n.positions, &n.adds,        &n.dim,         &n.sizes,
                              &n.ids,   &n.rows,      &n.padding_idx, &n.by_frequency};
  const char* const text[] = {"shape", "positions", "adds",        "dim",         "sizes",
                              "ids",   "rows",      "padding_idx", "by_frequency"};
  for (int i = 0; i < 9; ++i) *names[i] = PyUnicode_InternFromString(text[i]);
}

}  // namespace mg
