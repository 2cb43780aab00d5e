// Products of matrices recorded in one call: the product, its tensor and its node, for tensors of
// floats. Everything else returns None, and minigrad/ops/{linalg,added_products}.py, which say what
// happens here, do it.
#include "bindings/families.h"
#include "bindings/gemm.h"
#include "bindings/graph.h"

namespace mg {
namespace {

PyObject* shape_of(PyObject* array) {
  PyArrayObject* a = reinterpret_cast<PyArrayObject*>(array);
  return PyArray_IntTupleFromIntp(PyArray_NDIM(a), PyArray_DIMS(a));
}

bool is_matrix(PyObject* variable) {
  PyObject* array = slot(variable, g.array);
  return PyArray_CheckExact(array) && PyArray_NDIM(reinterpret_cast<PyArrayObject*>(array)) == 2;
}

// Whether the arrays of two tensors have dimensions of a matrix product, of which one is no vector;
// with `ndims` those numbers of dimensions exactly, and one batch.
bool are_factors(PyObject* x, PyObject* y, const int64_t* ndims) {
  PyObject *a = slot(x, g.array), *b = slot(y, g.array);
  if (!PyArray_CheckExact(a) || !PyArray_CheckExact(b)) return false;
  PyArrayObject* first = reinterpret_cast<PyArrayObject*>(a);
  PyArrayObject* second = reinterpret_cast<PyArrayObject*>(b);
  const int m = PyArray_NDIM(first), n = PyArray_NDIM(second);
  if (!ndims) return m > 0 && n > 0 && m + n > 2;
  if (m != ndims[0] || n != ndims[1]) return false;
  return m < 3 || n < 3 || PyArray_DIM(first, 0) == PyArray_DIM(second, 0);
}

// fast_matmul(cls, input, other[, ndim of input, ndim of other])
PyObject* fast_matmul(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t ndims[2];
  if (nargs != 5 && !check_count("matmul", nargs, 3)) return nullptr;
  if (nargs == 5 && (!read_int("matmul", "ndim", args[3], ndims) ||
                     !read_int("matmul", "ndim", args[4], ndims + 1))) {
    return nullptr;
  }
  PyObject *a = args[1], *b = args[2];
  if (!g.tensor || g_anomaly || !is_variable(a) || !is_variable(b) ||
      !are_factors(a, b, nargs == 5 ? ndims : nullptr)) {
    return new_none();
  }
  PyObject* arrays[2] = {slot(a, g.array), slot(b, g.array)};
  Keep keep(true, {arrays[0], arrays[1]});
  PyObject* product = matmul_arrays(nullptr, arrays, 2);
  if (!product || product == Py_None) return product;
  PyObject *f = slot(a, g.fn), *h = slot(b, g.fn);
  if (!t_recording || (f == Py_None && h == Py_None)) return new_tensor(product, Py_None);
  PyObject* next = PyTuple_Pack(2, f, h);
  PyObject* node = next ? product_node(args[0], next, a, b, arrays) : nullptr;
  PyObject* x_shape = node ? shape_of(arrays[0]) : nullptr;
  PyObject* y_shape = x_shape ? shape_of(arrays[1]) : nullptr;
  PyObject* shapes = y_shape ? PyTuple_Pack(2, x_shape, y_shape) : nullptr;
  Py_XDECREF(x_shape);
  Py_XDECREF(y_shape);
  if (!shapes) {
    Py_XDECREF(node);
    Py_DECREF(product);
    return nullptr;
  }
  replace(node, g.shapes, shapes);
  PyObject* result = new_tensor(product, node);
  Py_DECREF(node);
  return result;
}

// fast_addmm(cls, input, mat1, mat2, beta, alpha): its node has `beta` and `alpha`.
PyObject* fast_addmm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  static PyObject* const beta_name = PyUnicode_InternFromString("beta");
  static PyObject* const alpha_name = PyUnicode_InternFromString("alpha");
  if (!check_count("addmm", nargs, 6)) return nullptr;
  PyObject *x = args[1], *a = args[2], *b = args[3];
  if (!g.tensor || g_anomaly || !is_variable(x) || !is_variable(a) || !is_variable(b) ||
      !PyArray_CheckExact(slot(x, g.array)) || !is_matrix(a) || !is_matrix(b)) {
    return new_none();
  }
  for (int i = 4; i < 6; ++i) {
    if (!PyFloat_CheckExact(args[i]) && !PyLong_CheckExact(args[i])) return new_none();
  }
  PyObject* arrays[3] = {slot(x, g.array), slot(a, g.array), slot(b, g.array)};
  Array term, left, right;
  if (!read_array("addmm", "input", arrays[0], &term) ||
      !read_array("addmm", "mat1", arrays[1], &left) ||
      !read_array("addmm", "mat2", arrays[2], &right)) {
    return nullptr;
  }
  const npy_intp shape[2] = {left.shape[0], right.shape[1]};
  if ((left.dtype != DType::kFloat32 && left.dtype != DType::kFloat64) ||
      left.dtype != right.dtype || left.dtype != term.dtype || left.shape[1] != right.shape[0] ||
      term.ndim > 2 || !is_walkable(left) || !is_walkable(right)) {
    return new_none();
  }
  for (int i = 0; i < term.ndim; ++i) {
    const npy_intp extent = term.shape[term.ndim - 1 - i];
    if (extent != 1 && extent != shape[1 - i]) return new_none();
  }
  Keep keep(true, {arrays[0], arrays[1], arrays[2]});
  PyArray_Descr* descr = PyArray_DESCR(left.object);
  Py_INCREF(descr);
  PyObject* result = new_array(descr, 2, shape);
  const double beta = result ? PyFloat_AsDouble(args[4]) : -1;
  if (!result || (beta == -1 && PyErr_Occurred()) ||
      (beta != 0 && PyArray_CopyInto(reinterpret_cast<PyArrayObject*>(result), term.object) < 0)) {
    Py_XDECREF(result);
    return nullptr;
  }
  PyObject* call[7] = {result, arrays[1], arrays[2], args[5], args[4], Py_None, Py_False};
  PyObject* done = gemm_arrays(nullptr, call, 7);
  if (!done) {
    Py_DECREF(result);
    return nullptr;
  }
  Py_DECREF(done);
  PyObject *e = slot(x, g.fn), *f = slot(a, g.fn), *h = slot(b, g.fn);
  if (!t_recording || (e == Py_None && f == Py_None && h == Py_None)) {
    return new_tensor(result, Py_None);
  }
  PyObject* next = PyTuple_Pack(2, f, h);
  PyObject* node = next ? product_node(args[0], next, a, b, arrays + 1) : nullptr;
  PyObject* shapes = nullptr;
  if (node) {
    replace(node, g.next, PyTuple_Pack(3, e, f, h));
    PyObject *s = shape_of(arrays[0]), *t = shape_of(arrays[1]), *u = shape_of(arrays[2]);
    shapes = s && t && u ? PyTuple_Pack(3, s, t, u) : nullptr;
    Py_XDECREF(s);
    Py_XDECREF(t);
    Py_XDECREF(u);
  }
  PyObject* out = nullptr;
  if (shapes && slot(node, g.next) && PyObject_SetAttr(node, beta_name, args[4]) == 0 &&
      PyObject_SetAttr(node, alpha_name, args[5]) == 0) {
    replace(node, g.shapes, shapes);
    out = new_tensor(result, node);
  } else {
    Py_XDECREF(shapes);
    Py_DECREF(result);
  }
  Py_XDECREF(node);
  return out;
}

// fast_linear(cls, input, weight, bias)
PyObject* fast_linear(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  static PyObject* const shape_name = PyUnicode_InternFromString("shape");
  if (!check_count("linear", nargs, 4)) return nullptr;
  PyObject *x = args[1], *w = args[2], *b = args[3];
  if (!g.tensor || g_anomaly || !is_variable(x) || !is_variable(w) ||
      (b != Py_None && !is_variable(b)) || !PyArray_CheckExact(slot(x, g.array)) || !is_matrix(w)) {
    return new_none();
  }
  PyObject* arrays[3] = {slot(x, g.array), slot(w, g.array),
                         b == Py_None ? Py_None : slot(b, g.array)};
  if (b != Py_None && !PyArray_CheckExact(arrays[2])) return new_none();
  Keep keep(true, {arrays[0], arrays[1], arrays[2]});
  PyObject* product = linear_arrays(nullptr, arrays, 3);
  if (!product || product == Py_None) return product;
  PyObject *f = slot(x, g.fn), *h = slot(w, g.fn);
  PyObject* i = b == Py_None ? Py_None : slot(b, g.fn);
  if (!t_recording || (f == Py_None && h == Py_None && i == Py_None)) {
    return new_tensor(product, Py_None);
  }
  PyObject* next = PyTuple_Pack(3, f, h, i);
  PyObject* node = next ? product_node(args[0], next, x, w, arrays) : nullptr;
  PyObject* shape = node ? shape_of(arrays[0]) : nullptr;
  const bool ok = shape && PyObject_SetAttr(node, shape_name, shape) == 0;
  Py_XDECREF(shape);
  PyObject* result = nullptr;
  if (ok) {
    result = new_tensor(product, node);
  } else {
    Py_DECREF(product);
  }
  Py_XDECREF(node);
  return result;
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_matmul, "fast_matmul(cls, input, other, *ndims): recorded, or None"),
    MG_FAST(fast_addmm, "fast_addmm(cls, input, mat1, mat2, beta, alpha): recorded, or None"),
    MG_FAST(fast_linear, "fast_linear(cls, input, weight, bias): recorded, or None"),
    MG_TABLE_END,
};

}  // namespace

PyObject* product_node(PyObject* cls, PyObject* next, PyObject* x, PyObject* y,
                       PyObject* const* arrays) {
  PyObject* node = new_node(cls, next);
  if (!node) return nullptr;
  const bool keep_x = PyTuple_GET_ITEM(next, 1) != Py_None;
  const bool keep_y = PyTuple_GET_ITEM(next, 0) != Py_None;
  PyObject* cell_x = keep_x ? saved_cell(x) : nullptr;
  PyObject* cell_y = keep_y ? saved_cell(y) : nullptr;
  replace(node, g.saved,
          PyTuple_Pack(2, keep_x ? arrays[0] : Py_None, keep_y ? arrays[1] : Py_None));
  replace(node, g.cells,
          cell_x && cell_y ? PyTuple_Pack(2, cell_x, cell_y)
          : cell_x         ? PyTuple_Pack(1, cell_x)
          : cell_y         ? PyTuple_Pack(1, cell_y)
                           : PyTuple_New(0));
  if (!slot(node, g.saved) || !slot(node, g.cells) || (keep_x && !cell_x) || (keep_y && !cell_y)) {
    Py_DECREF(node);
    return nullptr;
  }
  return node;
}

void bind_products(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
