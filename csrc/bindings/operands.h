// What the files of compiled elementwise operations share: operands, which are arrays or numbers,
// and the call of a kernel over them.
#pragma once

#include "bindings/graph.h"
#include "bindings/walk.h"
#include "kernels.h"

namespace mg {

// Nanoseconds for one element on one thread, roughly.
constexpr double kEach = 0.4;

// One operand: an array, or a number that stands for one.
struct Operand {
  PyObject* given;
  PyObject* array;  // nullptr for a number
  PyObject* fn;     // borrowed; None outside the graph
  double number;
  bool variable;
};

inline bool read_operand(PyObject* given, Operand* operand) {
  operand->given = given;
  operand->number = 0;
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

inline PyArrayObject* as_array(const Operand& operand) {
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
inline bool plan_call(Call* call, const Operand* operands, int count, int first) {
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

inline double work_of(const Call& call) {
  return kEach * static_cast<double>(call.layout.walk.size);
}

// Runs a row of the tables into memory for the result, of elements of `out_item` bytes.
inline void run_into(const Call& call, const Row* rows, void* out, int64_t out_item,
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
inline PyObject* run_call(const Call& call, const Row* rows, bool to_bool, const double* params) {
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

}  // namespace mg
