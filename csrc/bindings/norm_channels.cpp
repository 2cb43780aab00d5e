// _C.batch_norm, its gradient and its recorded form; as the normalisations of rows in norm.cpp.
#include "bindings/norm.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

struct Channels {
  PyObject *x, *w, *b, *running_mean, *running_var;
  int64_t n, c, length;
  bool training;
  double momentum, eps;
};

bool can_move(PyObject* p) { return p == Py_None || PyArray_ISWRITEABLE(as_array(p)); }

bool read_channels(PyObject* x, PyObject* w, PyObject* b, PyObject* mean, PyObject* var,
                   bool training, Channels* k) {
  if (!is_input(x) || PyArray_NDIM(as_array(x)) < 2) return false;
  const int64_t n = PyArray_DIM(as_array(x), 0), c = PyArray_DIM(as_array(x), 1);
  if (!fits(w, x, c) || !fits(b, x, c) || !fits(mean, x, c) || !fits(var, x, c)) return false;
  if (training ? !can_move(mean) || !can_move(var) : mean == Py_None || var == Py_None) {
    return false;
  }
  *k = {x, w, b, mean, var, n, c, PyArray_SIZE(as_array(x)) / (n * c), training, 0, 0};
  return true;
}

template <class T>
void run_channels(const BatchNormOf<T>& kernel, const Channels& k, const Results& out,
                  void* scratch) {
  kernel.forward({data_of<T>(out.at[0]), data_of<T>(out.at[1]), data_of<T>(out.at[2]),
                  data_of<T>(k.running_mean), data_of<T>(k.running_var), data_of<T>(k.x),
                  data_of<T>(k.w), data_of<T>(k.b), k.n, k.c, k.length, k.training, k.momentum,
                  k.eps, scratch});
}

bool channels_forward(const Channels& k, Results* out) {
  out->at[0] = array_like(as_array(k.x));
  for (int i = 1; i < 3; ++i) out->at[i] = vector_like(k.x, k.c, false);
  if (!out->at[0] || !out->at[1] || !out->at[2]) return false;
  Workspace scratch(static_cast<size_t>(batch_scratch(k.n, k.c, k.length)));
  if (scratch.failed()) {
    PyErr_NoMemory();
    return false;
  }
  KernelScope scope(kNormElement * static_cast<double>(k.n * k.c * k.length));
  if (is_single(k.x)) {
    run_channels(kernels().batch_norm.f32, k, *out, scratch.data());
  } else {
    run_channels(kernels().batch_norm.f64, k, *out, scratch.data());
  }
  return true;
}

// batch_norm(x, w, b, running_mean, running_var, training, momentum, eps): (y, mean, rstd)
PyObject* batch_norm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Channels k;
  double momentum, eps;
  if (!check_count("batch_norm", nargs, 8) ||
      !read_double("batch_norm", "momentum", args[6], &momentum) ||
      !read_double("batch_norm", "eps", args[7], &eps)) {
    return nullptr;
  }
  if (!read_channels(args[0], args[1], args[2], args[3], args[4], args[5] == Py_True, &k)) {
    return new_none();
  }
  k.momentum = momentum;
  k.eps = eps;
  Results out;
  return channels_forward(k, &out) ? out.take(3) : nullptr;
}

template <class T>
void run_channels_backward(const BatchNormOf<T>& kernel, const Channels& k, PyObject* grad,
                           PyObject* mean, PyObject* rstd, const Results& out, void* scratch) {
  kernel.backward({data_of<T>(out.at[0]), data_of<T>(out.at[1]), data_of<T>(out.at[2]),
                   data_of<T>(grad), data_of<T>(k.x), data_of<T>(mean), data_of<T>(rstd),
                   data_of<T>(k.w), k.n, k.c, k.length, k.training, scratch});
}

