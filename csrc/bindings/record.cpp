// apply and apply_view: run any operation's Python forward and record it, as
// minigrad/autograd/record.py says in Python.
#include "bindings/families.h"
#include "bindings/graph.h"

namespace mg {
namespace {

struct Names {
  PyObject *forward, *saves, *saves_output, *cross, *no_grad, *inference, *several, *strides;
  PyObject* apply_in_python;    // the whole operation, under anomaly detection
  PyObject* record_several;     // (node, inputs, arrays, results): several outputs, or one array
                                // of another library
  PyObject* forget_dead_views;  // (cell)
  PyObject* note_trace;         // (node): where it was called, under anomaly detection
};
Names n;

constexpr Py_ssize_t kMaxArguments = 24;

bool is_float(PyArrayObject* array) {
  const char kind = PyArray_DESCR(array)->kind;
  return kind == 'f' || kind == 'V';
}

// Fills node.saved and node.cells from what its class declares.
bool save_declared(PyObject* node, PyObject* cls, PyObject* inputs, PyObject* const* arrays,
                   PyObject* result) {
  PyObject* saves = PyObject_GetAttr(cls, n.saves);
  PyObject* outputs = saves ? PyObject_GetAttr(cls, n.saves_output) : nullptr;
  PyObject* cross = outputs ? PyObject_GetAttr(cls, n.cross) : nullptr;
  if (!cross) {
    Py_XDECREF(saves);
    Py_XDECREF(outputs);
    return false;
  }
  const Py_ssize_t ins = PyTuple_GET_SIZE(saves), outs = PyTuple_GET_SIZE(outputs);
  bool ok = true;
  if (ins + outs > 0) {
    PyObject* next = slot(node, g.next);
    PyObject* saved = PyTuple_New(ins + outs);
    PyObject* cells = PyList_New(0);
    ok = saved && cells;
    for (Py_ssize_t i = 0; ok && i < ins; ++i) {
      const Py_ssize_t at = PyLong_AsSsize_t(PyTuple_GET_ITEM(saves, i));
      PyObject* kept = arrays[at];
      if (cross == Py_True) {
        const Py_ssize_t other = PyLong_AsSsize_t(PyTuple_GET_ITEM(saves, 1 - i));
        if (PyTuple_GET_ITEM(next, other) == Py_None) kept = Py_None;
      }
      Py_INCREF(kept);
      PyTuple_SET_ITEM(saved, i, kept);
      PyObject* input = PyTuple_GET_ITEM(inputs, at);
      if (kept != Py_None && is_variable(input)) {
        PyObject* cell = saved_cell(input);
        ok = cell && PyList_Append(cells, cell) == 0;
      }
    }
    if (ok && outs) {  // one output: `result`
      PyObject* array = slot(result, g.array);
      Py_INCREF(array);
      PyTuple_SET_ITEM(saved, ins, array);
      PyObject* cell = cell_of(result);
      ok = cell && PyList_Append(cells, cell) == 0;
    }
    if (ok) {
      replace(node, g.saved, saved);
      replace(node, g.cells, cells);
    } else {
      Py_XDECREF(saved);
      Py_XDECREF(cells);
    }
  }
  Py_DECREF(saves);
  Py_DECREF(outputs);
  Py_DECREF(cross);
  return ok;
}

PyObject* wrap_all(PyObject* results) {
  const Py_ssize_t count = PyTuple_GET_SIZE(results);
  PyObject* out = PyTuple_New(count);
  for (Py_ssize_t i = 0; out && i < count; ++i) {
    PyObject* array = PyTuple_GET_ITEM(results, i);
    Py_INCREF(array);
    PyObject* t = new_tensor(array, Py_None);
    if (!t) {
      Py_DECREF(out);
      return nullptr;
    }
    PyTuple_SET_ITEM(out, i, t);
  }
  return out;
}

// Whether a result is an array that is not NumPy's: one on a GPU.
bool is_foreign_array(PyObject* result) {
  return !PyArray_Check(result) && PyObject_HasAttr(result, n.strides);
}

// The result of several outputs: handed to Python, which makes a node for each.
PyObject* finish_several(PyObject* node, PyObject* inputs, PyObject* const* arrays,
                         Py_ssize_t count, PyObject* results) {
  PyObject* list = PyTuple_New(count);
  if (!list) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    Py_INCREF(arrays[i]);
    PyTuple_SET_ITEM(list, i, arrays[i]);
  }
  PyObject* out =
      PyObject_CallFunctionObjArgs(n.record_several, node, inputs, list, results, nullptr);
  Py_DECREF(list);
  return out;
}

// Keeps the inputs' arrays while Python code runs, which may give a tensor another one.
class Held {
 public:
  Held(PyObject* const* objects, Py_ssize_t count) : objects_(objects), count_(count) {
    for (Py_ssize_t i = 0; i < count_; ++i) Py_INCREF(objects_[i]);
  }
  ~Held() {
    for (Py_ssize_t i = 0; i < count_; ++i) Py_DECREF(objects_[i]);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  PyObject* const* objects_;
  Py_ssize_t count_;
};

PyObject* apply(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs < 2 || !PyType_Check(args[0]) || !PyTuple_CheckExact(args[1])) {
    return fail(PyExc_TypeError, "apply: needed: a node class, a tuple of inputs, arguments");
  }
  if (g_anomaly) return PyObject_Vectorcall(n.apply_in_python, args, nargs, nullptr);
  PyObject* inputs = args[1];
  const Py_ssize_t count = PyTuple_GET_SIZE(inputs);
  if (count + nargs > kMaxArguments) {
    return PyObject_Vectorcall(n.apply_in_python, args, nargs, nullptr);
  }

