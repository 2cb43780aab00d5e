// The slots of the graph's classes, and the small objects that are made for every operation.
#include "bindings/graph.h"

#include "bindings/families.h"
#include "bindings/walk.h"
#include "kernels.h"

// After Python.h, which array.h includes.
#include <structmember.h>

namespace mg {

Classes g;
bool g_anomaly = false;
thread_local bool t_recording = true;
thread_local bool t_inference = false;
PyObject* g_inference_cell = nullptr;

namespace {

int64_t g_seq = 0;          // counts downwards: see minigrad/autograd/variable.py
PyObject* g_add = nullptr;  // adds arrays that the kernels do not take

}  // namespace

PyObject* new_seq() { return PyLong_FromLongLong(--g_seq); }

PyObject* new_tensor(PyObject* array, PyObject* fn) {
  PyObject* t = g.tensor->tp_alloc(g.tensor, 0);
  if (!t) {
    Py_DECREF(array);
    return nullptr;
  }
  slot(t, g.array) = array;
  Py_INCREF(fn);
  slot(t, g.fn) = fn;
  slot(t, g.grad) = new_none();
  PyObject* cell = t_inference ? g_inference_cell : Py_None;
  Py_INCREF(cell);
  slot(t, g.cell) = cell;
  slot(t, g.view) = new_none();
  return t;
}

namespace {

PyObject* new_cell() {
  PyObject* cell = PyList_New(3);
  if (!cell) return nullptr;
  PyList_SET_ITEM(cell, 0, PyLong_FromLong(0));
  PyList_SET_ITEM(cell, 1, PyLong_FromLong(0));
  PyList_SET_ITEM(cell, 2, new_none());
  return cell;
}

}  // namespace

PyObject* cell_of(PyObject* variable) {
  PyObject* cell = slot(variable, g.cell);
  if (cell != Py_None) return cell;
  cell = new_cell();
  if (cell) replace(variable, g.cell, cell);
  return cell;
}

PyObject* saved_cell(PyObject* variable) {
  PyObject* cell = cell_of(variable);
  if (cell != g_inference_cell) return cell;
  PyErr_SetString(PyExc_RuntimeError,
                  "Inference tensors cannot be saved for backward. Please do not use Tensors "
                  "created in inference mode in computation tracked by autograd. To work around "
                  "this, you can make a clone to get a normal tensor and use it in autograd, or "
                  "use `torch.no_grad()` instead of `torch.inference_mode()`.");
  return nullptr;
}

PyObject* new_node(PyObject* given, PyObject* next) {
  if (!next) return nullptr;
  PyTypeObject* cls = reinterpret_cast<PyTypeObject*>(given);
  if (!g.node || !PyType_Check(given) || !PyType_IsSubtype(cls, g.node)) {
    Py_DECREF(next);
    return fail(PyExc_TypeError, "recording: a %s was given; it must be a class of nodes",
                Py_TYPE(given)->tp_name);
  }
  PyObject* node = cls->tp_alloc(cls, 0);
  if (!node) {
    Py_DECREF(next);
    return nullptr;
  }
  slot(node, g.next) = next;
  slot(node, g.seq) = new_seq();
  slot(node, g.hooks) = new_none();
  slot(node, g.saved) = new_none();
  slot(node, g.cells) = new_none();
  slot(node, g.shapes) = new_none();
  return node;
}

PyObject* array_like(PyArrayObject* like) {
  PyArray_Descr* descr = PyArray_DESCR(like);
  Py_INCREF(descr);
  return new_array(descr, PyArray_NDIM(like), PyArray_DIMS(like));
}

PyObject* as_ndarray(PyObject* result) {
  if (!result || PyArray_CheckExact(result) || !PyArray_CheckAnyScalar(result)) return result;
  PyObject* array = PyArray_FromScalar(result, nullptr);
  Py_DECREF(result);
  return array;
}

bool is_fast(PyObject* object) {
  if (!PyArray_CheckExact(object)) return false;
  PyArrayObject* array = reinterpret_cast<PyArrayObject*>(object);
  const int type = PyArray_TYPE(array);
  return (type == NPY_FLOAT || type == NPY_DOUBLE) && PyArray_ISCARRAY_RO(array);
}

namespace {

bool are_alike(PyObject* a, PyObject* b) {
  if (!is_fast(a) || !is_fast(b)) return false;
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(a);
  PyArrayObject* y = reinterpret_cast<PyArrayObject*>(b);
  return PyArray_TYPE(x) == PyArray_TYPE(y) && PyArray_SAMESHAPE(x, y);
}

// out = a + b; all are alike.
void add(PyObject* out, PyObject* a, PyObject* b) {
  PyArrayObject* result = reinterpret_cast<PyArrayObject*>(out);
  const bool is_float = PyArray_TYPE(result) == NPY_FLOAT;
  const Row row = kernels().elementwise.binary[static_cast<int>(BinaryOp::kAdd)][is_float ? 0 : 1];
  Walk walk;
  walk.ndim = 1;
  walk.operands = 2;
  walk.size = walk.shape[0] = PyArray_SIZE(result);
  walk.stride[0][0] = walk.stride[1][0] = 1;
  walk.number[0] = walk.number[1] = false;
  const void* in[] = {PyArray_DATA(reinterpret_cast<PyArrayObject*>(a)),
                      PyArray_DATA(reinterpret_cast<PyArrayObject*>(b))};
  const int64_t bytes = PyArray_ITEMSIZE(result);
  const int64_t item[] = {bytes, bytes, bytes};
  KernelScope scope(0);  // keeps the lock: two threads may add to the same gradient
  kernels().elementwise.run(row, is_float ? FloatType::kFloat32 : FloatType::kFloat64,
                            PyArray_DATA(result), in, item, walk, nullptr);
}

}  // namespace

bool add_arrays(PyObject* out, PyObject* array) {
  if (!are_alike(out, array) || !PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(out))) {
    return false;
  }
  add(out, out, array);
  return true;
}

