// _C.recurrent and _C.recurrent_backward, which return None for operands that only NumPy takes.
#include "bindings/families.h"
#include "bindings/graph.h"
#include "bindings/rnn_sequence.h"
#include "runtime/memory.h"

namespace mg {
namespace {

// Nanoseconds for a multiply-add on one thread, roughly, and for an element of the gates.
constexpr double kMultiplyAdd = 0.03, kGate = 1;

// What an argument must be: None if `optional`, else C-contiguous, of these sizes and one dtype.
struct Needed {
  PyObject* argument;
  bool optional;
  int64_t first, second;  // second -1: one dimension
};

bool fits(const Needed& needed, int type) {
  if (needed.argument == Py_None) return needed.optional;
  if (!PyArray_CheckExact(needed.argument)) return false;
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(needed.argument);
  return PyArray_TYPE(x) == type && PyArray_ISCARRAY_RO(x) &&
         PyArray_NDIM(x) == (needed.second < 0 ? 1 : 2) && PyArray_DIM(x, 0) == needed.first &&
         (needed.second < 0 || PyArray_DIM(x, 1) == needed.second);
}

template <class T>
T* data(PyObject* array) {
  if (!array || array == Py_None) return nullptr;
  return static_cast<T*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)));
}

PyArrayObject* matrix(PyObject* object) {
  if (!PyArray_CheckExact(object)) return nullptr;
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(object);
  return PyArray_NDIM(x) == 2 ? x : nullptr;
}

// The sizes of a call, whatever its element type.
struct Call {
  RnnMode mode;
  bool reverse;
  int type;
  int64_t steps, batch, rows, inputs, hidden, width, gates;
  const int64_t* sizes;
  int64_t starts_here[64];
  int64_t* starts = starts_here;
  PyObject *x, *h0, *c0, *w_ih, *w_hh, *w_hr;
};

// Reads mode, reverse, sizes and the operands: 1, or 0 for what NumPy has to do, or -1 with an
// error set. `space` holds the starts of many steps.
int read_call(const char* kernel, PyObject* const* args, Call* c, Workspace** space) {
  int64_t mode;
  Array sizes;
  if (!read_int(kernel, "mode", args[0], &mode) ||
      !read_bool(kernel, "reverse", args[1], &c->reverse) ||
      !read_array(kernel, "sizes", args[2], &sizes)) {
    return -1;
  }
  if (mode < 0 || mode > 3) {
    fail(PyExc_ValueError, "%s: mode is %lld; it must be 0 to 3", kernel,
         static_cast<long long>(mode));
    return -1;
  }
  if (sizes.dtype != DType::kInt64 || sizes.ndim != 1 || !sizes.contiguous || sizes.size == 0) {
    fail(PyExc_ValueError, "%s: sizes is %s; it must be int64 (n,), n > 0, contiguous", kernel,
         describe(sizes).c_str());
    return -1;
  }
  c->mode = static_cast<RnnMode>(mode);
  PyArrayObject *x = matrix(c->x), *w_ih = matrix(c->w_ih), *w_hh = matrix(c->w_hh);
  if (!x || !w_ih || !w_hh) return 0;
  c->type = PyArray_TYPE(x);
  if (c->type != NPY_FLOAT && c->type != NPY_DOUBLE) return 0;
  const int64_t kinds = c->mode == RnnMode::kLstm ? 4 : c->mode == RnnMode::kGru ? 3 : 1;
  c->rows = PyArray_DIM(x, 0);
  c->inputs = PyArray_DIM(x, 1);
  c->gates = PyArray_DIM(w_ih, 0);
  c->hidden = c->gates / kinds;
  c->width = PyArray_DIM(w_hh, 1);
  c->steps = sizes.size;
  c->sizes = sizes.as<int64_t>();
  c->batch = c->sizes[0];
  const bool projects = c->w_hr != Py_None;
  if (c->gates != kinds * c->hidden || c->gates == 0 || c->inputs == 0 || c->batch == 0) return 0;
  if ((projects && c->mode != RnnMode::kLstm) || (!projects && c->width != c->hidden)) return 0;
  if (c->steps > 64) {
    *space = new Workspace(static_cast<size_t>(c->steps) * sizeof(int64_t));
    if ((*space)->failed()) throw std::bad_alloc();
    c->starts = static_cast<int64_t*>((*space)->data());
  }
  int64_t row = 0;
  for (int64_t t = 0; t < c->steps; ++t) {
    if (c->sizes[t] <= 0 || c->sizes[t] > c->sizes[t ? t - 1 : 0] || row > c->rows) {
      row = -1;
      break;
    }
    c->starts[t] = row;
    row += c->sizes[t];
  }
  if (row != c->rows) {
    fail(PyExc_ValueError,
         "%s: sizes must be positive, not increasing, and add up to the %lld rows of x", kernel,
         static_cast<long long>(c->rows));
    return -1;
  }
  const Needed needed[] = {
      {c->x, false, c->rows, c->inputs},    {c->h0, true, c->batch, c->width},
      {c->c0, true, c->batch, c->hidden},   {c->w_ih, false, c->gates, c->inputs},
      {c->w_hh, false, c->gates, c->width}, {c->w_hr, true, c->width, c->hidden}};
  for (const Needed& one : needed) {
    if (!fits(one, c->type)) return 0;
  }
  return 1;
}

