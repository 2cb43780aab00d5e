// _C.layer_norm, rms_norm and group_norm: they allocate the results, or return None for what Python
// has to prepare. The fast_ forms take tensors and record the operation as well.
#include "bindings/norm.h"

#include "bindings/families.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {

bool read_operands(PyObject* x, PyObject* w, PyObject* b, int count, Operands* o) {
  if (!g.tensor || g_anomaly || x == Py_None) return false;
  o->given[0] = x;
  o->given[1] = w;
  o->given[2] = b;
  o->count = count;
  for (int i = 0; i < count; ++i) {
    PyObject* given = o->given[i];
    if (given == Py_None) continue;
    if (!is_variable(given)) return false;
    o->array[i] = slot(given, g.array);
    o->tracked |= slot(given, g.fn) != Py_None;
    if (!is_fast(o->array[i])) return false;
  }
  o->tracked &= t_recording;
  return true;
}

PyObject* recorded(PyObject* cls, const Operands& o, PyObject* y, PyObject* kept) {
  static PyObject* const name = PyUnicode_InternFromString("kept");
  PyObject* next = y && kept ? PyTuple_New(o.count) : nullptr;
  for (int i = 0; next && i < o.count; ++i) {
    PyObject* fn = o.given[i] == Py_None ? Py_None : slot(o.given[i], g.fn);
    Py_INCREF(fn);
    PyTuple_SET_ITEM(next, i, fn);
  }
  PyObject* node = new_node(cls, next);
  PyObject* result = nullptr;
  if (node && PyObject_SetAttr(node, name, kept) == 0) {
    const bool weighted = o.given[1] != Py_None;
    PyObject* input_cell = saved_cell(o.given[0]);
    PyObject* weight_cell = input_cell && weighted ? saved_cell(o.given[1]) : nullptr;
    if (input_cell && (weight_cell || !weighted)) {
      PyObject* saved = PyTuple_Pack(2, o.array[0], o.array[1]);
      PyObject* cells =
          weighted ? PyTuple_Pack(2, input_cell, weight_cell) : PyTuple_Pack(1, input_cell);
      if (saved && cells) {
        replace(node, g.saved, saved);
        replace(node, g.cells, cells);
        result = new_tensor(y, node);
        y = nullptr;
      } else {
        Py_XDECREF(saved);
        Py_XDECREF(cells);
      }
    }
  }
  Py_XDECREF(y);
  Py_XDECREF(kept);
  Py_XDECREF(node);
  return result;
}

