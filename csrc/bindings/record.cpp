// The hot path of small models. fast_binary and fast_unary run an elementwise operation on
// contiguous float arrays and make its result tensor and graph node in one call; for everything else
// they return None, and minigrad/ops/_elementwise.py, which says what happens here, does it. apply
// and apply_view record any operation around its Python forward, as minigrad/autograd/record.py says.
//
// The classes are Python's (minigrad/autograd/variable.py); their slots are written directly, at
// the offsets that their member descriptors give.
#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"

// After Python.h, which array.h includes.
#include <structmember.h>

namespace py = pybind11;

namespace mg {
namespace {

// Bits of `spec`, which minigrad/kernels/fast.py puts together: the operation and what it saves.
constexpr long kOpMask = 0xff;
constexpr long kSavesInputs = 0x100;
constexpr long kCross = 0x200;
constexpr long kSavesOutput = 0x400;

struct Classes {
  PyTypeObject* variable = nullptr;
  PyTypeObject* tensor = nullptr;
  Py_ssize_t array, fn, grad, cell, view;                 // slots of Variable
  Py_ssize_t seq, next, saved, cells, hooks, shapes;      // slots of Node
};
Classes g;

// Guarded by the interpreter lock. Counts downwards: see minigrad/autograd/variable.py.
int64_t g_seq = 0;
bool g_anomaly = false;
thread_local bool t_recording = true;

PyObject*& slot(PyObject* object, Py_ssize_t offset) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
}

PyObject* new_none() {
  Py_INCREF(Py_None);
  return Py_None;
}

PyObject* new_seq() { return PyLong_FromLongLong(--g_seq); }

bool is_variable(PyObject* object) { return PyObject_TypeCheck(object, g.variable); }

// A tensor over `array`, whose reference it takes; `fn` is borrowed.
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
  slot(t, g.cell) = new_none();
  slot(t, g.view) = new_none();
  return t;
}

// The record of writes of a variable, made on first use. Borrowed; nullptr when memory is out.
PyObject* cell_of(PyObject* variable) {
  PyObject*& cell = slot(variable, g.cell);
  if (cell != Py_None) return cell;
  PyObject* made = PyList_New(3);
  if (!made) return nullptr;
  PyList_SET_ITEM(made, 0, PyLong_FromLong(0));
  PyList_SET_ITEM(made, 1, PyLong_FromLong(0));
  PyList_SET_ITEM(made, 2, new_none());
  Py_DECREF(cell);
  cell = made;
  return made;
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
  if (!PyArray_CheckExact(operand->array)) return false;
  PyArrayObject* array = reinterpret_cast<PyArrayObject*>(operand->array);
  const int type = PyArray_TYPE(array);
  return (type == NPY_FLOAT || type == NPY_DOUBLE) && PyArray_ISCARRAY_RO(array);
}

PyArrayObject* as_array(const Operand& operand) {
  return reinterpret_cast<PyArrayObject*>(operand.array);
}

// How b combines with a; false if only NumPy's general broadcasting does it.
bool find_form(const Operand& a, const Operand& b, Form* form, int64_t* rows) {
  *rows = 1;
  if (!a.array || !b.array) {
    *form = a.array ? Form::kRight : Form::kLeft;
    return true;
  }
  PyArrayObject* x = as_array(a);
  PyArrayObject* y = as_array(b);
  if (PyArray_TYPE(x) != PyArray_TYPE(y)) return false;
  const int nx = PyArray_NDIM(x), ny = PyArray_NDIM(y);
  if (nx >= ny) {
    for (int i = 1; i <= ny; ++i) {
      if (PyArray_DIM(x, nx - i) != PyArray_DIM(y, ny - i)) return false;
    }
    if (nx == ny) {
      *form = Form::kSame;
    } else if (ny == 0) {
      *form = Form::kRight;
    } else {
      *form = Form::kRow;
      for (int i = 0; i < nx - ny; ++i) *rows *= PyArray_DIM(x, i);
    }
    return true;
  }
  *form = Form::kLeft;
  return nx == 0;
}

