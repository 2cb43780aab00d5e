// Elementwise operations on arrays, and the hot path of small models: the operation, its result
// tensor and its graph node made in one call. Where the functions return None (types without a
// kernel, shapes that do not fit), minigrad/ops/_elementwise.py, which says in Python what happens
// here, does it.
#include "bindings/elementwise.h"

#include "bindings/families.h"
#include "bindings/operands.h"

namespace mg {
namespace {

// Bits of `spec`, which minigrad/kernels/fast.py puts together: the operation and what it saves.
constexpr long kOpMask = 0xff;
constexpr long kSavesInputs = 0x100;
constexpr long kCross = 0x200;
constexpr long kSavesOutput = 0x400;
constexpr long kTensorsOnly = 0x800;  // numbers are refused, by the Python code

// The kernel's number and what is saved; `kernels`: how many there are.
bool read_spec(const char* name, PyObject* argument, int kernels, long* spec, int* op) {
  *spec = PyLong_AsLong(argument);
  if (*spec == -1 && PyErr_Occurred()) return false;
  *op = static_cast<int>(*spec & kOpMask);
  if (*op < kernels) return true;
  fail(PyExc_ValueError, "%s: kernel %d was asked for; there are %d", name, *op, kernels);
  return false;
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

}  // namespace

PyObject* binary_tensor(PyObject* cls, long spec, PyObject* input, PyObject* other) {
  Operand a, b;
  if (!g.tensor || !read_operand(input, &a) || !read_operand(other, &b)) return new_none();
  if (!a.array && !b.array) return new_none();
  if ((spec & kTensorsOnly) && !(a.array && b.array)) return new_none();
  const bool any_variable = a.variable || b.variable;
  if (any_variable && ((a.array && !a.variable) || (b.array && !b.variable))) return new_none();
  const bool tracked = t_recording && (a.fn != Py_None || b.fn != Py_None);
  if (tracked && g_anomaly) return new_none();
  Call call;
  const Operand operands[] = {a, b};
  if (!plan_call(&call, operands, 2, 0)) return new_none();
  Keep keep(KernelScope::unlocks(work_of(call)), {a.array, b.array, a.fn, b.fn});
  const long op = spec & kOpMask;
  PyObject* array = run_call(call, kernels().elementwise.binary[op], false, nullptr);
  if (!array) return nullptr;
  if (!any_variable) return array;
  if (!tracked) return new_tensor(array, Py_None);

  PyObject* node = new_node(cls, PyTuple_Pack(2, a.fn, b.fn));
  if (!node) {
    Py_DECREF(array);
    return nullptr;
  }
  PyObject* result = new_tensor(array, node);
  const bool broadcast = a.array && b.array && !PyArray_SAMESHAPE(as_array(a), as_array(b));
  if (!result || ((spec & kSavesInputs) && !save_operands(node, spec, a, b)) ||
      ((spec & kSavesOutput) && !save_output(node, result)) ||
      (broadcast && !save_shapes(node, a, b))) {
    Py_XDECREF(result);
    result = nullptr;
  }
  Py_DECREF(node);
  return result;
}

namespace {

// fast_binary(cls, spec, input, other): the tensor (or array, for arrays), or None.
PyObject* fast_binary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  long spec;
  int op;
  if (!check_count("fast_binary", nargs, 4) ||
      !read_spec("fast_binary", args[1], static_cast<int>(BinaryOp::kCount), &spec, &op)) {
    return nullptr;
  }
  return binary_tensor(args[0], spec, args[2], args[3]);
}

// Reads a tuple of numbers; false where Python has to look at them.
bool read_numbers(PyObject* tuple, double* params) {
  if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) > kMaxParams) return false;
  for (Py_ssize_t i = 0; i < kMaxParams; ++i) {
    params[i] = 0;
    if (i >= PyTuple_GET_SIZE(tuple)) continue;
    PyObject* number = PyTuple_GET_ITEM(tuple, i);
    if (!PyFloat_CheckExact(number)) return false;
    params[i] = PyFloat_AS_DOUBLE(number);
  }
  return true;
}