  // call: the node, the inputs' arrays, the further arguments.
  PyObject* call[kMaxArguments + 1];
  PyObject** arrays = call + 1;
  bool raw = true, tracked = false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* input = PyTuple_GET_ITEM(inputs, i);
    if (is_variable(input)) {
      raw = false;
      tracked |= slot(input, g.fn) != Py_None;
      arrays[i] = slot(input, g.array);
      if (Py_TYPE(arrays[i]) == g_logical) {
        return PyObject_Vectorcall(g_apply_logical, args, nargs, nullptr);
      }
    } else {
      arrays[i] = input;
    }
  }
  const Held held(arrays, count);
  tracked &= t_recording;
  PyObject* next = PyTuple_New(count);
  if (!next) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* input = PyTuple_GET_ITEM(inputs, i);
    PyObject* fn = tracked && is_variable(input) ? slot(input, g.fn) : Py_None;
    Py_INCREF(fn);
    PyTuple_SET_ITEM(next, i, fn);
  }
  PyObject* node = new_node(args[0], next);
  if (!node) return nullptr;
  call[0] = node;
  for (Py_ssize_t i = 2; i < nargs; ++i) arrays[count + i - 2] = args[i];
  PyObject* result =
      as_ndarray(PyObject_VectorcallMethod(n.forward, call, 1 + count + nargs - 2, nullptr));
  PyObject* out = nullptr;
  if (!result || raw) {
    out = result;
  } else if (PyTuple_CheckExact(result)) {
    out = tracked ? finish_several(node, inputs, arrays, count, result) : wrap_all(result);
    Py_DECREF(result);
  } else if (is_foreign_array(result)) {
    out = tracked ? finish_several(node, inputs, arrays, count, result)
                  : new_tensor(Py_NewRef(result), Py_None);
    Py_DECREF(result);
  } else if (!PyArray_Check(result)) {
    Py_DECREF(result);
    PyErr_Format(PyExc_TypeError, "apply: forward of %R returned no array", args[0]);
  } else {
    const bool recorded = tracked && is_float(reinterpret_cast<PyArrayObject*>(result));
    out = new_tensor(result, recorded ? node : Py_None);
    if (out && recorded && !save_declared(node, args[0], inputs, arrays, out)) {
      Py_CLEAR(out);
    }
  }
  Py_DECREF(node);
  return out;
}

// Notes a live view in its cell, so that a write in place can renew its place in the graph.
bool register_view(PyObject* cell, PyObject* view) {
  PyObject* ref = PyWeakref_NewRef(view, nullptr);
  if (!ref) return false;
  PyObject* views = PyList_GET_ITEM(cell, 2);
  if (views == Py_None) {
    views = PyList_New(0);
    if (!views || PyList_SetItem(cell, 2, views) < 0) return false;
  }
  const int status = PyList_Append(views, ref);
  Py_DECREF(ref);
  if (status < 0) return false;
  const Py_ssize_t count = PyList_GET_SIZE(views);
  if (count < 64 || (count & (count - 1))) return true;
  PyObject* done = PyObject_CallOneArg(n.forget_dead_views, cell);
  Py_XDECREF(done);
  return done != nullptr;
}