template <class T>
RnnSequence<T> sequence(const Call& c) {
  RnnSequence<T> s = {};
  s.mode = c.mode;
  s.reverse = c.reverse;
  s.steps = c.steps;
  s.batch = c.batch;
  s.rows = c.rows;
  s.inputs = c.inputs;
  s.hidden = c.hidden;
  s.width = c.width;
  s.sizes = c.sizes;
  s.starts = c.starts;
  s.x = data<T>(c.x);
  s.h0 = data<T>(c.h0);
  s.c0 = data<T>(c.c0);
  s.w_ih = data<T>(c.w_ih);
  s.w_hh = data<T>(c.w_hh);
  s.w_hr = data<T>(c.w_hr);
  return s;
}

double nanoseconds(const Call& c) {
  const double products = static_cast<double>(c.gates) * static_cast<double>(c.inputs + c.width);
  return static_cast<double>(c.rows) * (products * kMultiplyAdd + kGate * double(c.gates));
}

PyObject* new_matrix(const Call& c, int64_t rows, int64_t columns) {
  const npy_intp shape[2] = {rows, columns};
  return new_array(PyArray_DescrFromType(c.type), columns < 0 ? 1 : 2, shape);
}

// Results in a tuple: what is left nullptr becomes None.
PyObject* pack(PyObject** results, int count) {
  PyObject* tuple = PyTuple_New(count);
  if (!tuple) return nullptr;
  for (int i = 0; i < count; ++i) {
    PyTuple_SET_ITEM(tuple, i, results[i] ? results[i] : new_none());
    results[i] = nullptr;
  }
  return tuple;
}

template <class T>
bool run_forward(const Call& c, PyObject* const* biases, PyObject* const* results) {
  RnnSequence<T> s = sequence<T>(c);
  s.b_ih = data<T>(biases[0]);
  s.b_hh = data<T>(biases[1]);
  s.out = data<T>(results[0]);
  s.h_n = data<T>(results[1]);
  s.c_n = data<T>(results[2]);
  s.gates = data<T>(results[3]);
  s.cells = data<T>(results[4]);
  s.inner = data<T>(results[5]);
  KernelScope scope(nanoseconds(c));
  return rnn_forward(s);
}

// recurrent(mode, reverse, sizes, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
PyObject* forward(const Call& c, PyObject* const* biases) {
  const bool lstm = c.mode == RnnMode::kLstm, keeps = lstm || c.mode == RnnMode::kGru;
  const int64_t kinds = keeps ? 4 : 1;
  PyObject* results[6] = {};
  results[0] = new_matrix(c, c.rows, c.width);
  results[1] = new_matrix(c, c.batch, c.width);
  bool ok = results[0] && results[1];
  if (ok && lstm) ok = (results[2] = new_matrix(c, c.batch, c.hidden));
  if (ok && keeps) ok = (results[3] = new_matrix(c, c.rows, kinds * c.hidden));
  if (ok && lstm) ok = (results[4] = new_matrix(c, c.rows, c.hidden));
  if (ok && c.w_hr != Py_None) ok = (results[5] = new_matrix(c, c.rows, c.hidden));
  if (ok) {
    ok = c.type == NPY_FLOAT ? run_forward<float>(c, biases, results)
                             : run_forward<double>(c, biases, results);
    if (!ok) PyErr_NoMemory();
  }
  PyObject* tuple = ok ? pack(results, 6) : nullptr;
  for (PyObject* one : results) Py_XDECREF(one);
  return tuple;
}

PyObject* recurrent(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("recurrent", nargs, 11)) return nullptr;
  Call c;
  c.x = args[3];
  c.h0 = args[4];
  c.c0 = args[5];
  c.w_ih = args[6];
  c.w_hh = args[7];
  c.w_hr = args[10];
  Workspace* space = nullptr;
  int state = read_call("recurrent", args, &c, &space);
  if (state == 1 &&
      (!fits({args[8], true, c.gates, -1}, c.type) || !fits({args[9], true, c.gates, -1}, c.type) ||
       (args[8] == Py_None) != (args[9] == Py_None))) {
    state = 0;
  }
  PyObject* result = state == 1 ? forward(c, args + 8) : state == 0 ? new_none() : nullptr;
  delete space;
  return result;
}

