#include "bindings/axes.h"

namespace mg {

bool read_axis(PyObject* dim, PyArrayObject* x, int* axis) {
  if (!PyLong_CheckExact(dim)) return false;
  int overflow;
  const long value = PyLong_AsLongAndOverflow(dim, &overflow);
  const int n = PyArray_NDIM(x);
  if (overflow || value < -n || value >= n) return false;
  *axis = static_cast<int>(value < 0 ? value + n : value);
  return true;
}

bool read_axes(PyObject* dim, PyArrayObject* x, Axes* axes) {
  const int n = PyArray_NDIM(x);
  for (int i = 0; i < n; ++i) axes->reduced[i] = false;
  Py_ssize_t given = 0;
  if (dim != Py_None) {
    PyObject* const* items = &dim;
    given = 1;
    if (PyTuple_CheckExact(dim) || PyList_CheckExact(dim)) {
      given = PySequence_Fast_GET_SIZE(dim);
      items = PySequence_Fast_ITEMS(dim);
    }
    for (Py_ssize_t i = 0; i < given; ++i) {
      int axis;
      if (!read_axis(items[i], x, &axis) || axes->reduced[axis]) return false;
      axes->reduced[axis] = true;
    }
  }
  axes->count = 1;
  for (int i = 0; i < n; ++i) {
    if (given == 0) axes->reduced[i] = true;
    if (axes->reduced[i]) axes->count *= PyArray_DIM(x, i);
  }
  return true;
}

namespace {

// Dimensions that memory passes as one.
struct Run {
  bool reduced;
  int64_t n, step;  // elements
};

// Puts a kept dimension without a step among `count` dimensions, in the order of the kept ones and
// never innermost. False if there is no such place.
bool insert_repeated(const Axes& axes, int i, int* order, int count) {
  int at = 0;
  for (int k = 0; k < count; ++k) {
    if (!axes.reduced[order[k]] && order[k] < i) at = k + 1;
  }
  if (at == count) return false;
  for (int k = count; k > at; --k) order[k] = order[k - 1];
  order[at] = i;
  return true;
}

// The runs from the outermost to the innermost in memory; their number, or -1.
int runs_of(PyArrayObject* x, const Axes& axes, Run* runs, int64_t* repeats) {
  int order[NPY_MAXDIMS], count = 0;
  const npy_intp item = PyArray_ITEMSIZE(x);
  const bool dense = PyArray_IS_C_CONTIGUOUS(x);  // the strides of no elements mean nothing
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    if (PyArray_DIM(x, i) == 1) continue;
    const npy_intp stride = PyArray_STRIDE(x, i);
    if (!dense && stride == 0 && repeats) {
      if (axes.reduced[i]) *repeats *= PyArray_DIM(x, i);
      continue;
    }
    if (!dense && (stride <= 0 || stride % item)) return -1;
    int at = count++;
    for (; !dense && at > 0 && PyArray_STRIDE(x, order[at - 1]) < stride; --at) {
      order[at] = order[at - 1];
    }
    order[at] = i;
  }
  for (int i = 0; repeats && !dense && i < PyArray_NDIM(x); ++i) {
    if (axes.reduced[i] || PyArray_STRIDE(x, i) || PyArray_DIM(x, i) == 1) continue;
    if (!insert_repeated(axes, i, order, count++)) return -1;
  }
  int last = -1, kept = -1;
  for (int k = 0; k < count; ++k) {
    const int i = order[k];
    if (!axes.reduced[i]) {
      if (i < kept) return -1;
      kept = i;
    }
    const int64_t n = PyArray_DIM(x, i), step = dense ? 0 : PyArray_STRIDE(x, i) / item;
    if (last >= 0 && runs[last].reduced == axes.reduced[i] &&
        (dense || runs[last].step == n * step)) {
      runs[last].n *= n;
      runs[last].step = step;
    } else {
      runs[++last] = {axes.reduced[i], n, step};
    }
  }
  if (dense) {
    int64_t step = 1;
    for (int k = last; k >= 0; step *= runs[k--].n) runs[k].step = step;
  }
  return last + 1;
}

}  // namespace

bool group_axes(PyArrayObject* x, const Axes& axes, Groups* groups, int64_t* repeats) {
  Run runs[NPY_MAXDIMS];
  int count = runs_of(x, axes, runs, repeats);
  if (count < 0 || (count > 0 && runs[count - 1].step != 1 && PyArray_SIZE(x) > 0)) return false;
  Groups g = {1, 1, 1, 1, 1, 0, 0, 0, 1};
  if (count > 0 && !runs[count - 1].reduced) g.c = runs[--count].n;
  int kept = 0, reduced = 0;
  for (int k = count - 1; k >= 0; --k) {  // from the innermost: r2 before r1, b before a
    const Run& r = runs[k];
    if (r.reduced && reduced++ == 0) {
      g.r2 = r.n;
      g.step_r2 = r.step;
    } else if (r.reduced) {
      g.r1 = r.n;
      g.step_r1 = r.step;
    } else if (kept++ == 0) {
      g.b = r.n;
      g.step_b = r.step;
    } else {
      g.a = r.n;
      g.step_a = r.step;
    }
  }
  if (kept > 2 || reduced > 2) return false;
  if (kept == 1) {
    g.a = g.b;
    g.step_a = g.step_b;
    g.b = 1;
  }
  *groups = g;
  return true;
}

int kept_dims(PyArrayObject* x, const Axes& axes, bool keepdims, npy_intp* shape) {
  int ndim = 0;
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    if (!axes.reduced[i]) {
      shape[ndim++] = PyArray_DIM(x, i);
    } else if (keepdims) {
      shape[ndim++] = 1;
    }
  }
  return ndim;
}

Around around_axis(PyArrayObject* x, int axis) {
  Around a = {1, PyArray_NDIM(x) ? PyArray_DIM(x, axis) : 1, 1};
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    if (i != axis) (i < axis ? a.outer : a.inner) *= PyArray_DIM(x, i);
  }
  return a;
}

}  // namespace mg
