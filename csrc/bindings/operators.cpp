// The shortest ways to an elementwise operation: elementwise_unary and elementwise_binary, which
// the op functions call, and the slots of Python's operators on tensors (x + y, 1 - x, -x, x < y),
// which need no Python frame at all. A slot is only taken while the Python functions of the
// operator have their own code: what comes between callers and operations (see
// minigrad/exchange.py) exchanges it.
#include "bindings/elementwise.h"
#include "bindings/families.h"
#include "bindings/graph.h"

namespace mg {
namespace {

PyObject* g_unary = nullptr;  // the Python functions for all the rest
PyObject* g_binary = nullptr;

// The specs of node classes, by address; a class that is in it lives for ever.
struct Known {
  PyObject* cls;
  long spec;  // -1: there is no kernel
};
constexpr size_t kKnown = 512;
Known g_known[kKnown];

// The spec of a class of nodes; -1 where Python has to do it, -2 with an error set.
long spec_of(PyObject* cls) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(cls);
  Known& known = g_known[(at >> 4 ^ at >> 13) % kKnown];
  if (MG_LIKELY(known.cls == cls)) return known.spec;
  PyObject* value = PyObject_GetAttrString(cls, "spec");
  if (!value) return -2;
  const long spec = value == Py_None ? -1 : PyLong_AsLong(value);
  Py_DECREF(value);
  if (spec == -1 && PyErr_Occurred()) return -2;
  if (!known.cls) known = {Py_NewRef(cls), spec};
  return spec;
}

// The result, or what Python makes of the same arguments where it is None.
PyObject* or_python(PyObject* result, PyObject* function, PyObject* const* args, Py_ssize_t nargs) {
  if (result != Py_None) return result;
  Py_DECREF(result);
  return PyObject_Vectorcall(function, args, static_cast<size_t>(nargs), nullptr);
}

// elementwise_unary(cls, input, out=None)
PyObject* elementwise_unary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 3 && !check_count("elementwise_unary", nargs, 2)) return nullptr;
  const long spec = nargs == 2 || args[2] == Py_None ? spec_of(args[0]) : -1;
  if (spec == -2) return nullptr;
  PyObject* result = spec < 0 ? new_none() : unary_tensor(args[0], spec, args[1], nullptr);
  return or_python(result, g_unary, args, nargs);
}

// elementwise_binary(cls, input, other, out=None)
PyObject* elementwise_binary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 4 && !check_count("elementwise_binary", nargs, 3)) return nullptr;
  const long spec = nargs == 3 || args[3] == Py_None ? spec_of(args[0]) : -1;
  if (spec == -2) return nullptr;
  PyObject* result = spec < 0 ? new_none() : binary_tensor(args[0], spec, args[1], args[2]);
  return or_python(result, g_binary, args, nargs);
}

// bind_elementwise(unary, binary): they live for ever.
PyObject* bind_rest(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("bind_elementwise", nargs, 2)) return nullptr;
  g_unary = Py_NewRef(args[0]);
  g_binary = Py_NewRef(args[1]);
  return new_none();
}

// ---- the slots ----

// A Python function, and the code it has while nothing comes before it.
struct Guarded {
  PyObject* function;
  PyObject* code;
  bool plain() const { return PyFunction_GET_CODE(function) == code; }
};

// An operator: its method and the reflected one, and the classes of nodes that they make.
struct Operator {
  PyObject *name, *reflected_name;
  Guarded op, method, reflected;
  PyObject *cls, *reflected_cls;
  long spec;
  bool swaps;  // the reflected form keeps the tensor on the left
};
enum { kAdd, kSub, kMul, kDiv, kOperators };
Operator g_operators[kOperators];
Operator g_negative;
Guarded g_compare[6][2];  // the method and the op function, in the order of Python's Py_LT ...
richcmpfunc g_python_compare = nullptr;
unaryfunc g_python_negative = nullptr;

bool is_number(PyObject* object) { return PyFloat_CheckExact(object) || PyLong_CheckExact(object); }
bool is_tensor(PyObject* object) { return Py_TYPE(object) == g.tensor; }