template <class T>
bool run_backward(const Call& c, PyObject* const* kept, PyObject* grad, PyObject* const* results) {
  RnnSequence<T> s = sequence<T>(c);
  s.out = data<T>(kept[0]);
  s.gates = data<T>(kept[1]);
  s.cells = data<T>(kept[2]);
  s.inner = data<T>(kept[3]);
  s.grad = data<T>(grad);
  s.dx = data<T>(results[0]);
  s.dh = data<T>(results[1]);
  s.dc = data<T>(results[2]);
  s.dw_ih = data<T>(results[3]);
  s.dw_hh = data<T>(results[4]);
  s.db_ih = data<T>(results[5]);
  s.db_hh = data<T>(results[6]);
  s.dw_hr = data<T>(results[7]);
  KernelScope scope(2 * nanoseconds(c));
  return rnn_backward(s);
}

// A copy of a gradient of a last state, or zeros.
PyObject* carried(const Call& c, PyObject* grad, int64_t width) {
  PyObject* array = new_matrix(c, c.batch, width);
  if (!array) return nullptr;
  const size_t bytes = static_cast<size_t>(c.batch * width) * (c.type == NPY_FLOAT ? 4 : 8);
  if (grad == Py_None) {
    memset(data<char>(array), 0, bytes);
  } else {
    memcpy(data<char>(array), data<char>(grad), bytes);
  }
  return array;
}

PyObject* backward(const Call& c, PyObject* const* grads, PyObject* const* kept, const bool* want) {
  PyObject* results[8] = {};
  const int64_t shapes[8][2] = {
      {c.rows, c.inputs}, {0, 0},        {0, 0},        {c.gates, c.inputs},
      {c.gates, c.width}, {c.gates, -1}, {c.gates, -1}, {c.width, c.hidden}};
  results[1] = carried(c, grads[1], c.width);
  bool ok = results[1];
  if (ok && c.mode == RnnMode::kLstm) ok = (results[2] = carried(c, grads[2], c.hidden));
  for (int i = 0; ok && i < 8; ++i) {
    if (want[i] && shapes[i][0]) ok = (results[i] = new_matrix(c, shapes[i][0], shapes[i][1]));
  }
  if (ok) {
    ok = c.type == NPY_FLOAT ? run_backward<float>(c, kept, grads[0], results)
                             : run_backward<double>(c, kept, grads[0], results);
    if (!ok) PyErr_NoMemory();
  }
  if (ok && !want[1]) Py_CLEAR(results[1]);
  if (ok && !want[2]) Py_CLEAR(results[2]);
  PyObject* tuple = ok ? pack(results, 8) : nullptr;
  for (PyObject* one : results) Py_XDECREF(one);
  return tuple;
}

// recurrent_backward(mode, reverse, sizes, grads, x, h0, c0, w_ih, w_hh, w_hr, out, gates, cells,
// inner, want)
PyObject* recurrent_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "recurrent_backward";
  if (!check_count(kernel, nargs, 15)) return nullptr;
  if (!PyTuple_Check(args[3]) || PyTuple_GET_SIZE(args[3]) != 3 || !PyTuple_Check(args[14]) ||
      PyTuple_GET_SIZE(args[14]) != 8) {
    return fail(PyExc_TypeError, "%s: grads must be a tuple of 3 and want one of 8", kernel);
  }
  bool want[8];
  for (int i = 0; i < 8; ++i) {
    const int truth = PyObject_IsTrue(PyTuple_GET_ITEM(args[14], i));
    if (truth < 0) return nullptr;
    want[i] = truth;
  }
  Call c;
  c.x = args[4];
  c.h0 = args[5];
  c.c0 = args[6];
  c.w_ih = args[7];
  c.w_hh = args[8];
  c.w_hr = args[9];
  PyObject* const* grads = &PyTuple_GET_ITEM(args[3], 0);
  Workspace* space = nullptr;
  int state = read_call(kernel, args, &c, &space);
  if (state == 1) {
    const bool lstm = c.mode == RnnMode::kLstm, keeps = lstm || c.mode == RnnMode::kGru;
    const Needed needed[] = {{grads[0], true, c.rows, c.width},
                             {grads[1], true, c.batch, c.width},
                             {grads[2], true, c.batch, c.hidden},
                             {args[10], false, c.rows, c.width},
                             {args[11], !keeps, c.rows, 4 * c.hidden},
                             {args[12], !lstm, c.rows, c.hidden},
                             {args[13], c.w_hr == Py_None, c.rows, c.hidden}};
    for (const Needed& one : needed) {
      if (!fits(one, c.type)) state = 0;
    }
    if (want[7] && c.w_hr == Py_None) state = 0;
  }
  PyObject* result = state == 1   ? backward(c, grads, args + 10, want)
                     : state == 0 ? new_none()
                                  : nullptr;
  delete space;
  return result;
}

PyMethodDef kFunctions[] = {
    MG_FAST(recurrent,
            "recurrent(mode, reverse, sizes, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr): (out, h_n, "
            "c_n, gates, cells, inner) or None"),
    MG_FAST(recurrent_backward,
            "recurrent_backward(mode, reverse, sizes, grads, x, h0, c0, w_ih, w_hh, w_hr, out, "
            "gates, cells, inner, want): 8 gradients or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_rnn(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