// batch_norm_backward(grad, x, w, mean, rstd, training, want)
PyObject* batch_norm_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Channels k;
  if (!check_count("batch_norm_backward", nargs, 7)) return nullptr;
  PyObject *grad = args[0], *mean = args[3], *rstd = args[4], *want = args[6];
  if (!read_channels(args[1], args[2], Py_None, Py_None, Py_None, true, &k) ||
      !PyTuple_CheckExact(want) || !alike(grad, k.x) || !given_and_fits(mean, k.x, k.c) ||
      !given_and_fits(rstd, k.x, k.c)) {
    return new_none();
  }
  k.training = args[5] == Py_True;
  Results out;
  out.at[0] = array_like(as_array(k.x));
  for (int i = 1; i < 3; ++i) out.at[i] = vector_like(k.x, k.c, false);
  if (!out.at[0] || !out.at[1] || !out.at[2]) return nullptr;
  Workspace scratch(static_cast<size_t>(batch_scratch(k.n, k.c, k.length)));
  if (scratch.failed()) return PyErr_NoMemory();
  {
    KernelScope scope(2 * kNormElement * static_cast<double>(k.n * k.c * k.length));
    if (is_single(k.x)) {
      run_channels_backward(kernels().batch_norm.f32, k, grad, mean, rstd, out, scratch.data());
    } else {
      run_channels_backward(kernels().batch_norm.f64, k, grad, mean, rstd, out, scratch.data());
    }
  }
  for (int i = 0; i < 3; ++i) {
    if (!is_wanted(want, i)) Py_CLEAR(out.at[i]);
  }
  return out.take(3);
}

// The array of a running statistic that may be moved here; nullptr for what Python has to look at.
PyObject* statistic(PyObject* p) {
  if (p == Py_None) return p;
  if (!is_variable(p) || slot(p, g.fn) != Py_None) return nullptr;
  PyObject* cell = slot(p, g.cell);
  if (cell != Py_None && PyList_GET_ITEM(cell, 2) != Py_None) return nullptr;  // it has views
  PyObject* array = slot(p, g.array);
  return is_fast(array) && PyArray_NDIM(as_array(array)) == 1 ? array : nullptr;
}

bool note_move(PyObject* p) { return p == Py_None || (cell_of(p) && note_write(p)); }

// fast_batch_norm(cls, input, running_mean, running_var, weight, bias, training, momentum, eps)
PyObject* fast_batch_norm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Operands o;
  Channels k;
  if (!check_count("batch_norm", nargs, 9)) return nullptr;
  if (!PyBool_Check(args[6]) || !PyFloat_CheckExact(args[7]) || !PyFloat_CheckExact(args[8]) ||
      !read_operands(args[1], args[4], args[5], 3, &o)) {
    return new_none();
  }
  for (int i = 1; i < 3; ++i) {
    if (o.array[i] != Py_None && PyArray_NDIM(as_array(o.array[i])) != 1) return new_none();
  }
  const bool training = args[6] == Py_True;
  PyObject *mean = statistic(args[2]), *var = statistic(args[3]);
  if (!mean || !var ||
      !read_channels(o.array[0], o.array[1], o.array[2], mean, var, training, &k)) {
    return new_none();
  }
  k.momentum = PyFloat_AS_DOUBLE(args[7]);
  k.eps = PyFloat_AS_DOUBLE(args[8]);
  if (training ? k.n * k.length == 1 || !(k.eps > 0) : !(k.eps >= 0)) return new_none();
  Keep first(true, {o.array[0], o.array[1], o.array[2]}), second(true, {mean, var});
  Results out;
  if (!channels_forward(k, &out)) return nullptr;
  if (training && (!note_move(args[2]) || !note_move(args[3]))) return nullptr;
  PyObject* y = out.at[0];
  out.at[0] = nullptr;
  if (!o.tracked) return new_tensor(y, Py_None);
  return recorded(args[0], o, y,
                  Py_BuildValue("OOOOO", out.at[1], out.at[2], args[6], args[8], Py_None));
}

PyMethodDef kFunctions[] = {
    MG_FAST(batch_norm,
            "batch_norm(x, w, b, running_mean, running_var, training, momentum, eps): "
            "(y, mean, rstd), and moves the running statistics; None if Python has to"),
    MG_FAST(batch_norm_backward,
            "batch_norm_backward(grad, x, w, mean, rstd, training, want): (dx, dw, db) or None"),
    MG_FAST(fast_batch_norm,
            "fast_batch_norm(cls, input, running_mean, running_var, weight, bias, training, "
            "momentum, eps): recorded, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_norm_channels(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