namespace {

struct Rows {
  PyObject *x, *w, *b;
  RowShape shape;
  bool centre;
  double eps;
};

// Elements 0 .. n of each row have their own parameter (layer_norm, rms_norm).
bool read_rows(PyObject* x, PyObject* w, PyObject* b, int64_t n, Rows* r) {
  if (!is_input(x) || n < 1 || PyArray_SIZE(as_array(x)) % n || !fits(w, x, n) || !fits(b, x, n)) {
    return false;
  }
  const int64_t run = w == Py_None && b == Py_None ? n : 1;
  *r = {x, w, b, {PyArray_SIZE(as_array(x)) / n, n, 1, run}, true, 0};
  return true;
}

// Groups of channels of each sample are the rows; each channel has its own parameter.
bool read_groups(PyObject* x, PyObject* w, PyObject* b, int64_t groups, Rows* r) {
  if (!is_input(x) || PyArray_NDIM(as_array(x)) < 2 || groups < 1) return false;
  const int64_t samples = PyArray_DIM(as_array(x), 0), channels = PyArray_DIM(as_array(x), 1);
  if (channels % groups || !fits(w, x, channels) || !fits(b, x, channels)) return false;
  const int64_t n = PyArray_SIZE(as_array(x)) / (samples * groups);
  int64_t run = n / (channels / groups);
  if (w == Py_None && b == Py_None) run = n;
  *r = {x, w, b, {samples * groups, n, groups, run}, true, 0};
  return true;
}

template <class T>
void run_rows(const RowNormOf<T>& k, const Rows& r, const Results& out) {
  k.forward({data_of<T>(out.at[0]), data_of<T>(out.at[1]), data_of<T>(out.at[2]), data_of<T>(r.x),
             data_of<T>(r.w), data_of<T>(r.b), r.shape, r.centre, r.eps});
}

// out: y, mean (none without centre), rstd.
bool rows_forward(const Rows& r, Results* out) {
  out->at[0] = array_like(as_array(r.x));
  out->at[1] = r.centre ? vector_like(r.x, r.shape.rows, true) : nullptr;
  out->at[2] = vector_like(r.x, r.shape.rows, true);
  if (!out->at[0] || (r.centre && !out->at[1]) || !out->at[2]) return false;
  KernelScope scope(kNormElement * static_cast<double>(r.shape.rows * r.shape.n));
  if (is_single(r.x)) {
    run_rows(kernels().row_norm.f32, r, *out);
  } else {
    run_rows(kernels().row_norm.f64, r, *out);
  }
  return true;
}

template <class T>
void run_rows_backward(const RowNormOf<T>& k, const Rows& r, PyObject* grad, PyObject* mean,
                       PyObject* rstd, const Results& out, void* scratch) {
  k.backward({data_of<T>(out.at[0]), data_of<T>(out.at[1]), data_of<T>(out.at[2]), data_of<T>(grad),
              data_of<T>(r.x), data_of<T>(mean), data_of<T>(rstd), data_of<T>(r.w), r.shape,
              r.centre, scratch});
}

// A tuple of the wanted ones among dx, dw and db (the first two without centre), or None.
// Parameters' gradients have the shape of `like`'s last `trailing` dimensions, or of its channels.
PyObject* rows_backward(Rows r, PyObject* grad, PyObject* mean, PyObject* rstd, PyObject* want,
                        int trailing) {
  if (!PyTuple_CheckExact(want) || !alike(grad, r.x) || !given_and_fits(rstd, r.x, r.shape.rows) ||
      (r.centre && !given_and_fits(mean, r.x, r.shape.rows))) {
    return new_none();
  }
  const bool params = is_wanted(want, 1) || is_wanted(want, 2);
  if (params && trailing == 0 && r.shape.run == r.shape.n) {  // no weight, but a bias
    r.shape.run = r.shape.n / (PyArray_DIM(as_array(r.x), 1) / r.shape.groups);
  } else if (params && trailing > 0) {
    r.shape.run = 1;
  }
  Results out;
  PyArrayObject* x = as_array(r.x);
  out.at[0] = array_like(x);
  if (params) {
    PyArray_Descr* descr = PyArray_DESCR(x);
    const npy_intp* shape = PyArray_DIMS(x) + (trailing ? PyArray_NDIM(x) - trailing : 1);
    for (int i = 1; i < 3; ++i) {
      Py_INCREF(descr);
      out.at[i] = new_array(descr, trailing ? trailing : 1, shape);
    }
  }
  if (!out.at[0] || (params && (!out.at[1] || !out.at[2]))) return nullptr;
  Workspace scratch(params || r.shape.run > 1
                        ? static_cast<size_t>(row_scratch(r.shape, PyArray_ITEMSIZE(x)))
                        : 0);
  if (scratch.failed()) return PyErr_NoMemory();
  {
    KernelScope scope(2 * kNormElement * static_cast<double>(r.shape.rows * r.shape.n));
    if (is_single(r.x)) {
      run_rows_backward(kernels().row_norm.f32, r, grad, mean, rstd, out, scratch.data());
    } else {
      run_rows_backward(kernels().row_norm.f64, r, grad, mean, rstd, out, scratch.data());
    }
  }
  for (int i = 0; i < 3; ++i) {
    if (!is_wanted(want, i)) Py_CLEAR(out.at[i]);
  }
  return out.take(r.centre ? 3 : 2);
}

// The elements of the last `dims` dimensions of x; 0 if it has no such dimensions.
int64_t row_length(PyObject* x, int64_t dims) {
  if (!is_input(x) || dims < 1 || dims > PyArray_NDIM(as_array(x))) return 0;
  int64_t n = 1;
  const int ndim = PyArray_NDIM(as_array(x));
  for (int i = ndim - static_cast<int>(dims); i < ndim; ++i) n *= PyArray_DIM(as_array(x), i);
  return n;
}

// layer_norm(x, w, b, n, eps)
PyObject* layer_norm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t n = 0;
  Rows r;
  double eps;
  if (!check_count("layer_norm", nargs, 5) || !read_int("layer_norm", "n", args[3], &n) ||
      !read_double("layer_norm", "eps", args[4], &eps)) {
    return nullptr;
  }
  if (!read_rows(args[0], args[1], args[2], n, &r)) return new_none();
  r.eps = eps;
  Results out;
  return rows_forward(r, &out) ? out.take(3) : nullptr;
}