// What Python does with two operands whose classes define the methods; NotImplemented's reference.
PyObject* call_method(PyObject* self, PyObject* name, PyObject* other) {
  PyObject* method = PyObject_GetAttr(reinterpret_cast<PyObject*>(Py_TYPE(self)), name);
  if (!method) return nullptr;
  PyObject* args[] = {self, other};
  PyObject* result = PyObject_Vectorcall(method, args, 2, nullptr);
  Py_DECREF(method);
  return result;
}
PyObject* by_methods(const Operator& op, PyObject* a, PyObject* b) {
  if (is_variable(a)) {
    PyObject* result = call_method(a, op.name, b);
    if (result != Py_NotImplemented || !is_variable(b) || Py_TYPE(a) == Py_TYPE(b)) return result;
    Py_DECREF(result);
  }
  if (is_variable(b)) return call_method(b, op.reflected_name, a);
  Py_RETURN_NOTIMPLEMENTED;
}

template <int kWhich>
PyObject* binary_slot(PyObject* a, PyObject* b) {
  const Operator& op = g_operators[kWhich];
  PyObject* result = nullptr;
  if (is_tensor(a) && (is_tensor(b) || is_number(b))) {
    if (op.op.plain() && op.method.plain()) result = binary_tensor(op.cls, op.spec, a, b);
  } else if (is_number(a) && is_tensor(b)) {
    if (op.op.plain() && op.reflected.plain()) {
      result = op.swaps ? binary_tensor(op.reflected_cls, op.spec, b, a)
                        : binary_tensor(op.reflected_cls, op.spec, a, b);
    }
  }
  if (MG_LIKELY(result && result != Py_None)) return result;
  if (!result && PyErr_Occurred()) return nullptr;
  Py_XDECREF(result);
  return by_methods(op, a, b);
}

PyObject* negative_slot(PyObject* a) {
  const Operator& op = g_negative;
  PyObject* result = nullptr;
  if (is_tensor(a) && op.op.plain()) result = unary_tensor(op.cls, op.spec, a, nullptr);
  if (MG_LIKELY(result && result != Py_None)) return result;
  if (!result && PyErr_Occurred()) return nullptr;
  Py_XDECREF(result);
  return g_python_negative(a);
}

PyObject* compare_slot(PyObject* a, PyObject* b, int which) {
  constexpr CompareOp kOps[] = {CompareOp::kLt, CompareOp::kLe, CompareOp::kEq,
                                CompareOp::kNe, CompareOp::kGt, CompareOp::kGe};
  PyObject* result = nullptr;
  if (is_tensor(a) && (is_tensor(b) || is_number(b)) && g_compare[which][0].plain() &&
      g_compare[which][1].plain()) {
    result = compare_tensors(kOps[which], a, b);
  }
  if (MG_LIKELY(result && result != Py_None)) return result;
  if (!result && PyErr_Occurred()) return nullptr;
  Py_XDECREF(result);
  return g_python_compare(a, b, which);
}

const binaryfunc kSlots[] = {binary_slot<kAdd>, binary_slot<kSub>, binary_slot<kMul>,
                             binary_slot<kDiv>};
binaryfunc& slot_of(PyTypeObject* type, int which) {
  PyNumberMethods* n = type->tp_as_number;
  return which == kAdd   ? n->nb_add
         : which == kSub ? n->nb_subtract
         : which == kMul ? n->nb_multiply
                         : n->nb_true_divide;
}

bool guard(PyObject* function, Guarded* guarded) {
  if (!PyFunction_Check(function)) {
    fail(PyExc_TypeError, "bind_operators: a %s was given; it must be a function",
         Py_TYPE(function)->tp_name);
    return false;
  }
  *guarded = {Py_NewRef(function), Py_NewRef(PyFunction_GET_CODE(function))};
  return true;
}
// A method of the tensor class, found by name.
bool guard_method(PyObject* name, Guarded* guarded) {
  PyObject* method = PyObject_GetAttr(reinterpret_cast<PyObject*>(g.tensor), name);
  const bool good = method && guard(method, guarded);
  Py_XDECREF(method);
  return good;
}

