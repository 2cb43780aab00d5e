// _C.ctc_loss and _C.ctc_grad: connectionist temporal classification of float arrays.
#include "bindings/families.h"
#include "bindings/graph.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

// Nanoseconds for one state on one thread, roughly.
constexpr double kState = 2.0;

// Whether an array is a contiguous one of numbers of the given dimensions.
bool is_dense(PyObject* object, DType dtype, int ndim) {
  if (!PyArray_CheckExact(object)) return false;
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(object);
  return dtype_of(PyArray_DESCR(x)) == dtype && PyArray_NDIM(x) == ndim && PyArray_ISCARRAY_RO(x);
}

PyArrayObject* array_of(PyObject* object) { return reinterpret_cast<PyArrayObject*>(object); }

template <class T>
T* data_of(PyObject* object) {
  return static_cast<T*>(PyArray_DATA(array_of(object)));
}

// All values in [0, limit].
bool are_within(const int64_t* values, int64_t n, int64_t limit) {
  for (int64_t i = 0; i < n; ++i) {
    if (values[i] < 0 || values[i] > limit) return false;
  }
  return true;
}

// What log_probs, targets, inputs, lengths and blank say; false for all that does not fit.
bool read_shape(PyObject* log_probs, PyObject* const* args, CtcShape* s) {
  PyObject *targets = args[0], *inputs = args[1], *lengths = args[2];
  if (!is_fast(log_probs) || PyArray_NDIM(array_of(log_probs)) != 3 ||
      !is_dense(targets, DType::kInt64, 2) || !is_dense(inputs, DType::kInt64, 1) ||
      !is_dense(lengths, DType::kInt64, 1) || !PyLong_CheckExact(args[3])) {
    return false;
  }
  const npy_intp* sizes = PyArray_DIMS(array_of(log_probs));
  *s = {sizes[0],
        sizes[1],
        sizes[2],
        PyArray_DIM(array_of(targets), 1),
        PyLong_AsLongLong(args[3]),
        data_of<int64_t>(inputs),
        data_of<int64_t>(lengths)};
  if (PyErr_Occurred()) PyErr_Clear();
  const int64_t n = s->batch;
  if (PyArray_DIM(array_of(targets), 0) != n || PyArray_DIM(array_of(inputs), 0) != n ||
      PyArray_DIM(array_of(lengths), 0) != n || s->blank < 0 || s->blank >= s->classes ||
      !are_within(s->inputs, n, s->steps) || !are_within(s->lengths, n, s->longest)) {
    return false;
  }
  const int64_t* labels = data_of<int64_t>(targets);
  for (int64_t i = 0; i < n; ++i) {
    if (!are_within(labels + i * s->longest, s->lengths[i], s->classes - 1)) return false;
  }
  return true;
}

double work_of(const CtcShape& s) {
  return kState * static_cast<double>(s.steps * s.batch) * static_cast<double>(2 * s.longest + 1);
}

PyObject* new_like(PyObject* x, int ndim, const npy_intp* shape) {
  PyArray_Descr* descr = PyArray_DESCR(array_of(x));
  Py_INCREF(descr);
  return new_array(descr, ndim, shape);
}

PyObject* ctc_fits(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  CtcShape s;
  if (!check_count("ctc_fits", nargs, 5)) return nullptr;
  return PyBool_FromLong(read_shape(args[0], args + 1, &s));
}

// ctc_loss(log_probs, targets, inputs, lengths, blank): (loss, alpha)
PyObject* ctc_loss(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  CtcShape s;
  if (!check_count("ctc_loss", nargs, 5)) return nullptr;
  if (!read_shape(args[0], args + 1, &s)) return new_none();
  const npy_intp batch[1] = {s.batch}, all[3] = {s.batch, s.steps, 2 * s.longest + 1};
  PyObject* loss = new_like(args[0], 1, batch);
  PyObject* alpha = loss ? new_like(args[0], 3, all) : nullptr;
  PyObject* both = alpha ? PyTuple_Pack(2, loss, alpha) : nullptr;
  Py_XDECREF(loss);
  Py_XDECREF(alpha);
  if (!both) return nullptr;
  const auto run = [&](const auto& k, auto* out) {
    using T = std::remove_pointer_t<decltype(out)>;
    Workspace work(static_cast<size_t>(k.workspace(s)) * sizeof(T));
    if (work.failed()) return false;
    KernelScope scope(work_of(s));
    k.forward(out, data_of<T>(alpha), data_of<T>(args[0]), data_of<int64_t>(args[1]), s,
              static_cast<T*>(work.data()));
    return true;
  };
  const CtcKernels& k = kernels().ctc;
  const bool single = PyArray_TYPE(array_of(args[0])) == NPY_FLOAT;
  if (single ? run(k.f32, data_of<float>(loss)) : run(k.f64, data_of<double>(loss))) return both;
  Py_DECREF(both);
  return PyErr_NoMemory();
}

// ctc_grad(grad, log_probs, alpha, loss, targets, inputs, lengths, blank)
PyObject* ctc_grad(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  CtcShape s;
  if (!check_count("ctc_grad", nargs, 8)) return nullptr;
  PyObject *grad = args[0], *log_probs = args[1], *alpha = args[2], *loss = args[3];
  if (!read_shape(log_probs, args + 4, &s)) return new_none();
  const DType dtype = dtype_of(PyArray_DESCR(array_of(log_probs)));
  if (!is_dense(grad, dtype, 1) || !is_dense(loss, dtype, 1) || !is_dense(alpha, dtype, 3) ||
      PyArray_DIM(array_of(grad), 0) != s.batch || PyArray_DIM(array_of(loss), 0) != s.batch ||
      PyArray_SIZE(array_of(alpha)) != s.batch * s.steps * (2 * s.longest + 1)) {
    return new_none();
  }
  PyObject* out = new_like(log_probs, 3, PyArray_DIMS(array_of(log_probs)));
  if (!out) return nullptr;
  const auto run = [&](const auto& k, auto* to) {
    using T = std::remove_pointer_t<decltype(to)>;
    Workspace work(static_cast<size_t>(k.workspace(s)) * sizeof(T));
    if (work.failed()) return false;
    KernelScope scope(work_of(s));
    k.backward(to, data_of<T>(grad), data_of<T>(log_probs), data_of<T>(alpha), data_of<T>(loss),
               data_of<int64_t>(args[4]), s, static_cast<T*>(work.data()));
    return true;
  };
  const CtcKernels& k = kernels().ctc;
  if (dtype == DType::kFloat32 ? run(k.f32, data_of<float>(out)) : run(k.f64, data_of<double>(out)))
    return out;
  Py_DECREF(out);
  return PyErr_NoMemory();
}

PyMethodDef kFunctions[] = {
    MG_FAST(ctc_fits,
            "ctc_fits(log_probs, targets, inputs, lengths, blank): whether ctc_loss runs"),
    MG_FAST(ctc_loss,
            "ctc_loss(log_probs, targets, inputs, lengths, blank): (loss, alpha), or None"),
    MG_FAST(ctc_grad,
            "ctc_grad(grad, log_probs, alpha, loss, targets, inputs, lengths, blank): an array, or "
            "None"),
    MG_TABLE_END,
};

}  // namespace

void bind_ctc(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
