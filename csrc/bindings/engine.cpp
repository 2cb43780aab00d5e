// The backward loop for arrays: what minigrad/autograd/engine.py's `run` does for a plain
// `backward()`, without the interpreter between nodes. Hooks, gradients that land in special places
// and errors are that module's business: it gives the functions for them to bind_engine.
#include <map>

#include "bindings/families.h"
#include "bindings/graph.h"

namespace mg {
namespace {

// Python functions of minigrad/autograd/engine.py.
struct Callbacks {
  PyObject* run_hooks;        // (node, grad) -> grad
  PyObject* run_node_hooks;   // (node, grads, grad) -> grads
  PyObject* finish_leaf;      // (leaf, grad, owned): hooks have run
  PyObject* accumulate_slow;  // (variable, grad, owned)
  PyObject* raise_released;   // ()
  PyObject* raise_modified;   // (node)
};
Callbacks callbacks;

struct Names {
  PyObject *backward, *fresh, *outputs;
};
Names names;

// An owned reference, for everything that must be let go of on each way out; it may be empty.
class Ref {
 public:
  Ref() = default;
  explicit Ref(PyObject* owned) : object_(owned) {}
  Ref(Ref&& other) noexcept : object_(other.release()) {}
  Ref& operator=(Ref&& other) noexcept {
    PyObject* before = object_;
    object_ = other.release();
    Py_XDECREF(before);  // last: it may run Python code
    return *this;
  }
  ~Ref() { Py_XDECREF(object_); }

  explicit operator bool() const { return object_ != nullptr; }
  bool is_none() const { return object_ == Py_None; }
  PyObject* ptr() const { return object_; }
  PyObject* release() {
    PyObject* object = object_;
    object_ = nullptr;
    return object;
  }

 private:
  PyObject* object_ = nullptr;
};
Ref take(PyObject* object) { return Ref(object); }
Ref share(PyObject* object) {
  Py_XINCREF(object);
  return Ref(object);
}

struct Pending {
  Ref node;
  Ref grad;    // an array; a list with one for each output for nodes with several
  bool owned;  // the array belongs to this loop alone
};

// By sequence number, newest (smallest) first: an input is always older than its result, so each
// node is reached after all that use it.
using Queue = std::map<long long, Pending>;

long long seq_of(PyObject* node) { return PyLong_AsLongLong(slot(node, g.seq)); }

bool has_hooks(PyObject* node) {
  PyObject* hooks = slot(node, g.hooks);
  return hooks != Py_None && PyDict_GET_SIZE(hooks) > 0;
}

bool call(PyObject* function, std::initializer_list<PyObject*> arguments, Ref* result = nullptr) {
  PyObject* returned = PyObject_Vectorcall(function, arguments.begin(), arguments.size(), nullptr);
  if (!returned) return false;
  Ref kept = take(returned);
  if (result) *result = std::move(kept);
  return true;
}

// a + b as a new array.
Ref sum(PyObject* a, PyObject* b) { return take(sum_arrays(a, b)); }

bool add_pending(Queue& queue, PyObject* node, PyObject* grad, bool fresh) {
  const long long seq = seq_of(node);
  auto found = queue.lower_bound(seq);
  if (found == queue.end() || found->first != seq) {
    queue.emplace_hint(found, seq, Pending{share(node), share(grad), fresh});
    return true;
  }
  Pending& pending = found->second;
  if (pending.owned && add_arrays(pending.grad.ptr(), grad)) return true;
  pending.grad = sum(pending.grad.ptr(), grad);
  pending.owned = true;
  return static_cast<bool>(pending.grad);
}

// Puts the gradient of one output into the list of its node.
bool add_picked(Queue& queue, PyObject* pick, PyObject* grad) {
  PyObject* node = PyTuple_GET_ITEM(slot(pick, g.next), 0);
  const Py_ssize_t index = PyLong_AsSsize_t(slot(pick, g.index));
  auto found = queue.find(seq_of(node));
  if (found == queue.end()) {
    Ref outputs = take(PyObject_GetAttr(node, names.outputs));
    if (!outputs) return false;
    const Py_ssize_t count = PyLong_AsSsize_t(outputs.ptr());
    Ref list = take(PyList_New(count));
    if (!list) return false;
    for (Py_ssize_t i = 0; i < count; ++i) PyList_SET_ITEM(list.ptr(), i, new_none());
    found = queue.emplace(seq_of(node), Pending{share(node), std::move(list), false}).first;
  }
  PyObject* list = found->second.grad.ptr();
  PyObject* before = PyList_GET_ITEM(list, index);
  Ref total = before == Py_None ? share(grad) : sum(before, grad);
  return total && PyList_SetItem(list, index, total.release()) == 0;
}

bool add_to_leaf(PyObject* leaf, PyObject* grad, bool fresh) {
  Ref variable = share(PyWeakref_GetObject(slot(leaf, g.variable_ref)));
  if (variable.is_none() || slot(variable.ptr(), g.fn) == Py_None) return true;
  const int done = accumulate_grad(variable.ptr(), grad, fresh);
  if (done < 0) return false;
  PyObject* owned = fresh ? Py_True : Py_False;
  return done > 0 || call(callbacks.accumulate_slow, {variable.ptr(), grad, owned});
}

// Whether what the node saved is still what it was.
bool check_saved(PyObject* node) {
  if (slot(node, g.saved) == g.released) {
    call(callbacks.raise_released, {});
    return false;
  }
  PyObject* cells = slot(node, g.cells);
  if (cells == Py_None) return true;
  const long long seq = seq_of(node);
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(cells);
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* cell = PySequence_Fast_GET_ITEM(cells, i);
    if (PyLong_AsLongLong(PyList_GET_ITEM(cell, 0)) < seq) {
      call(callbacks.raise_modified, {node});
      return false;
    }
  }
  return true;
}

// Hands one gradient to the node it belongs to.
bool deliver(Queue& queue, PyObject* fn, PyObject* grad, bool fresh) {
  // Hooks of a leaf see the whole gradient.
  if (Py_TYPE(fn) == g.leaf && slot(fn, g.hooks) == Py_None && slot(fn, g.post_hooks) == Py_None) {
    return add_to_leaf(fn, grad, fresh);
  }
  return add_pending(queue, fn, grad, fresh);
}

bool visit(Queue& queue, Pending& item, bool keep_graph) {
  PyObject* node = item.node.ptr();
  const bool hooks = has_hooks(node);
  if (hooks) {
    if (!call(callbacks.run_hooks, {node, item.grad.ptr()}, &item.grad)) return false;
    item.owned = false;
  }
  if (Py_TYPE(node) == g.leaf) {
    PyObject* owned = item.owned ? Py_True : Py_False;
    return call(callbacks.finish_leaf, {node, item.grad.ptr(), owned});
  }
  if (Py_TYPE(node) == g.pick) return add_picked(queue, node, item.grad.ptr());

  if (!check_saved(node)) return false;
  Ref grads = take(PyObject_CallMethodOneArg(node, names.backward, item.grad.ptr()));
  if (!grads) return false;
  if (!keep_graph && slot(node, g.saved) != Py_None) {
    Py_INCREF(g.released);
    replace(node, g.saved, g.released);
    replace(node, g.cells, new_none());
  }
  bool fresh = false;
  if (hooks) {
    if (!call(callbacks.run_node_hooks, {node, grads.ptr(), item.grad.ptr()}, &grads)) return false;
  } else {
    Ref declared = take(PyObject_GetAttr(node, names.fresh));
    if (!declared) return false;
    fresh = declared.ptr() == Py_True;
  }
  item.grad = Ref();  // its memory is free for what comes

  Ref next = share(slot(node, g.next));
  const Py_ssize_t count = PyTuple_GET_SIZE(next.ptr());
  const bool several = PyTuple_CheckExact(grads.ptr());
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* fn = PyTuple_GET_ITEM(next.ptr(), i);
    if (several && i >= PyTuple_GET_SIZE(grads.ptr())) break;
    PyObject* grad = several ? PyTuple_GET_ITEM(grads.ptr(), i) : i == 0 ? grads.ptr() : Py_None;
    if (fn == Py_None || grad == Py_None) continue;
    Ref array = take(as_ndarray(share(grad).release()));
    if (!array || !deliver(queue, fn, array.ptr(), fresh)) return false;
  }
  return true;
}