// rms_norm(x, w, n, eps): (y, rstd)
PyObject* rms_norm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t n = 0;
  Rows r;
  double eps;
  if (!check_count("rms_norm", nargs, 4) || !read_int("rms_norm", "n", args[2], &n) ||
      !read_double("rms_norm", "eps", args[3], &eps)) {
    return nullptr;
  }
  if (!read_rows(args[0], args[1], Py_None, n, &r)) return new_none();
  r.centre = false;
  r.eps = eps;
  Results out;
  if (!rows_forward(r, &out)) return nullptr;
  out.at[1] = out.at[2];
  out.at[2] = nullptr;
  return out.take(2);
}

// group_norm(x, w, b, groups, eps)
PyObject* group_norm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t groups;
  Rows r;
  double eps;
  if (!check_count("group_norm", nargs, 5) || !read_int("group_norm", "groups", args[3], &groups) ||
      !read_double("group_norm", "eps", args[4], &eps)) {
    return nullptr;
  }
  if (!read_groups(args[0], args[1], args[2], groups, &r)) return new_none();
  r.eps = eps;
  Results out;
  return rows_forward(r, &out) ? out.take(3) : nullptr;
}

// layer_norm_backward(grad, x, mean, rstd, w, dims, want)
PyObject* layer_norm_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t dims;
  Rows r;
  if (!check_count("layer_norm_backward", nargs, 7) ||
      !read_int("layer_norm_backward", "dims", args[5], &dims)) {
    return nullptr;
  }
  const int64_t n = row_length(args[1], dims);
  if (!read_rows(args[1], args[4], Py_None, n, &r)) return new_none();
  return rows_backward(r, args[0], args[2], args[3], args[6], static_cast<int>(dims));
}

// rms_norm_backward(grad, x, rstd, w, dims, want)
PyObject* rms_norm_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t dims;
  Rows r;
  if (!check_count("rms_norm_backward", nargs, 6) ||
      !read_int("rms_norm_backward", "dims", args[4], &dims)) {
    return nullptr;
  }
  const int64_t n = row_length(args[1], dims);
  if (!read_rows(args[1], args[3], Py_None, n, &r)) return new_none();
  r.centre = false;
  return rows_backward(r, args[0], Py_None, args[2], args[5], static_cast<int>(dims));
}

// group_norm_backward(grad, x, mean, rstd, w, groups, want)
PyObject* group_norm_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t groups;
  Rows r;
  if (!check_count("group_norm_backward", nargs, 7) ||
      !read_int("group_norm_backward", "groups", args[5], &groups)) {
    return nullptr;
  }
  if (!read_groups(args[1], args[4], Py_None, groups, &r)) return new_none();
  return rows_backward(r, args[0], args[2], args[3], args[6], 0);
}

// ---- recorded: for tensors whose arrays fit as they are; else None, and minigrad/ops does it ----

// Whether the last dimensions of x, and all of p (unless None), are the ints of the tuple `shape`.
bool ends_with(PyObject* x, PyObject* shape, bool whole, int64_t* n) {
  if (x == Py_None) return true;
  const Py_ssize_t count = PyTuple_GET_SIZE(shape);
  const int ndim = PyArray_NDIM(as_array(x));
  if (count < 1 || ndim < count || (whole && ndim != count)) return false;
  *n = 1;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PyTuple_GET_ITEM(shape, i);
    const npy_intp size = PyArray_DIM(as_array(x), ndim - static_cast<int>(count - i));
    if (!PyLong_CheckExact(item) || PyLong_AsLongLong(item) != size) {
      PyErr_Clear();
      return false;
    }
    *n *= size;
  }
  return true;
}

// fast_layer_norm(cls, input, normalized_shape, weight, bias, eps)
PyObject* fast_layer_norm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Operands o;
  Rows r;
  int64_t n = 0;
  if (!check_count("layer_norm", nargs, 6)) return nullptr;
  if (!PyTuple_CheckExact(args[2]) || !PyFloat_CheckExact(args[5]) ||
      !read_operands(args[1], args[3], args[4], 3, &o) ||
      !ends_with(o.array[1], args[2], true, &n) || !ends_with(o.array[2], args[2], true, &n) ||
      !ends_with(o.array[0], args[2], false, &n) ||
      !read_rows(o.array[0], o.array[1], o.array[2], n, &r)) {
    return new_none();
  }
  r.eps = PyFloat_AS_DOUBLE(args[5]);
  Keep keep(true, {o.array[0], o.array[1], o.array[2]});
  Results out;
  if (!rows_forward(r, &out)) return nullptr;
  PyObject* y = out.at[0];
  out.at[0] = nullptr;
  if (!o.tracked) return new_tensor(y, Py_None);
  return recorded(
      args[0], o, y,
      Py_BuildValue("OOnOO", out.at[1], out.at[2], PyTuple_GET_SIZE(args[2]), args[5], Py_None));
}