template <class T>
void run_binary(const ElementwiseOf<T>& kernels, int op, T* out, const Operand& a,
                const Operand& b, int64_t n, int64_t rows, Form form) {
  const T left = a.array ? T{} : static_cast<T>(a.number);
  const T right = b.array ? T{} : static_cast<T>(b.number);
  const T* x = a.array ? static_cast<const T*>(PyArray_DATA(as_array(a))) : &left;
  const T* y = b.array ? static_cast<const T*>(PyArray_DATA(as_array(b))) : &right;
  KernelScope scope(0.4 * static_cast<double>(n));
  kernels.binary[op](out, x, y, n, rows, form);
}

// An array shaped and typed like `like`, from the pool if large.
PyObject* array_like(PyArrayObject* like) {
  PyArray_Descr* descr = PyArray_DESCR(like);
  Py_INCREF(descr);
  return new_array(descr, PyArray_NDIM(like), PyArray_DIMS(like));
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

// A node of class `cls` with empty slots for what it saves. New reference.
PyObject* new_node(PyTypeObject* cls, PyObject* next) {
  if (!next) return nullptr;
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

void replace(PyObject* node, Py_ssize_t offset, PyObject* value) {
  PyObject*& place = slot(node, offset);
  Py_XDECREF(place);
  place = value;
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
  if (keep_a && a.variable && !(cells[count++] = cell_of(a.given))) return false;
  if (keep_b && b.variable && !(cells[count++] = cell_of(b.given))) return false;
  replace(node, g.saved,
          PyTuple_Pack(2, keep_a ? (a.array ? a.array : a.given) : Py_None,
                       keep_b ? (b.array ? b.array : b.given) : Py_None));
  replace(node, g.cells, count == 2   ? PyTuple_Pack(2, cells[0], cells[1])
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
  if (!check_count("binary", nargs, 4)) return nullptr;
  PyTypeObject* cls = reinterpret_cast<PyTypeObject*>(args[0]);
  const long spec = PyLong_AsLong(args[1]);
  Operand a, b;
  if (!g.tensor || !read_operand(args[2], &a) || !read_operand(args[3], &b)) return new_none();
  if (!a.array && !b.array) return new_none();
  const bool any_variable = a.variable || b.variable;
  if (any_variable && ((a.array && !a.variable) || (b.array && !b.variable))) return new_none();
  const bool tracked = t_recording && (a.fn != Py_None || b.fn != Py_None);
  Form form;
  int64_t rows;
  if ((tracked && g_anomaly) || !find_form(a, b, &form, &rows)) return new_none();

  PyArrayObject* like = form == Form::kLeft ? as_array(b) : as_array(a);
  PyObject* array = array_like(like);
  if (!array) return nullptr;
  void* out = PyArray_DATA(reinterpret_cast<PyArrayObject*>(array));
  const int64_t n = PyArray_SIZE(like);
  const int op = static_cast<int>(spec & kOpMask);
  if (PyArray_TYPE(like) == NPY_FLOAT) {
    run_binary(kernels().elementwise.f32, op, static_cast<float*>(out), a, b, n, rows, form);
  } else {
    run_binary(kernels().elementwise.f64, op, static_cast<double*>(out), a, b, n, rows, form);
  }
  if (!any_variable) return array;
  if (!tracked) return new_tensor(array, Py_None);

  PyObject* node = new_node(cls, PyTuple_Pack(2, a.fn, b.fn));
  if (!node) {
    Py_DECREF(array);
    return nullptr;
  }
  PyObject* result = new_tensor(array, node);
  const bool broadcast = form != Form::kSame && a.array && b.array;
  if (!result || ((spec & kSavesInputs) && !save_operands(node, spec, a, b)) ||
      ((spec & kSavesOutput) && !save_output(node, result)) ||
      (broadcast && !save_shapes(node, a, b))) {
    Py_XDECREF(result);
    result = nullptr;
  }
  Py_DECREF(node);
  return result;
}

// unary(cls, spec, input): the tensor (or array, for an array), or None.
PyObject* fast_unary(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("unary", nargs, 3)) return nullptr;
  PyTypeObject* cls = reinterpret_cast<PyTypeObject*>(args[0]);
  const long spec = PyLong_AsLong(args[1]);
  Operand a;
  if (!g.tensor || !read_operand(args[2], &a) || !a.array) return new_none();
  const bool tracked = t_recording && a.fn != Py_None;
  if (tracked && g_anomaly) return new_none();

  PyArrayObject* x = as_array(a);
  PyObject* array = array_like(x);
  if (!array) return nullptr;
  void* out = PyArray_DATA(reinterpret_cast<PyArrayObject*>(array));
  const int64_t n = PyArray_SIZE(x);
  const int op = static_cast<int>(spec & kOpMask);
  {
    KernelScope scope(0.4 * static_cast<double>(n));
    if (PyArray_TYPE(x) == NPY_FLOAT) {
      kernels().elementwise.f32.unary[op](static_cast<float*>(out),
                                          static_cast<const float*>(PyArray_DATA(x)), n);
    } else {
      kernels().elementwise.f64.unary[op](static_cast<double*>(out),
                                          static_cast<const double*>(PyArray_DATA(x)), n);
    }
  }
  if (!a.variable) return array;
  if (!tracked) return new_tensor(array, Py_None);

  PyObject* node = new_node(cls, PyTuple_Pack(1, a.fn));
  if (!node) {
    Py_DECREF(array);
    return nullptr;
  }
  PyObject* result = new_tensor(array, node);
  bool saved = result != nullptr;
  if (saved && (spec & kSavesInputs)) {
    PyObject* cell = cell_of(a.given);
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

// out += array for contiguous float arrays of one shape. The interpreter lock is kept: two threads
// may add to the same gradient.
bool add_arrays(PyObject* out, PyObject* array) {
  Operand a, b;
  if (!read_operand(out, &a) || !read_operand(array, &b) || !a.array || !b.array) return false;
  PyArrayObject* x = as_array(a);
  PyArrayObject* y = as_array(b);
  if (PyArray_TYPE(x) != PyArray_TYPE(y) || !PyArray_SAMESHAPE(x, y) || !PyArray_ISWRITEABLE(x)) {
    return false;
  }
  const int op = static_cast<int>(BinaryOp::kAdd);
  const int64_t n = PyArray_SIZE(x);
  KernelScope scope(0);
  if (PyArray_TYPE(x) == NPY_FLOAT) {
    float* p = static_cast<float*>(PyArray_DATA(x));
    kernels().elementwise.f32.binary[op](p, p, static_cast<const float*>(PyArray_DATA(y)), n, 1,
                                         Form::kSame);
  } else {
    double* p = static_cast<double*>(PyArray_DATA(x));
    kernels().elementwise.f64.binary[op](p, p, static_cast<const double*>(PyArray_DATA(y)), n, 1,
                                         Form::kSame);
  }
  return true;
}

PyObject* add_into(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("add_into", nargs, 2)) return nullptr;
  return PyBool_FromLong(add_arrays(args[0], args[1]));
}

// Notes a write in a variable's cell, if it has one.
bool note_write(PyObject* variable) {
  PyObject* cell = slot(variable, g.cell);
  if (cell == Py_None) return true;
  PyObject* seq = new_seq();
  PyObject* count = PyLong_FromLong(PyLong_AsLong(PyList_GET_ITEM(cell, 1)) + 1);
  if (!seq || !count) return false;
  return PyList_SetItem(cell, 0, seq) == 0 && PyList_SetItem(cell, 1, count) == 0;
}

// accumulate(variable, grad, owned): adds the array `grad` to variable.grad; the first one is
// taken over if `owned`, else copied. False where Python has to do it.
PyObject* accumulate(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("accumulate", nargs, 3)) return nullptr;
  PyObject* variable = args[0];
  PyObject* grad = args[1];
  if (!g.tensor || !is_variable(variable) || !PyArray_CheckExact(grad)) return PyBool_FromLong(0);
  PyObject*& before = slot(variable, g.grad);
  if (before != Py_None) {
    if (!is_variable(before) || slot(before, g.fn) != Py_None ||
        !add_arrays(slot(before, g.array), grad)) {
      return PyBool_FromLong(0);
    }
    return note_write(before) ? PyBool_FromLong(1) : nullptr;
  }
  PyArrayObject* array = reinterpret_cast<PyArrayObject*>(grad);
  PyObject* own = grad;
  if (args[2] == Py_True && PyArray_IS_C_CONTIGUOUS(array)) {
    Py_INCREF(own);
  } else {
    own = array_like(array);
    if (!own || PyArray_CopyInto(reinterpret_cast<PyArrayObject*>(own), array) < 0) return nullptr;
  }
  PyObject* t = new_tensor(own, Py_None);
  if (!t) return nullptr;
  PyObject* old = before;
  before = t;
  Py_DECREF(old);
  return PyBool_FromLong(1);
}

// ---- apply and apply_view: minigrad/autograd/record.py says in Python what they do ----

struct Names {
  PyObject *forward, *saves, *saves_output, *cross;
  PyObject* apply_in_python;     // the whole operation, under anomaly detection
  PyObject* record_several;      // (node, inputs, arrays, results): several outputs
  PyObject* forget_dead_views;   // (cell)
};
Names n;

constexpr Py_ssize_t kMaxArguments = 24;

bool is_float(PyArrayObject* array) {
  const char kind = PyArray_DESCR(array)->kind;
  return kind == 'f' || kind == 'V';
}

// NumPy returns scalars for results without dimensions: makes them arrays. Takes the reference.
PyObject* as_ndarray(PyObject* result) {
  if (!result || PyArray_CheckExact(result) || !PyArray_CheckAnyScalar(result)) return result;
  PyObject* array = PyArray_FromScalar(result, nullptr);
  Py_DECREF(result);
  return array;
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
        PyObject* cell = cell_of(input);
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

PyObject* apply(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs < 2 || !PyType_Check(args[0]) || !PyTuple_CheckExact(args[1])) {
    return fail(PyExc_TypeError, "apply: needed: a node class, a tuple of inputs, arguments");
  }
  if (g_anomaly) return PyObject_Vectorcall(n.apply_in_python, args, nargs, nullptr);
  PyTypeObject* cls = reinterpret_cast<PyTypeObject*>(args[0]);
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
    } else {
      arrays[i] = input;
    }
  }
  tracked &= t_recording;
  PyObject* next = PyTuple_New(count);
  if (!next) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* input = PyTuple_GET_ITEM(inputs, i);
    PyObject* fn = tracked && is_variable(input) ? slot(input, g.fn) : Py_None;
    Py_INCREF(fn);
    PyTuple_SET_ITEM(next, i, fn);
  }
  PyObject* node = new_node(cls, next);
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
  } else if (!PyArray_Check(result)) {
    Py_DECREF(result);
    PyErr_Format(PyExc_TypeError, "apply: forward of %s returned no array", cls->tp_name);
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
  PyTypeObject* cls = reinterpret_cast<PyTypeObject*>(args[0]);
  PyObject* input = args[1];
  const bool variable = is_variable(input);
  const bool recording = t_recording && variable;
  PyObject* fn = recording ? slot(input, g.fn) : Py_None;
  PyObject* node = new_node(cls, PyTuple_Pack(1, fn));
  if (!node) return nullptr;
  PyObject* call[kMaxArguments + 1] = {node, variable ? slot(input, g.array) : input};
  for (Py_ssize_t i = 2; i < nargs; ++i) call[i] = args[i];
  PyObject* array = as_ndarray(PyObject_VectorcallMethod(n.forward, call, nargs, nullptr));
  if (!array || !variable) {
    Py_DECREF(node);
    return array;
  }
  PyObject* cell = cell_of(input);
  PyObject* rest = PyTuple_New(nargs - 2);
  PyObject* view = nullptr;
  if (rest) {
    for (Py_ssize_t i = 2; i < nargs; ++i) {
      Py_INCREF(args[i]);
      PyTuple_SET_ITEM(rest, i - 2, args[i]);
    }
    view = PyTuple_Pack(3, input, args[0], rest);
    Py_DECREF(rest);
  }
  PyObject* out = nullptr;
  if (cell && view) {
    out = new_tensor(array, fn != Py_None ? node : Py_None);
  } else {
    Py_DECREF(array);
  }
  if (out) {
    Py_INCREF(cell);
    replace(out, g.cell, cell);
    Py_INCREF(view);
    replace(out, g.view, view);
    if (recording && !register_view(cell, out)) Py_CLEAR(out);
  }
  Py_XDECREF(view);
  Py_DECREF(node);
  return out;
}