// run_backward(roots, keep_graph): roots are (node, array) pairs.
PyObject* run_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("run_backward", nargs, 2)) return nullptr;
  try {
    Queue queue;
    Ref roots = take(PySequence_Fast(args[0], "run_backward: roots must be a sequence"));
    if (!roots) return nullptr;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(roots.ptr()); ++i) {
      PyObject* root = PySequence_Fast_GET_ITEM(roots.ptr(), i);
      if (!g.node || !PyTuple_CheckExact(root) || PyTuple_GET_SIZE(root) != 2 ||
          !PyObject_TypeCheck(PyTuple_GET_ITEM(root, 0), g.node)) {
        return fail(PyExc_TypeError, "run_backward: roots must be pairs of a node and an array");
      }
      if (!add_pending(queue, PyTuple_GET_ITEM(root, 0), PyTuple_GET_ITEM(root, 1), false)) {
        return nullptr;
      }
    }
    const bool keep_graph = args[1] == Py_True;
    while (!queue.empty()) {
      Pending item = std::move(queue.begin()->second);
      queue.erase(queue.begin());
      if (!visit(queue, item, keep_graph)) return nullptr;
    }
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  return new_none();
}

// bind_engine(function for each of Callbacks): they live for ever.
PyObject* bind_engine(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("bind_engine", nargs, 6)) return nullptr;
  for (int i = 0; i < 6; ++i) Py_INCREF(args[i]);
  callbacks = {args[0], args[1], args[2], args[3], args[4], args[5]};
  return new_none();
}

PyMethodDef kFunctions[] = {
    MG_FAST(run_backward, "run_backward(roots, keep_graph): the backward loop for arrays"),
    MG_FAST(bind_engine, "Tells the Python functions for the rare cases"),
    MG_TABLE_END,
};

}  // namespace

void bind_engine(PyObject* module) {
  add_functions(module, kFunctions);
  names.backward = PyUnicode_InternFromString("backward");
  names.fresh = PyUnicode_InternFromString("fresh");
  names.outputs = PyUnicode_InternFromString("outputs");
}

}  // namespace mg