PyObject* sum_arrays(PyObject* a, PyObject* b) {
  if (!are_alike(a, b)) {
    return as_ndarray(g_add ? PyObject_CallFunctionObjArgs(g_add, a, b, nullptr)
                            : PyNumber_Add(a, b));
  }
  PyObject* out = array_like(reinterpret_cast<PyArrayObject*>(a));
  if (out) add(out, a, b);
  return out;
}

namespace {

// Whether no live view in a record of writes is part of a graph; forgets the views if none is
// alive.
bool views_have_no_graph(PyObject* cell) {
  PyObject* views = PyList_GET_ITEM(cell, 2);
  if (views == Py_None) return true;
  bool alive = false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(views); ++i) {
    PyObject* view = PyWeakref_GET_OBJECT(PyList_GET_ITEM(views, i));
    if (view == Py_None) continue;
    if (slot(view, g.fn) != Py_None) return false;
    alive = true;
  }
  return alive || PyList_SetItem(cell, 2, new_none()) == 0;
}

}  // namespace

Py_ssize_t offset_of(PyTypeObject* cls, const char* name) {
  PyObject* found = PyDict_GetItemString(cls->tp_dict, name);
  if (found && Py_TYPE(found) == &PyMemberDescr_Type) {
    return reinterpret_cast<PyMemberDescrObject*>(found)->d_member->offset;
  }
  fail(PyExc_TypeError, "%s has no slot %s, which compiled code reads", cls->tp_name, name);
  return -1;
}

bool may_write(PyObject* target, PyObject* other_fn) {
  if (!g.tensor || !is_variable(target)) return false;
  if (t_recording) {
    if (other_fn != Py_None) return false;
    // Neither the target nor what it is a view of is part of a graph.
    for (PyObject* at = target;;) {
      if (slot(at, g.fn) != Py_None) return false;
      PyObject* view = slot(at, g.view);
      if (view == Py_None) break;
      at = PyTuple_GET_ITEM(view, 0);
    }
  }
  PyObject* cell = slot(target, g.cell);
  if (cell == g_inference_cell || (cell != Py_None && !views_have_no_graph(cell))) return false;
  PyObject* array = slot(target, g.array);
  return PyArray_CheckExact(array) && PyArray_ISCARRAY(reinterpret_cast<PyArrayObject*>(array));
}

