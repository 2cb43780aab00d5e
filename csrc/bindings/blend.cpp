// Sums with products and quotients and interpolation, recorded in one call as
// minigrad/ops/blend.py says in Python. The functions return None for what they leave to that code.
#include "bindings/families.h"
#include "bindings/operands.h"

namespace mg {
namespace {

struct Names {
  PyObject *value, *weight;
} n;

PyObject* shape_of(const Operand& operand) {
  PyArrayObject* a = as_array(operand);
  return PyArray_IntTupleFromIntp(PyArray_NDIM(a), PyArray_DIMS(a));
}

// The first `count` operands as tensors of arrays; whether their result is recorded.
bool read_tensors(PyObject* const* given, int count, Operand* operands, bool* tracked) {
  *tracked = false;
  if (!g.tensor) return false;
  for (int k = 0; k < count; ++k) {
    if (!read_operand(given[k], operands + k) || !operands[k].variable) return false;
    *tracked |= operands[k].fn != Py_None;
  }
  *tracked &= t_recording;
  return !(*tracked && g_anomaly);
}

// The node of a result, which saves the operands from `first` to `last`; nullptr with an error.
PyObject* node_of(PyObject* cls, const Operand* operands, int count, int first, int last,
                  PyObject* name, PyObject* number) {
  PyObject* next = PyTuple_New(count);
  PyObject* shapes = PyTuple_New(count);
  for (int k = 0; next && shapes && k < count; ++k) {
    Py_INCREF(operands[k].fn);
    PyTuple_SET_ITEM(next, k, operands[k].fn);
    PyTuple_SET_ITEM(shapes, k, shape_of(operands[k]));
  }
  PyObject* node = next && shapes ? new_node(cls, next) : nullptr;
  if (!node) {
    Py_XDECREF(shapes);
    return nullptr;
  }
  replace(node, g.shapes, shapes);
  bool good = !name || PyObject_SetAttr(node, name, number) == 0;
  if (last >= first) {
    PyObject* saved = PyTuple_New(last - first + 1);
    PyObject* cells = PyTuple_New(last - first + 1);
    for (int k = first; saved && cells && k <= last; ++k) {
      PyObject* cell = saved_cell(operands[k].given);
      good = good && cell;
      Py_XINCREF(cell);
      Py_INCREF(operands[k].array);
      PyTuple_SET_ITEM(cells, k - first, cell);
      PyTuple_SET_ITEM(saved, k - first, operands[k].array);
    }
    good = good && saved && cells;
    replace(node, g.saved, saved);
    replace(node, g.cells, cells);
  }
  if (!good) Py_CLEAR(node);
  return node;
}

// The tensor of `array`, made by `node` (or by none). Takes both references.
PyObject* finish(PyObject* array, bool tracked, PyObject* node) {
  if (tracked && !node) {
    Py_DECREF(array);
    return nullptr;
  }
  PyObject* result = new_tensor(array, tracked ? node : Py_None);
  Py_XDECREF(node);
  return result;
}

// fast_ternary(cls, op, input, a, b, number): the number is the node's `value`; None: it has none,
// and saves the input too.
PyObject* fast_ternary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double params[kMaxParams] = {};
  if (!check_count("fast_ternary", nargs, 6)) return nullptr;
  const long op = PyLong_AsLong(args[1]);
  if (op < 0 || op >= static_cast<long>(TernaryOp::kCount)) {
    return PyErr_Occurred() ? nullptr
                            : fail(PyExc_ValueError, "fast_ternary: there is no operation %ld", op);
  }
  const bool has_number = args[5] != Py_None;
  if (has_number) {
    if (!PyFloat_CheckExact(args[5]) && !PyLong_CheckExact(args[5])) return new_none();
    params[0] = PyFloat_AsDouble(args[5]);
    if (params[0] == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      return new_none();
    }
  }
  Operand operands[3];
  bool tracked;
  Call call;
  if (!read_tensors(args + 2, 3, operands, &tracked) || !plan_call(&call, operands, 3, 0)) {
    return new_none();
  }
  Keep keep(true, {operands[0].array, operands[1].array, operands[2].array});
  Keep nodes(tracked, {operands[0].fn, operands[1].fn, operands[2].fn});
  PyObject* array = run_call(call, kernels().elementwise.ternary[op], false, params);
  if (!array) return nullptr;
  PyObject* node = tracked ? node_of(args[0], operands, 3, has_number ? 1 : 0, 2,
                                     has_number ? n.value : nullptr, args[5])
                           : nullptr;
  return finish(array, tracked, node);
}

// fast_lerp(cls, input, end, weight): the weight is a float, and the node's `weight`.
PyObject* fast_lerp(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double params[kMaxParams] = {};
  if (!check_count("fast_lerp", nargs, 4)) return nullptr;
  if (!PyFloat_CheckExact(args[3])) return new_none();
  params[0] = PyFloat_AS_DOUBLE(args[3]);
  Operand operands[2];
  bool tracked;
  Call call;
  if (!read_tensors(args + 1, 2, operands, &tracked) || !plan_call(&call, operands, 2, 0)) {
    return new_none();
  }
  Keep keep(true, {operands[0].array, operands[1].array, operands[0].fn, operands[1].fn});
  const Row* rows = kernels().elementwise.binary[static_cast<int>(BinaryOp::kLerp)];
  PyObject* array = run_call(call, rows, false, params);
  if (!array) return nullptr;
  PyObject* node = tracked ? node_of(args[0], operands, 2, 0, -1, n.weight, args[3]) : nullptr;
  return finish(array, tracked, node);
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_ternary, "fast_ternary(cls, op, input, a, b, number): recorded, or None"),
    MG_FAST(fast_lerp, "fast_lerp(cls, input, end, weight): recorded, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_blend(PyObject* module) {
  add_functions(module, kFunctions);
  n.value = PyUnicode_InternFromString("value");
  n.weight = PyUnicode_InternFromString("weight");
}

}  // namespace mg
