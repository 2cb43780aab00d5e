// Elementwise operations on arrays, and the hot path of small models: the operation, its result
// tensor and its graph node made in one call. Where the functions return None (types without a
// kernel, shapes that do not fit), minigrad/ops/_elementwise.py, which says in Python what happens
// here, does it.
#include <algorithm>

#include "bindings/families.h"
#include "bindings/graph.h"
#include "bindings/walk.h"
#include "kernels.h"

namespace mg {
namespace {

// Bits of `spec`, which minigrad/kernels/fast.py puts together: the operation and what it saves.
constexpr long kOpMask = 0xff;
constexpr long kSavesInputs = 0x100;
constexpr long kCross = 0x200;
constexpr long kSavesOutput = 0x400;
constexpr long kTensorsOnly = 0x800;  // numbers are refused, by the Python code

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
  return PyArray_CheckExact(operand->array);
}

PyArrayObject* as_array(const Operand& operand) {
  return reinterpret_cast<PyArrayObject*>(operand.array);
}

constexpr int kMaxParams = 3;

// A kernel call over up to three operands: the plan of its walk, then run() into a new array.
struct Call {
  PyArrayObject* arrays[kWalkOperands];  // nullptr for a number
  double numbers[kWalkOperands];
  int count;
  FloatType type;
  PyArrayObject* like;  // an operand of that type
  Layout layout;
};

// Plans a call whose operands from `first` on must all have one float type. False: NumPy's work.
bool plan_call(Call* call, const Operand* operands, int count, int first) {
  call->count = count;
  call->like = nullptr;
  for (int k = 0; k < count; ++k) {
    call->arrays[k] = operands[k].array ? as_array(operands[k]) : nullptr;
    call->numbers[k] = operands[k].number;
    if (k < first || !call->arrays[k]) continue;
    FloatType type;
    if (!float_type(call->arrays[k], &type) || (call->like && type != call->type)) return false;
    if (!call->like) call->like = call->arrays[k];
    call->type = type;
  }
  return call->like && plan_walk(call->arrays, count, &call->layout);
}

double work_of(const Call& call) { return kEach * static_cast<double>(call.layout.walk.size); }

// Runs a row of the tables into memory for the result, of elements of `out_item` bytes.
void run_into(const Call& call, const Row* rows, void* out, int64_t out_item,
              const double* params) {
  const bool is_double = call.type == FloatType::kFloat64;
  int64_t item[1 + kWalkOperands];
  const void* in[kWalkOperands];
  float small[kWalkOperands];
  item[0] = out_item;
  for (int k = 0; k < call.count; ++k) {
    small[k] = static_cast<float>(call.numbers[k]);
    item[1 + k] = call.arrays[k] ? PyArray_ITEMSIZE(call.arrays[k]) : out_item;
    in[k] = call.arrays[k] ? PyArray_DATA(call.arrays[k])
            : is_double    ? static_cast<const void*>(&call.numbers[k])
                           : &small[k];
  }
  KernelScope scope(work_of(call));
  kernels().elementwise.run(rows[is_double ? 1 : 0], call.type, out, in, item, call.layout.walk,
                            params);
}

// Runs a row of the tables; the result has the operands' type, or bool.
PyObject* run_call(const Call& call, const Row* rows, bool to_bool, const double* params) {
  PyArray_Descr* descr = PyArray_DESCR(call.like);
  if (to_bool) {
    descr = PyArray_DescrFromType(NPY_BOOL);
  } else {
    Py_INCREF(descr);
  }
  PyObject* array = new_result(descr, call.layout);
  if (!array) return nullptr;
  run_into(call, rows, PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)),
           to_bool ? 1 : PyArray_ITEMSIZE(call.like), params);
  return array;
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
  if ((spec & kTensorsOnly) && !(a.array && b.array)) return new_none();
  const bool any_variable = a.variable || b.variable;
  if (any_variable && ((a.array && !a.variable) || (b.array && !b.variable))) return new_none();
  const bool tracked = t_recording && (a.fn != Py_None || b.fn != Py_None);
  if (tracked && g_anomaly) return new_none();
  Call call;
  const Operand operands[] = {a, b};
  if (!plan_call(&call, operands, 2, 0)) return new_none();
  Keep keep(KernelScope::unlocks(work_of(call)), {a.array, b.array, a.fn, b.fn});
  PyObject* array = run_call(call, kernels().elementwise.binary[op], false, nullptr);
  if (!array) return nullptr;
  if (!any_variable) return array;
  if (!tracked) return new_tensor(array, Py_None);

  PyObject* node = new_node(args[0], PyTuple_Pack(2, a.fn, b.fn));
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