bool note_write(PyObject* variable) {
  PyObject* cell = slot(variable, g.cell);
  if (cell == Py_None || cell == g_inference_cell) return true;
  PyObject* seq = new_seq();
  PyObject* count = PyLong_FromLong(PyLong_AsLong(PyList_GET_ITEM(cell, 1)) + 1);
  if (!seq || !count) return false;
  return PyList_SetItem(cell, 0, seq) == 0 && PyList_SetItem(cell, 1, count) == 0;
}

namespace {

// A copy in C order. Gradients of sums are views that repeat dimensions: NumPy is slow on these.
PyObject* dense_copy(PyArrayObject* array) {
  PyObject* copy = array_like(array);
  if (!copy) return nullptr;
  FloatType type;
  Layout layout;
  if (!float_type(array, &type) || !plan_copy(array, &layout)) {
    if (PyArray_CopyInto(reinterpret_cast<PyArrayObject*>(copy), array) < 0) Py_CLEAR(copy);
    return copy;
  }
  KernelScope scope(0);
  kernels().elementwise.copy(PyArray_DATA(reinterpret_cast<PyArrayObject*>(copy)),
                             PyArray_DATA(array), PyArray_ITEMSIZE(array), layout.walk);
  return copy;
}

}  // namespace

namespace {

// A copy in the order of another array's dimensions, if that fills its memory; else in C order.
PyObject* copy_in_order(PyArrayObject* array, PyArrayObject* like) {
  if (PyArray_IS_C_CONTIGUOUS(like) || PyArray_NDIM(array) != PyArray_NDIM(like) ||
      !PyArray_CompareLists(PyArray_DIMS(array), PyArray_DIMS(like), PyArray_NDIM(like)) ||
      !is_dense(like)) {
    return dense_copy(array);
  }
  PyArray_Descr* descr = PyArray_DESCR(array);
  Py_INCREF(descr);
  PyObject* copy = PyArray_NewLikeArray(like, NPY_KEEPORDER, descr, 0);
  if (copy && PyArray_CopyInto(reinterpret_cast<PyArrayObject*>(copy), array) < 0) Py_CLEAR(copy);
  return copy;
}

}  // namespace

int accumulate_grad(PyObject* variable, PyObject* grad, bool owned) {
  if (!g.tensor || !is_variable(variable) || !PyArray_CheckExact(grad)) return 0;
  PyObject* before = slot(variable, g.grad);
  if (before != Py_None) {
    if (!is_variable(before) || slot(before, g.fn) != Py_None ||
        !add_arrays(slot(before, g.array), grad)) {
      return 0;
    }
    return note_write(before) ? 1 : -1;
  }
  PyArrayObject* array = reinterpret_cast<PyArrayObject*>(grad);
  PyObject* own = slot(variable, g.array);
  // As in PyTorch, a gradient lies in memory as its leaf does.
  PyArrayObject* leaf = PyArray_CheckExact(own) ? reinterpret_cast<PyArrayObject*>(own) : array;
  if (owned && PyArray_IS_C_CONTIGUOUS(array) &&
      (PyArray_IS_C_CONTIGUOUS(leaf) || !is_dense(leaf))) {
    own = Py_NewRef(grad);
  } else {
    own = copy_in_order(array, leaf);
    if (!own) return -1;
  }
  PyObject* t = new_tensor(own, Py_None);
  if (!t) return -1;
  replace(variable, g.grad, t);
  return 1;
}

namespace {

PyObject* add_into(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("add_into", nargs, 2)) return nullptr;
  return PyBool_FromLong(add_arrays(args[0], args[1]));
}

PyObject* sum(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("sum_arrays", nargs, 2)) return nullptr;
  return sum_arrays(args[0], args[1]);
}

PyObject* accumulate(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("accumulate", nargs, 3)) return nullptr;
  const int done = accumulate_grad(args[0], args[1], args[2] == Py_True);
  return done < 0 ? nullptr : PyBool_FromLong(done);
}