PyObject* g_numbers;  // "numbers"

}  // namespace

PyObject* unary_tensor(PyObject* cls, long spec, PyObject* input, PyObject* numbers) {
  double params[kMaxParams];
  Operand a;
  if (!g.tensor || !read_operand(input, &a) || !a.array) return new_none();
  const bool tracked = t_recording && a.fn != Py_None;
  if (tracked && g_anomaly) return new_none();

  Call call;
  if ((numbers && !read_numbers(numbers, params)) || !plan_call(&call, &a, 1, 0)) {
    return new_none();
  }
  Keep keep(KernelScope::unlocks(work_of(call)), {a.array, a.fn});
  const long op = spec & kOpMask;
  PyObject* array =
      run_call(call, kernels().elementwise.unary[op], false, numbers ? params : nullptr);
  if (!array) return nullptr;
  if (!a.variable) return array;
  if (!tracked) return new_tensor(array, Py_None);

  PyObject* node = new_node(cls, PyTuple_Pack(1, a.fn));
  if (!node) {
    Py_DECREF(array);
    return nullptr;
  }
  PyObject* result = new_tensor(array, node);
  bool saved = result && (!numbers || PyObject_SetAttr(node, g_numbers, numbers) == 0);
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

namespace {

// fast_unary(cls, spec, input, numbers=()): the tensor (or array, for an array), or None. The node
// keeps the numbers, a tuple of floats, as its `numbers`.
PyObject* fast_unary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  long spec;
  int op;
  if ((nargs != 4 && !check_count("fast_unary", nargs, 3)) ||
      !read_spec("fast_unary", args[1], static_cast<int>(UnaryOp::kCount), &spec, &op)) {
    return nullptr;
  }
  return unary_tensor(args[0], spec, args[2], nargs == 4 ? args[3] : nullptr);
}

}  // namespace

PyObject* compare_tensors(CompareOp op, PyObject* input, PyObject* other) {
  Operand operands[2];
  if (!g.tensor || !read_operand(input, &operands[0]) || !read_operand(other, &operands[1]) ||
      !operands[0].variable || (operands[1].array && !operands[1].variable)) {
    return new_none();
  }
  Call call;
  if (!plan_call(&call, operands, 2, 0)) return new_none();
  Keep keep(KernelScope::unlocks(work_of(call)), {operands[0].array, operands[1].array});
  const Row* rows = kernels().elementwise.compare[static_cast<int>(op)];
  PyObject* array = run_call(call, rows, true, nullptr);
  return array ? new_tensor(array, Py_None) : nullptr;
}

namespace {

// fast_compare(op, input, other): the tensor of bools, or None.
PyObject* fast_compare(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  long spec;
  int op;
  if (!check_count("fast_compare", nargs, 3) ||
      !read_spec("fast_compare", args[0], static_cast<int>(CompareOp::kCount), &spec, &op)) {
    return nullptr;
  }
  return compare_tensors(static_cast<CompareOp>(op), args[1], args[2]);
}

// Reads `count` operands (arrays or numbers) and up to kMaxParams numbers after them.
bool read_arrays(const char* name, PyObject* const* args, Py_ssize_t nargs, int count,
                 Operand* operands, double* params) {
  if (nargs < 1 + count || nargs > 1 + count + kMaxParams) {
    fail(PyExc_TypeError,
         "%s: %zd arguments were given; needed: the operation, %d operands and up "
         "to %d numbers",
         name, nargs, count, kMaxParams);
    return false;
  }
  for (int k = 0; k < count; ++k) {
    operands[k].given = args[1 + k];
    operands[k].array = nullptr;
    operands[k].number = 0;
    if (PyArray_CheckExact(args[1 + k])) {
      operands[k].array = args[1 + k];
    } else if (PyFloat_CheckExact(args[1 + k])) {
      operands[k].number = PyFloat_AS_DOUBLE(args[1 + k]);
    } else {
      return false;
    }
  }
  for (Py_ssize_t i = 0; i < kMaxParams; ++i) {
    params[i] = 0;
    if (1 + count + i < nargs &&
        !read_double(name, "a parameter", args[1 + count + i], params + i)) {
      return false;
    }
  }
  return true;
}

// A kernel of one table on arrays and numbers: a new array, or None.
PyObject* map_arrays(const char* name, PyObject* const* args, Py_ssize_t nargs, int count,
                     const Row (*table)[kFloatTypes], int ops, bool to_bool) {
  Operand operands[kWalkOperands];
  double params[kMaxParams];
  if (!read_arrays(name, args, nargs, count, operands, params)) {
    return PyErr_Occurred() ? nullptr : new_none();
  }
  const long op = PyLong_AsLong(args[0]);
  if (op < 0 || op >= ops) {
    return PyErr_Occurred()
               ? nullptr
               : fail(PyExc_ValueError, "%s: operation %ld; there are %d", name, op, ops);
  }
  Call call;
  if (!plan_call(&call, operands, count, 0)) return new_none();
  return run_call(call, table[op], to_bool, params);
}

PyObject* unary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return map_arrays("unary", args, nargs, 1, kernels().elementwise.unary,
                    static_cast<int>(UnaryOp::kCount), false);
}
PyObject* binary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return map_arrays("binary", args, nargs, 2, kernels().elementwise.binary,
                    static_cast<int>(BinaryOp::kCount), false);
}
PyObject* compare(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return map_arrays("compare", args, nargs, 2, kernels().elementwise.compare,
                    static_cast<int>(CompareOp::kCount), true);
}