// unary(cls, spec, input, numbers=()): the tensor (or array, for an array), or None. The node keeps
// the numbers, a tuple of floats, as its `numbers`.
PyObject* fast_unary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  long spec;
  int op;
  double params[kMaxParams];
  if ((nargs != 4 && !check_count("fast_unary", nargs, 3)) ||
      !read_spec("fast_unary", args[1], static_cast<int>(UnaryOp::kCount), &spec, &op)) {
    return nullptr;
  }
  Operand a;
  if (!g.tensor || !read_operand(args[2], &a) || !a.array) return new_none();
  const bool tracked = t_recording && a.fn != Py_None;
  if (tracked && g_anomaly) return new_none();

  Call call;
  if ((nargs == 4 && !read_numbers(args[3], params)) || !plan_call(&call, &a, 1, 0)) {
    return new_none();
  }
  Keep keep(KernelScope::unlocks(work_of(call)), {a.array, a.fn});
  const double* numbers = nargs == 4 ? params : nullptr;
  PyObject* array = run_call(call, kernels().elementwise.unary[op], false, numbers);
  if (!array) return nullptr;
  if (!a.variable) return array;
  if (!tracked) return new_tensor(array, Py_None);

  PyObject* node = new_node(args[0], PyTuple_Pack(1, a.fn));
  if (!node) {
    Py_DECREF(array);
    return nullptr;
  }
  PyObject* result = new_tensor(array, node);
  bool saved = result && (!numbers || PyObject_SetAttr(node, g_numbers, args[3]) == 0);
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

// fast_compare(op, input, other): the tensor of bools, or None.
PyObject* fast_compare(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  long spec;
  int op;
  if (!check_count("fast_compare", nargs, 3) ||
      !read_spec("fast_compare", args[0], static_cast<int>(CompareOp::kCount), &spec, &op)) {
    return nullptr;
  }
  Operand operands[2];
  if (!g.tensor || !read_operand(args[1], &operands[0]) || !read_operand(args[2], &operands[1]) ||
      !operands[0].variable || (operands[1].array && !operands[1].variable)) {
    return new_none();
  }
  Call call;
  if (!plan_call(&call, operands, 2, 0)) return new_none();
  Keep keep(KernelScope::unlocks(work_of(call)), {operands[0].array, operands[1].array});
  PyObject* array = run_call(call, kernels().elementwise.compare[op], true, nullptr);
  return array ? new_tensor(array, Py_None) : nullptr;
}

// Whether two arrays share memory; both are contiguous.
bool overlap(PyArrayObject* a, PyArrayObject* b) {
  const char* x = static_cast<const char*>(PyArray_DATA(a));
  const char* y = static_cast<const char*>(PyArray_DATA(b));
  return x < y + PyArray_NBYTES(b) && y < x + PyArray_NBYTES(a);
}

// Runs op(target, other, number) into the target's own memory; false where Python has to do it.
bool write_in_place(int op, const Operand& target, const Operand& other, double number) {
  PyArrayObject* x = as_array(target);
  if (!is_fast(target.array) || !PyArray_ISWRITEABLE(x)) return false;
  if (other.array) {
    PyArrayObject* y = as_array(other);
    if (!is_fast(other.array) || PyArray_TYPE(x) != PyArray_TYPE(y)) return false;
    const bool same = PyArray_DATA(x) == PyArray_DATA(y) && PyArray_SAMESHAPE(x, y);
    if (!same && overlap(x, y)) return false;
  }
  Call call;
  const Operand operands[] = {target, other};
  if (!plan_call(&call, operands, 2, 0)) return false;
  const Layout& l = call.layout;
  if (l.ndim != PyArray_NDIM(x) || !l.in_order ||
      !std::equal(l.shape, l.shape + l.ndim, PyArray_DIMS(x))) {
    return false;
  }
  const double params[kMaxParams] = {number, 0, 0};
  run_into(call, kernels().elementwise.binary[op], PyArray_DATA(x), PyArray_ITEMSIZE(x), params);
  return true;
}

// fast_in_place(op, target, other, number=0): True if the target, outside the graph, was written.
PyObject* fast_in_place(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  long spec;
  int op;
  double number = 0;
  if (nargs != 4 && !check_count("fast_in_place", nargs, 3)) return nullptr;
  if (!read_spec("fast_in_place", args[0], static_cast<int>(BinaryOp::kCount), &spec, &op) ||
      (nargs == 4 && !read_double("fast_in_place", "number", args[3], &number))) {
    return nullptr;
  }
  Operand target, other;
  if (!g.tensor || !read_operand(args[1], &target) || !read_operand(args[2], &other) ||
      !target.variable || (other.array && !other.variable) || !may_write(target.given, other.fn)) {
    Py_RETURN_FALSE;
  }
  Keep keep(true, {target.array, other.array});
  if (!write_in_place(op, target, other, number)) Py_RETURN_FALSE;
  // The first write makes the record of writes, which `_version` counts.
  if (!cell_of(target.given) || !note_write(target.given)) return nullptr;
  Py_RETURN_TRUE;
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

PyMethodDef kFunctions[] = {
    MG_FAST(fast_compare, "fast_compare(op, input, other): a tensor of bools, or None"),
    MG_FAST(fast_in_place, "fast_in_place(op, target, other, number=0): whether it was done"),
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