// fast_rms_norm(cls, input, normalized_shape, weight, eps)
PyObject* fast_rms_norm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Operands o;
  Rows r;
  int64_t n = 0;
  if (!check_count("rms_norm", nargs, 5)) return nullptr;
  if (!PyTuple_CheckExact(args[2]) || !read_operands(args[1], args[3], Py_None, 2, &o) ||
      !ends_with(o.array[1], args[2], true, &n) || !ends_with(o.array[0], args[2], false, &n) ||
      !read_rows(o.array[0], o.array[1], Py_None, n, &r)) {
    return new_none();
  }
  if (PyFloat_CheckExact(args[4])) {
    r.eps = PyFloat_AS_DOUBLE(args[4]);
  } else if (args[4] == Py_None) {
    r.eps = is_single(r.x) ? 0x1p-23 : 0x1p-52;
  } else {
    return new_none();
  }
  r.centre = false;
  Keep keep(true, {o.array[0], o.array[1]});
  Results out;
  if (!rows_forward(r, &out)) return nullptr;
  PyObject* y = out.at[0];
  out.at[0] = nullptr;
  if (!o.tracked) return new_tensor(y, Py_None);
  return recorded(args[0], o, y, Py_BuildValue("Ond", out.at[2], PyTuple_GET_SIZE(args[2]), r.eps));
}

// fast_group_norm(cls, input, groups, weight, bias, eps)
PyObject* fast_group_norm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Operands o;
  Rows r;
  if (!check_count("group_norm", nargs, 6)) return nullptr;
  if (!PyLong_CheckExact(args[2]) || !PyFloat_CheckExact(args[5]) ||
      !read_operands(args[1], args[3], args[4], 3, &o)) {
    return new_none();
  }
  const long long groups = PyLong_AsLongLong(args[2]);
  if (groups < 1) PyErr_Clear();
  for (int i = 1; i < 3; ++i) {
    if (o.array[i] != Py_None && PyArray_NDIM(as_array(o.array[i])) != 1) return new_none();
  }
  // One value a group is an error of PyTorch's.
  if (!read_groups(o.array[0], o.array[1], o.array[2], groups, &r) || r.shape.n < 2) {
    return new_none();
  }
  r.eps = PyFloat_AS_DOUBLE(args[5]);
  Keep keep(true, {o.array[0], o.array[1], o.array[2]});
  Results out;
  if (!rows_forward(r, &out)) return nullptr;
  PyObject* y = out.at[0];
  out.at[0] = nullptr;
  if (!o.tracked) return new_tensor(y, Py_None);
  return recorded(args[0], o, y,
                  Py_BuildValue("OOOOO", out.at[1], out.at[2], args[2], args[5], Py_None));
}

PyMethodDef kFunctions[] = {
    MG_FAST(layer_norm, "layer_norm(x, w, b, n, eps): (y, mean, rstd); None if Python has to"),
    MG_FAST(layer_norm_backward,
            "layer_norm_backward(grad, x, mean, rstd, w, dims, want): (dx, dw, db) or None"),
    MG_FAST(rms_norm, "rms_norm(x, w, n, eps): (y, rstd); None if Python has to"),
    MG_FAST(rms_norm_backward, "rms_norm_backward(grad, x, rstd, w, dims, want): (dx, dw) or None"),
    MG_FAST(group_norm, "group_norm(x, w, b, groups, eps): (y, mean, rstd) or None"),
    MG_FAST(group_norm_backward,
            "group_norm_backward(grad, x, mean, rstd, w, groups, want): (dx, dw, db) or None"),
    MG_FAST(fast_layer_norm,
            "fast_layer_norm(cls, input, normalized_shape, weight, bias, eps): recorded, or None"),
    MG_FAST(fast_rms_norm, "fast_rms_norm(cls, input, normalized_shape, weight, eps), or None"),
    MG_FAST(fast_group_norm, "fast_group_norm(cls, input, groups, weight, bias, eps), or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_norm(PyObject* module) {
  add_functions(module, kFunctions);
  bind_norm_channels(module);
}

}  // namespace mg
