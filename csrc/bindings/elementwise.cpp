// The hot path of small models: an elementwise operation on contiguous float arrays, its result
// tensor and its graph node, made in one call. For everything else the functions return None, and
// minigrad/ops/_elementwise.py, which says in Python what happens here, does it.
#include "bindings/families.h"
#include "bindings/graph.h"
#include "kernels.h"

namespace mg {
namespace {

// Bits of `spec`, which minigrad/kernels/fast.py puts together: the operation and what it saves.
constexpr long kOpMask = 0xff;
constexpr long kSavesInputs = 0x100;
constexpr long kCross = 0x200;
constexpr long kSavesOutput = 0x400;

// Nanoseconds for one element on one thread, roughly.
constexpr double kEach = 0.4;

// The kernel's number and what is saved; `kernels`: how many there are.
bool read_spec(const char* name, PyObject* argument, int kernels, long* spec, int* op) {
  *spec = PyLong_AsLong(argument);
  if (*spec == -1 && PyErr_Occurred()) return false;
  *op = static_cast<int>(*spec & kOpMask);
  if (*op < kernels) return true;
  fail(PyExc_ValueError, "%s: kernel %d was asked for; there are %d", name, *op, kernels);
  return false;
}

// One operand: an array, or a number that stands for one.
struct Operand {
  PyObject* given;
  PyObject* array;  // nullptr for a number
  PyObject* fn;     // borrowed; None outside the graph
  double number;
  bool variable;
};

bool read_operand(PyObject* given, Operand* operand) {
  operand->given = given;
  operand->fn = Py_None;
  operand->variable = is_variable(given);
  if (operand->variable) {
    operand->array = slot(given, g.array);
    operand->fn = slot(given, g.fn);
  } else if (PyFloat_CheckExact(given)) {
    operand->array = nullptr;
    operand->number = PyFloat_AS_DOUBLE(given);
    return true;
  } else if (PyLong_CheckExact(given)) {
    operand->array = nullptr;
    operand->number = PyLong_AsDouble(given);
    if (operand->number == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
    return true;
  } else {
    operand->array = given;
  }
  return is_fast(operand->array);
}

PyArrayObject* as_array(const Operand& operand) {
  return reinterpret_cast<PyArrayObject*>(operand.array);
}

// How b combines with a; false if only NumPy's general broadcasting does it.
bool find_form(const Operand& a, const Operand& b, Form* form, int64_t* rows) {
  *rows = 1;
  if (!a.array || !b.array) {
    *form = a.array ? Form::kRight : Form::kLeft;
    return true;
  }
  PyArrayObject* x = as_array(a);
  PyArrayObject* y = as_array(b);
  if (PyArray_TYPE(x) != PyArray_TYPE(y)) return false;
  const int nx = PyArray_NDIM(x), ny = PyArray_NDIM(y);
  if (nx >= ny) {
    for (int i = 1; i <= ny; ++i) {
      if (PyArray_DIM(x, nx - i) != PyArray_DIM(y, ny - i)) return false;
    }
    if (nx == ny) {
      *form = Form::kSame;
    } else if (ny == 0) {
      *form = Form::kRight;
    } else {
      *form = Form::kRow;
      for (int i = 0; i < nx - ny; ++i) *rows *= PyArray_DIM(x, i);
    }
    return true;
  }
  *form = Form::kLeft;
  return nx == 0;
}

template <class T>
void run_binary(const ElementwiseOf<T>& kernels, int op, T* out, const Operand& a, const Operand& b,
                int64_t n, int64_t rows, Form form) {
  const T left = a.array ? T{} : static_cast<T>(a.number);
  const T right = b.array ? T{} : static_cast<T>(b.number);
  const T* x = a.array ? static_cast<const T*>(PyArray_DATA(as_array(a))) : &left;
  const T* y = b.array ? static_cast<const T*>(PyArray_DATA(as_array(b))) : &right;
  KernelScope scope(kEach * static_cast<double>(n));
  kernels.binary[op](out, x, y, n, rows, form);
}

PyObject* shape_tuple(PyArrayObject* array) {
  const int n = PyArray_NDIM(array);
  PyObject* shape = PyTuple_New(n);
  if (!shape) return nullptr;
  for (int i = 0; i < n; ++i) {
    PyTuple_SET_ITEM(shape, i, PyLong_FromSsize_t(PyArray_DIM(array, i)));
  }
  return shape;
}

bool save_output(PyObject* node, PyObject* result) {
  PyObject* cell = cell_of(result);
  if (!cell) return false;
  replace(node, g.saved, PyTuple_Pack(1, slot(result, g.array)));
  replace(node, g.cells, PyTuple_Pack(1, cell));
  return slot(node, g.saved) && slot(node, g.cells);
}

bool save_operands(PyObject* node, long spec, const Operand& a, const Operand& b) {
  const bool keep_a = !(spec & kCross) || b.fn != Py_None;
  const bool keep_b = !(spec & kCross) || a.fn != Py_None;
  PyObject* cells[2];
  int count = 0;
  if (keep_a && a.variable && !(cells[count++] = saved_cell(a.given))) return false;
  if (keep_b && b.variable && !(cells[count++] = saved_cell(b.given))) return false;
  replace(node, g.saved,
          PyTuple_Pack(2, keep_a ? (a.array ? a.array : a.given) : Py_None,
                       keep_b ? (b.array ? b.array : b.given) : Py_None));
  replace(node, g.cells,
          count == 2   ? PyTuple_Pack(2, cells[0], cells[1])
          : count == 1 ? PyTuple_Pack(1, cells[0])
                       : PyTuple_New(0));
  return slot(node, g.saved) && slot(node, g.cells);
}

bool save_shapes(PyObject* node, const Operand& a, const Operand& b) {
  PyObject* x = shape_tuple(as_array(a));
  PyObject* y = shape_tuple(as_array(b));
  PyObject* both = x && y ? PyTuple_Pack(2, x, y) : nullptr;
  Py_XDECREF(x);
  Py_XDECREF(y);
  if (!both) return false;
  replace(node, g.shapes, both);
  return true;
}

// binary(cls, spec, input, other): the tensor (or array, for arrays), or None.
PyObject* fast_binary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  long spec;
  int op;
  if (!check_count("fast_binary", nargs, 4) ||
      !read_spec("fast_binary", args[1], static_cast<int>(BinaryOp::kCount), &spec, &op)) {
    return nullptr;
  }
  Operand a, b;
  if (!g.tensor || !read_operand(args[2], &a) || !read_operand(args[3], &b)) return new_none();
  if (!a.array && !b.array) return new_none();
  const bool any_variable = a.variable || b.variable;
  if (any_variable && ((a.array && !a.variable) || (b.array && !b.variable))) return new_none();
  const bool tracked = t_recording && (a.fn != Py_None || b.fn != Py_None);
  Form form;
  int64_t rows;
  if ((tracked && g_anomaly) || !find_form(a, b, &form, &rows)) return new_none();

  PyArrayObject* like = form == Form::kLeft ? as_array(b) : as_array(a);
  const int64_t n = PyArray_SIZE(like);
  Keep keep(KernelScope::unlocks(kEach * static_cast<double>(n)), {a.array, b.array, a.fn, b.fn});
  PyObject* array = array_like(like);
  if (!array) return nullptr;
  void* out = PyArray_DATA(reinterpret_cast<PyArrayObject*>(array));
  if (PyArray_TYPE(like) == NPY_FLOAT) {
    run_binary(kernels().elementwise.f32, op, static_cast<float*>(out), a, b, n, rows, form);
  } else {
    run_binary(kernels().elementwise.f64, op, static_cast<double*>(out), a, b, n, rows, form);
  }
  if (!any_variable) return array;
  if (!tracked) return new_tensor(array, Py_None);

  PyObject* node = new_node(args[0], PyTuple_Pack(2, a.fn, b.fn));
  if (!node) {
    Py_DECREF(array);
    return nullptr;
  }
  PyObject* result = new_tensor(array, node);
  const bool broadcast = form != Form::kSame && a.array && b.array;
  if (!result || ((spec & kSavesInputs) && !save_operands(node, spec, a, b)) ||
      ((spec & kSavesOutput) && !save_output(node, result)) ||
      (broadcast && !save_shapes(node, a, b))) {
    Py_XDECREF(result);
    result = nullptr;
  }
  Py_DECREF(node);
  return result;
}

// unary(cls, spec, input): the tensor (or array, for an array), or None.
PyObject* fast_unary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  long spec;
  int op;
  if (!check_count("fast_unary", nargs, 3) ||
      !read_spec("fast_unary", args[1], static_cast<int>(UnaryOp::kCount), &spec, &op)) {
    return nullptr;
  }
  Operand a;
  if (!g.tensor || !read_operand(args[2], &a) || !a.array) return new_none();
  const bool tracked = t_recording && a.fn != Py_None;
  if (tracked && g_anomaly) return new_none();