void bind_fallbacks(py::function apply_in_python, py::function record_several,
                    py::function forget_dead_views) {
  n.apply_in_python = apply_in_python.inc_ref().ptr();
  n.record_several = record_several.inc_ref().ptr();
  n.forget_dead_views = forget_dead_views.inc_ref().ptr();
}

PyObject* wrap(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 1 && nargs != 2) {
    return fail(PyExc_TypeError, "wrap: %zd arguments were given; needed: array, node", nargs);
  }
  Py_INCREF(args[0]);
  return new_tensor(args[0], nargs == 2 ? args[1] : Py_None);
}

PyObject* next_seq(PyObject*, PyObject* const*, Py_ssize_t) { return new_seq(); }

Py_ssize_t offset_of(py::handle cls, const char* name) {
  PyObject* found = PyDict_GetItemString(reinterpret_cast<PyTypeObject*>(cls.ptr())->tp_dict, name);
  if (!found || Py_TYPE(found) != &PyMemberDescr_Type) {
    throw py::type_error(std::string("bind_classes: the class has no slot ") + name);
  }
  return reinterpret_cast<PyMemberDescrObject*>(found)->d_member->offset;
}

void bind_classes(py::type variable, py::type node, py::type tensor) {
  Classes c;
  c.array = offset_of(variable, "_array");
  c.fn = offset_of(variable, "_fn");
  c.grad = offset_of(variable, "_grad");
  c.cell = offset_of(variable, "_cell");
  c.view = offset_of(variable, "_view");
  c.seq = offset_of(node, "seq");
  c.next = offset_of(node, "next");
  c.saved = offset_of(node, "saved");
  c.cells = offset_of(node, "cells");
  c.hooks = offset_of(node, "hooks");
  c.shapes = offset_of(node, "shapes");
  c.variable = reinterpret_cast<PyTypeObject*>(variable.inc_ref().ptr());  // they live for ever
  c.tensor = reinterpret_cast<PyTypeObject*>(tensor.inc_ref().ptr());
  g = c;
}

