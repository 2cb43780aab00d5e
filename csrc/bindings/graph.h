// The graph's Python objects as C++ sees them: the slots of minigrad.autograd.variable's classes
// are read and written directly, at the offsets that their member descriptors give. All under the
// interpreter lock.
#pragma once

#include "bindings/array.h"

namespace mg {

struct Classes {
  PyTypeObject* variable = nullptr;
  PyTypeObject* tensor = nullptr;
  PyTypeObject* node = nullptr;
  PyTypeObject* leaf = nullptr;
  PyTypeObject* pick = nullptr;
  PyObject* released = nullptr;            // stands in Node.saved after the graph was freed
  Py_ssize_t array, fn, grad, cell, view;  // slots of Variable
  Py_ssize_t seq, next, saved, cells, hooks, shapes;  // slots of Node
  Py_ssize_t variable_ref, post_hooks;                // slots of Leaf
  Py_ssize_t index;                                   // slot of Pick
};

// What bind_classes has told; g.tensor is nullptr before.
extern Classes g;
extern bool g_anomaly;                 // leave recording and backward to the Python code
extern thread_local bool t_recording;  // whether this thread records
extern thread_local bool t_inference;  // whether new tensors are inference tensors
extern PyObject* g_inference_cell;     // the record of writes that all inference tensors share
// The class of arrays that only say what a batched tensor looks like, and the functions that apply
// nodes to tensors over these (see minigrad/dispatch.py); nullptr before they are needed.
extern PyTypeObject* g_logical;
extern PyObject* g_apply_logical;
extern PyObject* g_apply_view_logical;

static inline PyObject*& slot(PyObject* object, Py_ssize_t offset) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
}
static inline PyObject* new_none() {
  Py_INCREF(Py_None);
  return Py_None;
}
static inline bool is_variable(PyObject* object) {
  return Py_TYPE(object) == g.tensor || PyObject_TypeCheck(object, g.variable);
}

// Notes a write in the record that a variable has, if it has one.
bool note_write(PyObject* variable);

// Puts `value` (its reference is taken; may be nullptr) in a slot in place of what is there.
static inline void replace(PyObject* object, Py_ssize_t offset, PyObject* value) {
  PyObject*& place = slot(object, offset);
  PyObject* old = place;
  place = value;
  Py_XDECREF(old);
}

// Where a class has the slot `name`; -1 with an error set if it has none.
Py_ssize_t offset_of(PyTypeObject* cls, const char* name);

PyObject* new_seq();
// A tensor over `array`, whose reference it takes; `fn` is borrowed.
PyObject* new_tensor(PyObject* array, PyObject* fn);
// A node of class `cls` that has saved nothing yet; takes the reference to `next`. TypeError if
// `cls` is no class of nodes.
PyObject* new_node(PyObject* cls, PyObject* next);
// The node of a product of x and y, the first two of `next`, whose arrays are saved each if the
// other needs it. Takes the reference to `next`.
PyObject* product_node(PyObject* cls, PyObject* next, PyObject* x, PyObject* y,
                       PyObject* const* arrays);
// The record of writes of a variable, made on first use. Borrowed.
PyObject* cell_of(PyObject* variable);
// The same for a variable that is saved: RuntimeError for inference tensors.
PyObject* saved_cell(PyObject* variable);

// `array`, which shares the memory of the tensor `input`, as a tensor made by node `fn` (or None)
// of class `cls`, whose forward has made it with the arguments `rest`; `several`: one of several
// such results. Takes the references to `rest` and `array`, of which nullptr is passed on as an
// error.
PyObject* view_tensor(PyObject* input, PyObject* cls, PyObject* rest, PyObject* array, PyObject* fn,
                      bool several);

// An array shaped and typed like `like`, from the pool if large.
PyObject* array_like(PyArrayObject* like);
// NumPy returns scalars for results without dimensions: makes them arrays. Takes the reference.
PyObject* as_ndarray(PyObject* result);
// Whether an ndarray is one that the float kernels take: contiguous float32 or float64.
bool is_fast(PyObject* array);

// Whether a write to `target` of values whose node is `other_fn` (or None) concerns no graph: then
// the memory is written and note_write called, and that is all. False where Python has to look.
bool may_write(PyObject* target, PyObject* other_fn);
// Notes a write in a variable's cell, if it has one; false with an error set.
bool note_write(PyObject* variable);
// out += array, where both are fast and of one shape and type; false if not, nothing done.
bool add_arrays(PyObject* out, PyObject* array);
// a + b as a new array.
PyObject* sum_arrays(PyObject* a, PyObject* b);
// Adds to variable.grad, taking over the first one if `owned` (else copying it): 1 done, 0 where
// Python has to do it, -1 error.
int accumulate_grad(PyObject* variable, PyObject* grad, bool owned);

}  // namespace mg
