// Views by an index in one call: what minigrad/ops/{subscript,slices}.py say in Python, for ints,
// slices, None and ...; None is returned for what is left to that code, as in views.cpp.
#include "bindings/families.h"
#include "bindings/views.h"

namespace mg {
namespace {

PyObject* g_at;    // the name under which a node keeps its index
PyObject* g_full;  // slice(None)

}  // namespace

PyObject* slice_of(npy_intp begin, npy_intp end) {
  PyObject* first = PyLong_FromSsize_t(begin);
  PyObject* last = PyLong_FromSsize_t(end);
  PyObject* part = first && last ? PySlice_New(first, last, nullptr) : nullptr;
  Py_XDECREF(first);
  Py_XDECREF(last);
  return part;
}

Py_ssize_t items_at(int dim, PyObject* part, PyObject** items) {
  for (int i = 0; i < dim; ++i) items[i] = g_full;
  items[dim] = part;
  return dim + 1;
}

namespace {

bool plain_slice(PyObject* object) {
  PySliceObject* s = reinterpret_cast<PySliceObject*>(object);
  for (PyObject* end : {s->start, s->stop, s->step}) {
    if (end != Py_None && !PyLong_CheckExact(end)) return false;
  }
  return true;
}

// What classes a view by an index may have: of ints, of slices, of new dimensions, of the whole.
struct IndexClasses {
  PyObject *select, *slice, *unsqueeze, *alias;
};

// Takes an index apart; the node's class, or nullptr (with no error set) where Python has to.
PyObject* read_index(PyArrayObject* x, PyObject* const* items, Py_ssize_t count,
                     const IndexClasses& classes, Dims* d, bool* has_ellipsis) {
  const int ndim = PyArray_NDIM(x);
  const npy_intp *shape = PyArray_DIMS(x), *strides = PyArray_STRIDES(x);
  int named = 0;
  *has_ellipsis = false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    named += items[i] != Py_None && items[i] != Py_Ellipsis;
    if (items[i] == Py_Ellipsis) {
      if (*has_ellipsis) return nullptr;
      *has_ellipsis = true;
    }
  }
  if (named > ndim || ndim + count > kMaxDims) return nullptr;
  PyObject* cls = nullptr;
  d->data = PyArray_BYTES(x);
  int at = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = items[i];
    Py_ssize_t place;
    if (item == Py_None) {
      d->add(1, 0);
      cls = cls && cls != classes.unsqueeze ? classes.slice : classes.unsqueeze;
    } else if (item == Py_Ellipsis) {
      if (!cls && i + 1 == count) cls = classes.alias;
      for (const int end = at + ndim - named; at < end; ++at) d->add(shape[at], strides[at]);
    } else if (PySlice_Check(item)) {
      Py_ssize_t start, stop, step;
      if (!plain_slice(item) || PySlice_Unpack(item, &start, &stop, &step) < 0) {
        PyErr_Clear();
        return nullptr;
      }
      if (step < 1) return nullptr;
      const Py_ssize_t length = PySlice_AdjustIndices(shape[at], &start, &stop, step);
      if (length) d->data += start * strides[at];
      d->add(length, strides[at] * step);
      ++at;
      cls = classes.slice;
    } else if (plain_int(item, &place)) {
      if (place < 0) place += shape[at];
      if (place < 0 || place >= shape[at]) return nullptr;
      d->data += place * strides[at];
      ++at;
      cls = classes.select;
    } else {
      return nullptr;
    }
  }
  for (; at < ndim; ++at) d->add(shape[at], strides[at]);
  return cls ? cls : classes.alias;
}

PyObject* view_by_index(const IndexClasses& classes, PyObject* input, PyObject* const* items,
                        Py_ssize_t count) {
  PyArrayObject* x = plain_array(input);
  Dims d;
  bool has_ellipsis;
  PyObject* cls = x ? read_index(x, items, count, classes, &d, &has_ellipsis) : nullptr;
  if (!cls) return new_none();
  // The index as NumPy takes it: with ... it gives an array even where no dimension is left.
  PyObject* key = PyTuple_New(count + !has_ellipsis);
  if (!key) return nullptr;
  for (Py_ssize_t i = 0; i < count + !has_ellipsis; ++i) {
    PyObject* item = i < count ? items[i] : Py_Ellipsis;
    Py_INCREF(item);
    PyTuple_SET_ITEM(key, i, item);
  }
  return finish_view(cls, input, x, d, key, cls == classes.unsqueeze ? nullptr : g_at);
}

// fast_index(select, slice, unsqueeze, alias, input, index): the classes, then input[index].
PyObject* fast_index(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_index", nargs, 6)) return nullptr;
  const IndexClasses classes = {args[0], args[1], args[2], args[3]};
  if (PyTuple_CheckExact(args[5])) {
    PyObject* const* items = &PyTuple_GET_ITEM(args[5], 0);
    return view_by_index(classes, args[4], items, PyTuple_GET_SIZE(args[5]));
  }
  return view_by_index(classes, args[4], args + 5, 1);
}

// fast_unsqueeze(cls, input, dim)
PyObject* fast_unsqueeze(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_unsqueeze", nargs, 3)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  int dim;
  if (!x || !plain_dim(args[2], PyArray_NDIM(x) + 1, &dim)) return new_none();
  PyObject* items[kMaxDims];
  const IndexClasses classes = {nullptr, args[0], args[0], nullptr};
  return view_by_index(classes, args[1], items, items_at(dim, Py_None, items));
}

// fast_select(cls, input, dim, index)
PyObject* fast_select(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_select", nargs, 4)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  int dim;
  if (!x || !PyArray_NDIM(x) || !plain_dim(args[2], PyArray_NDIM(x), &dim) ||
      !PyLong_CheckExact(args[3])) {
    return new_none();
  }
  PyObject* items[kMaxDims];
  const IndexClasses classes = {args[0], nullptr, nullptr, nullptr};
  return view_by_index(classes, args[1], items, items_at(dim, args[3], items));
}

// fast_narrow(cls, input, dim, start, length)
PyObject* fast_narrow(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_narrow", nargs, 5)) return nullptr;
  PyArrayObject* x = plain_array(args[1]);
  int dim;
  Py_ssize_t start, length;
  if (!x || !PyArray_NDIM(x) || !plain_dim(args[2], PyArray_NDIM(x), &dim) ||
      !plain_int(args[3], &start) || !plain_int(args[4], &length)) {
    return new_none();
  }
  const npy_intp extent = PyArray_DIM(x, dim);
  if (start < 0) start += extent;
  if (start < 0 || length < 0 || start > extent || length > extent - start) return new_none();
  PyObject* part = slice_of(start, start + length);
  if (!part) return nullptr;
  PyObject* items[kMaxDims];
  const IndexClasses classes = {nullptr, args[0], nullptr, nullptr};
  PyObject* out = view_by_index(classes, args[1], items, items_at(dim, part, items));
  Py_DECREF(part);
  return out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_index, "fast_index(select, slice, unsqueeze, alias, input, index): a view"),
    MG_FAST(fast_narrow, "fast_narrow(cls, input, dim, start, length): a part of a dimension"),
    MG_FAST(fast_select, "fast_select(cls, input, dim, index): one place of a dimension"),
    MG_FAST(fast_unsqueeze, "fast_unsqueeze(cls, input, dim): a new dimension of size 1"),
    MG_TABLE_END,
};

}  // namespace

void bind_view_index(PyObject* module) {
  add_functions(module, kFunctions);
  g_at = PyUnicode_InternFromString("at");
  g_full = PySlice_New(nullptr, nullptr, nullptr);
}

}  // namespace mg