PyObject* wrap(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 1 && nargs != 2) {
    return fail(PyExc_TypeError, "wrap: %zd arguments were given; needed: array, node", nargs);
  }
  Py_INCREF(args[0]);
  return new_tensor(args[0], nargs == 2 ? args[1] : Py_None);
}

PyObject* next_seq(PyObject*, PyObject* const*, Py_ssize_t) { return new_seq(); }

// bind_classes(variable, node, leaf, pick, released, tensor)
PyObject* bind_classes(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("bind_classes", nargs, 6)) return nullptr;
  for (int i : {0, 1, 2, 3, 5}) {
    if (!PyType_Check(args[i])) {
      return fail(PyExc_TypeError, "bind_classes: argument %d is not a class", i + 1);
    }
  }
  const auto type = [&](int i) { return reinterpret_cast<PyTypeObject*>(args[i]); };
  Classes c;
  c.variable = type(0);
  c.node = type(1);
  c.leaf = type(2);
  c.pick = type(3);
  c.released = args[4];
  c.tensor = type(5);
  const struct {
    Py_ssize_t* offset;
    PyTypeObject* cls;
    const char* name;
  } slots[] = {
      {&c.array, c.variable, "_array"},
      {&c.fn, c.variable, "_fn"},
      {&c.grad, c.variable, "_grad"},
      {&c.cell, c.variable, "_cell"},
      {&c.view, c.variable, "_view"},
      {&c.seq, c.node, "seq"},
      {&c.next, c.node, "next"},
      {&c.saved, c.node, "saved"},
      {&c.cells, c.node, "cells"},
      {&c.hooks, c.node, "hooks"},
      {&c.shapes, c.node, "shapes"},
      {&c.variable_ref, c.leaf, "variable_ref"},
      {&c.post_hooks, c.leaf, "post_hooks"},
      {&c.index, c.pick, "index"},
  };
  for (const auto& slot : slots) {
    *slot.offset = offset_of(slot.cls, slot.name);
    if (*slot.offset < 0) return nullptr;
  }
  for (int i = 0; i < 6; ++i) Py_INCREF(args[i]);  // the classes live for ever
  g = c;
  return new_none();
}

// bind_add(function): it lives for ever.
PyObject* bind_add(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("bind_add", nargs, 1)) return nullptr;
  g_add = Py_NewRef(args[0]);
  return new_none();
}

// Sets a switch to the truth of the only argument.
PyObject* set_switch(const char* name, bool* on, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count(name, nargs, 1)) return nullptr;
  const int truth = PyObject_IsTrue(args[0]);
  if (truth < 0) return nullptr;
  *on = truth;
  return new_none();
}
PyObject* set_inference(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return set_switch("set_inference", &t_inference, args, nargs);
}
PyObject* set_recording(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return set_switch("set_recording", &t_recording, args, nargs);
}
PyObject* set_anomaly(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return set_switch("set_anomaly", &g_anomaly, args, nargs);
}

PyMethodDef kFunctions[] = {
    MG_FAST(accumulate,
            "accumulate(variable, grad, owned): adds to variable.grad; False if it can't"),
    MG_FAST(add_into, "add_into(out, array): out += array; False if it can't"),
    MG_FAST_NAMED("sum_arrays", sum, "sum_arrays(a, b): a + b as a new array"),
    MG_FAST(wrap, "wrap(array, node=None): a tensor over the array"),
    MG_FAST(next_seq, "next_seq(): the next sequence number, counting downwards"),
    MG_FAST(bind_classes, "Tells the classes whose slots are written"),
    MG_FAST(bind_add, "Tells the function that adds arrays which the kernels do not take"),
    MG_FAST(set_inference, "Whether this thread's new tensors are inference tensors"),
    MG_FAST(set_recording, "Whether this thread records"),
    MG_FAST(set_anomaly, "Leaves recording to the Python code"),
    MG_TABLE_END,
};

}  // namespace

void bind_graph(PyObject* module) {
  add_functions(module, kFunctions);
  g_inference_cell = new_cell();
  if (PyModule_AddObjectRef(module, "inference_cell", g_inference_cell) != 0) throw_python_error();
}

}  // namespace mg