  PyArrayObject* x = as_array(a);
  const int64_t n = PyArray_SIZE(x);
  const double work = kEach * static_cast<double>(n);
  Keep keep(KernelScope::unlocks(work), {a.array, a.fn});
  PyObject* array = array_like(x);
  if (!array) return nullptr;
  void* out = PyArray_DATA(reinterpret_cast<PyArrayObject*>(array));
  {
    KernelScope scope(work);
    if (PyArray_TYPE(x) == NPY_FLOAT) {
      kernels().elementwise.f32.unary[op](static_cast<float*>(out),
                                          static_cast<const float*>(PyArray_DATA(x)), n);
    } else {
      kernels().elementwise.f64.unary[op](static_cast<double*>(out),
                                          static_cast<const double*>(PyArray_DATA(x)), n);
    }
  }
  if (!a.variable) return array;
  if (!tracked) return new_tensor(array, Py_None);

  PyObject* node = new_node(args[0], PyTuple_Pack(1, a.fn));
  if (!node) {
    Py_DECREF(array);
    return nullptr;
  }
  PyObject* result = new_tensor(array, node);
  bool saved = result != nullptr;
  if (saved && (spec & kSavesInputs)) {
    PyObject* cell = saved_cell(a.given);
    replace(node, g.saved, PyTuple_Pack(1, a.array));
    replace(node, g.cells, cell ? PyTuple_Pack(1, cell) : nullptr);
    saved = slot(node, g.saved) && slot(node, g.cells);
  } else if (saved && (spec & kSavesOutput)) {
    saved = save_output(node, result);
  }
  if (!saved) {
    Py_XDECREF(result);
    result = nullptr;
  }
  Py_DECREF(node);
  return result;
}

PyMethodDef kFunctions[] = {
    MG_FAST_NAMED("fast_binary", fast_binary, "fast_binary(cls, spec, input, other)"),
    MG_FAST_NAMED("fast_unary", fast_unary, "fast_unary(cls, spec, input)"),
    MG_TABLE_END,
};

}  // namespace

void bind_elementwise(pybind11::module_& m) { add_functions(m, kFunctions); }

}  // namespace mg