// where(mask, a, b): a where the bool mask is set, else b; a new array, or None.
PyObject* where(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("where", nargs, 3)) return nullptr;
  Operand operands[3];
  for (int k = 0; k < 3; ++k) {
    operands[k].array = PyArray_CheckExact(args[k]) ? args[k] : nullptr;
    operands[k].number = 0;
    if (operands[k].array) continue;
    if (k == 0 || !PyFloat_CheckExact(args[k])) return new_none();
    operands[k].number = PyFloat_AS_DOUBLE(args[k]);
  }
  if (PyArray_TYPE(as_array(operands[0])) != NPY_BOOL) return new_none();
  Call call;
  if (!plan_call(&call, operands, 3, 1)) return new_none();
  return run_call(call, kernels().elementwise.where, false, nullptr);
}

// weighted_logits(slope, x, t, weight): the binary cross-entropy of logits whose positive targets
// have weights, or its slope; a new array, or None.
PyObject* weighted_logits(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  bool slope;
  if (!check_count("weighted_logits", nargs, 4) ||
      !read_bool("weighted_logits", "slope", args[0], &slope)) {
    return nullptr;
  }
  Operand operands[3];
  for (int k = 0; k < 3; ++k) {
    if (!PyArray_CheckExact(args[k + 1])) return new_none();
    operands[k].array = args[k + 1];
    operands[k].number = 0;
  }
  Call call;
  if (!plan_call(&call, operands, 3, 0)) return new_none();
  return run_call(call, kernels().elementwise.logits[slope], false, nullptr);
}

PyMethodDef kFunctions[] = {
    MG_FAST(weighted_logits, "weighted_logits(slope, x, t, weight): a new array, or None"),
    MG_FAST(fast_compare, "fast_compare(op, input, other): a tensor of bools, or None"),
    MG_FAST(unary, "unary(op, x, *numbers): a new array, or None"),
    MG_FAST(binary, "binary(op, x, y, *numbers): a new array, or None"),
    MG_FAST(compare, "compare(op, x, y): a new array of bools, or None"),
    MG_FAST(where, "where(mask, x, y): a new array, or None"),
    MG_FAST_NAMED("fast_binary", fast_binary, "fast_binary(cls, spec, input, other)"),
    MG_FAST_NAMED("fast_unary", fast_unary, "fast_unary(cls, spec, input, numbers=())"),
    MG_TABLE_END,
};

}  // namespace

void bind_elementwise(PyObject* module) {
  add_functions(module, kFunctions);
  g_numbers = PyUnicode_InternFromString("numbers");
}

}  // namespace mg