PyMethodDef kFunctions[] = {
    MG_FAST_NAMED("fast_binary", fast_binary, "fast_binary(cls, spec, input, other)"),
    MG_FAST_NAMED("fast_unary", fast_unary, "fast_unary(cls, spec, input)"),
    MG_FAST(accumulate, "accumulate(variable, grad, owned): adds to variable.grad; False if it can't"),
    MG_FAST(add_into, "add_into(out, array): out += array; False if it can't"),
    MG_FAST(wrap, "wrap(array, node=None): a tensor over the array"),
    MG_FAST(apply, "apply(cls, inputs, *args): runs and records an operation"),
    MG_FAST(apply_view, "apply_view(cls, input, *args): the same for results that share memory"),
    MG_FAST(next_seq, "next_seq(): the next sequence number, counting downwards"),
    MG_TABLE_END,
};

}  // namespace

void bind_record(py::module_& m) {
  add_functions(m, kFunctions);
  n.forward = PyUnicode_InternFromString("forward");
  n.saves = PyUnicode_InternFromString("saves");
  n.saves_output = PyUnicode_InternFromString("saves_output");
  n.cross = PyUnicode_InternFromString("cross");
  m.def("bind_fallbacks", &bind_fallbacks, "Tells the Python functions for the rare cases");
  m.def("bind_classes", &bind_classes, "Tells the classes whose slots are written");
  m.def("set_recording", [](bool on) { t_recording = on; }, "Whether this thread records");
  m.def("set_anomaly", [](bool on) { g_anomaly = on; }, "Leaves recording to the Python code");
}

}  // namespace mg