// bind_operators(binary, negative, compare): puts the slots into the tensor class. `binary`: for
// add, sub, mul and div the names of the method and the reflected one, the op function, the classes
// of nodes, whether the reflected form keeps the tensor on the left; `negative`: the op function
// and the class; `compare`: for <, <=, ==, !=, >, >= the method's name and the op function.
PyObject* bind_operators(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("bind_operators", nargs, 3)) return nullptr;
  if (!g.tensor || !g.tensor->tp_as_number) {
    return fail(PyExc_TypeError, "bind_operators: the tensor class is not bound yet");
  }
  for (int k = 0; k < kOperators; ++k) {
    Operator& op = g_operators[k];
    PyObject* function;
    int swaps;
    if (!PyTuple_Check(args[0]) || PyTuple_GET_SIZE(args[0]) != kOperators ||
        !PyArg_ParseTuple(PyTuple_GET_ITEM(args[0], k), "UUOOOp", &op.name, &op.reflected_name,
                          &function, &op.cls, &op.reflected_cls, &swaps) ||
        !guard(function, &op.op) || !guard_method(op.name, &op.method) ||
        !guard_method(op.reflected_name, &op.reflected) || (op.spec = spec_of(op.cls)) == -2) {
      return nullptr;
    }
    op.swaps = swaps;
    for (PyObject* kept : {op.name, op.reflected_name, op.cls, op.reflected_cls}) Py_INCREF(kept);
  }
  PyObject* function;
  if (!PyArg_ParseTuple(args[1], "OO", &function, &g_negative.cls) ||
      !guard(function, &g_negative.op) || (g_negative.spec = spec_of(g_negative.cls)) == -2) {
    return nullptr;
  }
  Py_INCREF(g_negative.cls);
  for (int k = 0; k < 6; ++k) {
    PyObject* name;
    if (!PyTuple_Check(args[2]) || PyTuple_GET_SIZE(args[2]) != 6 ||
        !PyArg_ParseTuple(PyTuple_GET_ITEM(args[2], k), "UO", &name, &function) ||
        !guard_method(name, &g_compare[k][0]) || !guard(function, &g_compare[k][1])) {
      return nullptr;
    }
  }
  for (int k = 0; k < kOperators; ++k) {
    if (g_operators[k].spec >= 0) slot_of(g.tensor, k) = kSlots[k];
  }
  g_python_negative = g.tensor->tp_as_number->nb_negative;
  g_python_compare = g.tensor->tp_richcompare;
  g.tensor->tp_as_number->nb_negative = negative_slot;
  g.tensor->tp_richcompare = compare_slot;
  PyType_Modified(g.tensor);
  return new_none();
}

// inherit_operators(cls): a subclass of the tensor class takes the slots of the binary operators
// whose methods it has not overridden: Python asks the right operand first where slots differ.
PyObject* inherit_operators(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("inherit_operators", nargs, 1)) return nullptr;
  if (!g_operators[0].name || !PyType_Check(args[0])) return new_none();
  PyTypeObject* type = reinterpret_cast<PyTypeObject*>(args[0]);
  if (!PyType_IsSubtype(type, g.tensor) || !type->tp_as_number) return new_none();
  for (int k = 0; k < kOperators; ++k) {
    const Operator& op = g_operators[k];
    PyObject* method = PyObject_GetAttr(args[0], op.name);
    PyObject* reflected = PyObject_GetAttr(args[0], op.reflected_name);
    if (!method || !reflected) {
      Py_XDECREF(method);
      Py_XDECREF(reflected);
      return nullptr;
    }
    if (method == op.method.function && reflected == op.reflected.function &&
        slot_of(g.tensor, k) == kSlots[k]) {
      slot_of(type, k) = kSlots[k];
    }
    Py_DECREF(method);
    Py_DECREF(reflected);
  }
  PyType_Modified(type);
  return new_none();
}

PyMethodDef kFunctions[] = {
    MG_FAST(elementwise_unary, "elementwise_unary(cls, input, out=None): a tensor or array"),
    MG_FAST(elementwise_binary, "elementwise_binary(cls, input, other, out=None)"),
    MG_FAST_NAMED("bind_elementwise", bind_rest, "Tells the Python functions for all the rest"),
    MG_FAST(bind_operators, "Puts compiled operators into the tensor class"),
    MG_FAST(inherit_operators, "A subclass takes the operators that it has not overridden"),
    MG_TABLE_END,
};

}  // namespace

void bind_operators_family(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
