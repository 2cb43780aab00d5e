// Several views from one operation in one call: split and unbind, as minigrad/ops/splits.py says in
// Python. None is returned for what is left to that code, as in views.cpp.
#include "bindings/families.h"
#include "bindings/views.h"

namespace mg {
namespace {

struct Names {
  PyObject *dim, *like, *outputs;
} n;

struct Pieces {
  PyObject *cls, *each;  // the node's class, and that of every piece as a view of the input
  PyObject* input;
  PyArrayObject* x;
  int dim;
  PyObject *node, *like, *out;
};

// Piece `i`: `part` (its reference is taken) of the dimension, whose view is `d`.
bool add_piece(const Pieces& p, Py_ssize_t i, const Dims& d, PyObject* part) {
  if (!part) return false;
  PyObject* items[kMaxDims + 1];
  const Py_ssize_t count = items_at(p.dim, part, items) + 1;
  items[count - 1] = Py_Ellipsis;
  PyObject* key = PyTuple_New(count);
  for (Py_ssize_t k = 0; key && k < count; ++k) {
    Py_INCREF(items[k]);
    PyTuple_SET_ITEM(key, k, items[k]);
  }
  Py_DECREF(part);
  PyObject* rest = key ? PyTuple_Pack(1, key) : nullptr;
  Py_XDECREF(key);
  PyObject* fn = new_none();
  if (p.node) {
    Py_DECREF(fn);
    fn = new_node(reinterpret_cast<PyObject*>(g.pick), PyTuple_Pack(1, p.node));
    PyObject* index = fn ? PyLong_FromSsize_t(i) : nullptr;
    PyObject* shape = index ? tuple_of(d.shape, d.ndim) : nullptr;
    PyObject* like = shape ? PyTuple_Pack(2, shape, PyArray_DESCR(p.x)) : nullptr;
    Py_XDECREF(shape);
    if (like) {
      PyList_SET_ITEM(p.like, i, like);
      replace(fn, g.index, index);
    } else {
      Py_XDECREF(index);
      Py_CLEAR(fn);
    }
  }
  PyObject* array = fn ? view_array(p.x, d) : nullptr;
  PyObject* out = nullptr;
  if (fn) {
    out = view_tensor(p.input, p.each, rest, array, fn, true);
  } else {
    Py_XDECREF(rest);
  }
  Py_XDECREF(fn);
  if (out) PyTuple_SET_ITEM(p.out, i, out);
  return out != nullptr;
}

// Makes the node and the tuple, then calls piece(i, dims) for the part of each.
template <class Piece>
PyObject* in_pieces(Pieces p, Py_ssize_t count, Piece&& piece) {
  PyObject* fn = t_recording ? slot(p.input, g.fn) : Py_None;
  p.node = p.like = nullptr;
  p.out = PyTuple_New(count);
  bool ok = p.out != nullptr;
  if (ok && fn != Py_None) {
    p.node = new_node(p.cls, PyTuple_Pack(1, fn));
    p.like = p.node ? PyList_New(count) : nullptr;
    if (p.like) Py_INCREF(p.like);
    ok = p.like && set_attribute(p.node, n.like, p.like) &&
         set_attribute(p.node, n.dim, PyLong_FromLong(p.dim)) &&
         set_attribute(p.node, n.outputs, PyLong_FromSsize_t(count));
  }
  for (Py_ssize_t i = 0; ok && i < count; ++i) {
    Dims d;
    PyObject* part = piece(i, &d);
    ok = add_piece(p, i, d, part);
  }
  Py_XDECREF(p.node);
  Py_XDECREF(p.like);
  if (!ok) Py_CLEAR(p.out);
  return p.out;
}

// fast_split(cls, each, input, size, dim): pieces of `size` places, the last may have fewer.
PyObject* fast_split(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_split", nargs, 5)) return nullptr;
  Pieces p = {args[0], args[1], args[2], plain_array(args[2]), 0, nullptr, nullptr, nullptr};
  Py_ssize_t size;
  if (!p.x || PyArray_NDIM(p.x) == 0 || !plain_int(args[3], &size) || size < 1 ||
      !plain_dim(args[4], PyArray_NDIM(p.x), &p.dim) || PyArray_DIM(p.x, p.dim) == 0) {
    return new_none();
  }
  const npy_intp extent = PyArray_DIM(p.x, p.dim);
  return in_pieces(p, (extent - 1) / size + 1, [&](Py_ssize_t i, Dims* d) -> PyObject* {
    const npy_intp begin = i * size, end = size < extent - begin ? begin + size : extent;
    d->data = PyArray_BYTES(p.x) + begin * PyArray_STRIDE(p.x, p.dim);
    for (int k = 0; k < PyArray_NDIM(p.x); ++k) {
      d->add(k == p.dim ? end - begin : PyArray_DIM(p.x, k), PyArray_STRIDE(p.x, k));
    }
    return slice_of(begin, end);
  });
}

// fast_unbind(cls, each, input, dim)
PyObject* fast_unbind(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_unbind", nargs, 4)) return nullptr;
  Pieces p = {args[0], args[1], args[2], plain_array(args[2]), 0, nullptr, nullptr, nullptr};
  if (!p.x || PyArray_NDIM(p.x) == 0 || !plain_dim(args[3], PyArray_NDIM(p.x), &p.dim)) {
    return new_none();
  }
  return in_pieces(p, PyArray_DIM(p.x, p.dim), [&](Py_ssize_t i, Dims* d) -> PyObject* {
    d->data = PyArray_BYTES(p.x) + i * PyArray_STRIDE(p.x, p.dim);
    for (int k = 0; k < PyArray_NDIM(p.x); ++k) {
      if (k != p.dim) d->add(PyArray_DIM(p.x, k), PyArray_STRIDE(p.x, k));
    }
    return PyLong_FromSsize_t(i);
  });
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_split, "fast_split(cls, each, input, size, dim): neighbouring pieces"),
    MG_FAST(fast_unbind, "fast_unbind(cls, each, input, dim): the places of a dimension"),
    MG_TABLE_END,
};

}  // namespace

void bind_pieces(PyObject* module) {
  add_functions(module, kFunctions);
  n.dim = PyUnicode_InternFromString("dim");
  n.like = PyUnicode_InternFromString("like");
  n.outputs = PyUnicode_InternFromString("outputs");
}

}  // namespace mg
