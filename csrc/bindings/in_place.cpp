// Elementwise operations written to a tensor outside the graph, in one call. The functions return
// False where the Python code has to do it: tensors in the graph, types without a kernel, strided
// memory, shapes that do not fit.
#include <algorithm>

#include "bindings/families.h"
#include "bindings/operands.h"

namespace mg {
namespace {

// The number of a kernel out of `kernels`.
bool read_op(const char* name, PyObject* argument, int kernels, long* op) {
  *op = PyLong_AsLong(argument);
  if (*op >= 0 && *op < kernels) return true;
  if (!PyErr_Occurred()) {
    fail(PyExc_ValueError, "%s: kernel %ld was asked for; there are %d", name, *op, kernels);
  }
  return false;
}

// Whether two arrays share memory; both are contiguous.
bool overlap(PyArrayObject* a, PyArrayObject* b) {
  const char* x = static_cast<const char*>(PyArray_DATA(a));
  const char* y = static_cast<const char*>(PyArray_DATA(b));
  return x < y + PyArray_NBYTES(b) && y < x + PyArray_NBYTES(a);
}

// Runs a row of the tables over the target, which comes first, and further operands, into the
// target's own memory, of which they share nothing or all; false where Python has to do it.
bool write_in_place(const Row* rows, const Operand* operands, int count, const double* params) {
  PyArrayObject* x = as_array(operands[0]);
  if (!PyArray_ISCARRAY(x)) return false;
  for (int k = 1; k < count; ++k) {
    if (!operands[k].array) continue;
    PyArrayObject* y = as_array(operands[k]);
    if (!PyArray_ISCARRAY_RO(y)) return false;
    const bool same = PyArray_DATA(x) == PyArray_DATA(y) && PyArray_SAMESHAPE(x, y);
    if (!same && overlap(x, y)) return false;
  }
  Call call;
  if (!plan_call(&call, operands, count, 0)) return false;
  const Layout& l = call.layout;
  if (l.ndim != PyArray_NDIM(x) || !l.in_order ||
      !std::equal(l.shape, l.shape + l.ndim, PyArray_DIMS(x))) {
    return false;
  }
  run_into(call, rows, PyArray_DATA(x), PyArray_ITEMSIZE(x), params);
  return true;
}

// Whether the operands are tensors (the further ones perhaps numbers) that a write leaves outside
// the graph.
bool read_operands(PyObject* const* given, int count, Operand* operands) {
  if (!g.tensor) return false;
  for (int k = 0; k < count; ++k) {
    if (!read_operand(given[k], operands + k)) return false;
    if (operands[k].array && !operands[k].variable) return false;
    if (k > 0 && t_recording && operands[k].fn != Py_None) return false;
  }
  return operands[0].array && may_write(given[0], Py_None);
}

// The first write makes the record of writes, which `_version` counts.
PyObject* written(PyObject* target) {
  if (!cell_of(target) || !note_write(target)) return nullptr;
  Py_RETURN_TRUE;
}

// fast_in_place(op, target, other, number=0)
PyObject* fast_in_place(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  long op;
  double params[kMaxParams] = {};
  if (nargs != 4 && !check_count("fast_in_place", nargs, 3)) return nullptr;
  if (!read_op("fast_in_place", args[0], static_cast<int>(BinaryOp::kCount), &op) ||
      (nargs == 4 && !read_double("fast_in_place", "number", args[3], params))) {
    return nullptr;
  }
  Operand operands[2];
  if (!read_operands(args + 1, 2, operands)) Py_RETURN_FALSE;
  Keep keep(true, {operands[0].array, operands[1].array});
  if (!write_in_place(kernels().elementwise.binary[op], operands, 2, params)) Py_RETURN_FALSE;
  return written(args[1]);
}

// fast_unary_in_place(op, target, *numbers)
PyObject* fast_unary_in_place(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  constexpr const char* name = "fast_unary_in_place";
  long op;
  double params[kMaxParams] = {};
  if (nargs < 2 || nargs > 2 + kMaxParams) {
    return fail(PyExc_TypeError, "%s: %zd arguments were given; needed: 2 to 5", name, nargs);
  }
  if (!read_op(name, args[0], static_cast<int>(UnaryOp::kCount), &op)) return nullptr;
  for (Py_ssize_t i = 2; i < nargs; ++i) {
    if (!read_double(name, "a parameter", args[i], params + i - 2)) return nullptr;
  }
  Operand target;
  if (!read_operands(args + 1, 1, &target)) Py_RETURN_FALSE;
  Keep keep(true, {target.array});
  if (!write_in_place(kernels().elementwise.unary[op], &target, 1, params)) Py_RETURN_FALSE;
  return written(args[1]);
}

// fast_ternary_in_place(op, target, a, b, number=0)
PyObject* fast_ternary_in_place(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  constexpr const char* name = "fast_ternary_in_place";
  long op;
  double params[kMaxParams] = {};
  if (nargs != 5 && !check_count(name, nargs, 4)) return nullptr;
  if (!read_op(name, args[0], static_cast<int>(TernaryOp::kCount), &op) ||
      (nargs == 5 && !read_double(name, "number", args[4], params))) {
    return nullptr;
  }
  Operand operands[3];
  if (!read_operands(args + 1, 3, operands) || !operands[1].array || !operands[2].array) {
    Py_RETURN_FALSE;
  }
  Keep keep(true, {operands[0].array, operands[1].array, operands[2].array});
  if (!write_in_place(kernels().elementwise.ternary[op], operands, 3, params)) Py_RETURN_FALSE;
  return written(args[1]);
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_in_place, "fast_in_place(op, target, other, number=0): whether it was done"),
    MG_FAST(fast_unary_in_place, "fast_unary_in_place(op, target, *numbers): whether it was done"),
    MG_FAST(fast_ternary_in_place,
            "fast_ternary_in_place(op, target, a, b, number=0): whether it was done"),
    MG_TABLE_END,
};

}  // namespace

void bind_in_place(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
