// Finding arguments whose class has its own idea of an operation: vmap's batched tensors and users'
// subclasses of Tensor. minigrad/dispatch.py asks, for the functions that it has armed.
#include "bindings/families.h"
#include "bindings/graph.h"

namespace mg {
namespace {

PyObject* g_plain = nullptr;  // a set: the subclasses of Tensor that operations treat as tensors

// 1 for an overriding argument (or a container of one), 0 for others, -1 for an error.
int overrides_one(PyObject* object, int depth) {
  PyTypeObject* type = Py_TYPE(object);
  if (type == g.tensor || object == Py_None || type == &PyLong_Type || type == &PyFloat_Type) {
    return 0;
  }
  if (is_variable(object)) {
    const int plain = PySet_Contains(g_plain, reinterpret_cast<PyObject*>(type));
    return plain < 0 ? -1 : !plain;
  }
  const bool tuple = PyTuple_Check(object);
  if (depth == 0 || !(tuple || PyList_CheckExact(object))) return 0;
  for (Py_ssize_t i = 0; i < Py_SIZE(object); ++i) {
    PyObject* item = tuple ? PyTuple_GET_ITEM(object, i) : PyList_GET_ITEM(object, i);
    const int found = overrides_one(item, depth - 1);
    if (found) return found;
  }
  return 0;
}

// overrides(args, kwargs): whether an argument, or an item of one that is a list or tuple, is of an
// overriding class.
PyObject* overrides(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("overrides", nargs, 2)) return nullptr;
  if (!g.tensor || !g_plain || !PyTuple_CheckExact(args[0]) || !PyDict_CheckExact(args[1])) {
    return fail(PyExc_TypeError, "overrides: needed: a tuple and a dict, and bind_overrides");
  }
  int found = overrides_one(args[0], 3);
  PyObject *key, *value;
  Py_ssize_t position = 0;
  while (!found && PyDict_Next(args[1], &position, &key, &value)) found = overrides_one(value, 2);
  return found < 0 ? nullptr : PyBool_FromLong(found);
}

// bind_overrides(plain, logical, apply, apply_view): the set of plain classes; the class of the
// arrays that only say what a batched tensor looks like, and who applies nodes to these.
PyObject* bind_overrides(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("bind_overrides", nargs, 4)) return nullptr;
  if (!PySet_Check(args[0]) || !PyType_Check(args[1])) {
    return fail(PyExc_TypeError, "bind_overrides: needed: a set, a class, two functions");
  }
  for (int i = 0; i < 4; ++i) Py_INCREF(args[i]);  // they live for ever
  g_plain = args[0];
  g_logical = reinterpret_cast<PyTypeObject*>(args[1]);
  g_apply_logical = args[2];
  g_apply_view_logical = args[3];
  return new_none();
}

PyMethodDef kFunctions[] = {
    MG_FAST(overrides, "overrides(args, kwargs): whether an argument is of an overriding class"),
    MG_FAST(bind_overrides, "Tells the classes that do not override, and what does for others"),
    MG_TABLE_END,
};

}  // namespace

PyTypeObject* g_logical = nullptr;
PyObject* g_apply_logical = nullptr;
PyObject* g_apply_view_logical = nullptr;

void bind_overrides(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