PyObject* apply_view(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs < 2 || nargs > kMaxArguments || !PyType_Check(args[0])) {
    return fail(PyExc_TypeError, "apply_view: needed: a node class, the input, arguments");
  }
  PyObject* input = args[1];
  const bool variable = is_variable(input);
  if (variable && Py_TYPE(slot(input, g.array)) == g_logical) {
    return PyObject_Vectorcall(g_apply_view_logical, args, nargs, nullptr);
  }
  const bool recording = t_recording && variable;
  PyObject* fn = recording ? slot(input, g.fn) : Py_None;
  PyObject* node = new_node(args[0], PyTuple_Pack(1, fn));
  if (!node) return nullptr;
  PyObject* call[kMaxArguments + 1] = {node, variable ? slot(input, g.array) : input};
  const Held held(call + 1, 1);
  for (Py_ssize_t i = 2; i < nargs; ++i) call[i] = args[i];
  PyObject* array = as_ndarray(PyObject_VectorcallMethod(n.forward, call, nargs, nullptr));
  if (!array || !variable) {
    Py_DECREF(node);
    return array;
  }
  PyObject* rest = PyTuple_New(nargs - 2);
  for (Py_ssize_t i = 2; rest && i < nargs; ++i) {
    Py_INCREF(args[i]);
    PyTuple_SET_ITEM(rest, i - 2, args[i]);
  }
  PyObject* out = view_tensor(input, args[0], rest, array, fn != Py_None ? node : Py_None, false);
  if (out && g_anomaly && fn != Py_None) {
    PyObject* done = PyObject_CallOneArg(n.note_trace, node);
    if (!done) Py_CLEAR(out);
    Py_XDECREF(done);
  }
  Py_DECREF(node);
  return out;
}

// bind_fallbacks(apply_in_python, record_several, forget_dead_views, note_trace): they live for
// ever.
PyObject* bind_fallbacks(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("bind_fallbacks", nargs, 4)) return nullptr;
  PyObject** slots[] = {&n.apply_in_python, &n.record_several, &n.forget_dead_views, &n.note_trace};
  for (int i = 0; i < 4; ++i) {
    Py_INCREF(args[i]);
    *slots[i] = args[i];
  }
  return new_none();
}

PyMethodDef kFunctions[] = {
    MG_FAST(apply, "apply(cls, inputs, *args): runs and records an operation"),
    MG_FAST(apply_view, "apply_view(cls, input, *args): the same for results that share memory"),
    MG_FAST(bind_fallbacks, "Tells the Python functions for the rare cases"),
    MG_TABLE_END,
};

}  // namespace

PyObject* view_tensor(PyObject* input, PyObject* cls, PyObject* rest, PyObject* array, PyObject* fn,
                      bool several) {
  PyObject* cell = cell_of(input);
  PyObject* view = nullptr;
  if (rest && array && cell) {
    // Where writes to the view cannot be recorded, its last entry says why.
    PyObject* why =
        t_recording ? (several ? n.several : nullptr) : (t_inference ? n.inference : n.no_grad);
    view = why ? PyTuple_Pack(4, input, cls, rest, why) : PyTuple_Pack(3, input, cls, rest);
  }
  Py_XDECREF(rest);
  if (!view) {
    Py_XDECREF(array);
    return nullptr;
  }
  PyObject* out = new_tensor(array, fn);
  if (out) {
    Py_INCREF(cell);
    replace(out, g.cell, cell);
    replace(out, g.view, view);
    if (t_recording && cell != g_inference_cell && !register_view(cell, out)) Py_CLEAR(out);
  } else {
    Py_DECREF(view);
  }
  return out;
}

void bind_record(PyObject* module) {
  add_functions(module, kFunctions);
  n.forward = PyUnicode_InternFromString("forward");
  n.saves = PyUnicode_InternFromString("saves");
  n.saves_output = PyUnicode_InternFromString("saves_output");
  n.cross = PyUnicode_InternFromString("cross");
  n.no_grad = PyUnicode_InternFromString("no_grad");
  n.inference = PyUnicode_InternFromString("inference");
  n.several = PyUnicode_InternFromString("several");
  n.strides = PyUnicode_InternFromString("strides");
}

}  // namespace mg
