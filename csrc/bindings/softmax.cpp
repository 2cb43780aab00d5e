// _C.softmax and its relatives: allocate the result, or return None for what only NumPy takes.
#include "bindings/families.h"
#include "bindings/graph.h"
#include "kernels.h"

namespace mg {
namespace {

// Nanoseconds for one exponential on one thread, roughly.
constexpr double kExp = 1.0;

// A contiguous float array seen as (outer, n, inner), where n is the dimension of the softmax.
struct Matrix {
  PyArrayObject* array;
  int64_t outer, n, inner;
  bool single;  // float32, else float64

  template <class T>
  const T* data() const {
    return static_cast<const T*>(PyArray_DATA(array));
  }
  double size() const { return static_cast<double>(outer * n * inner); }
};

// False for everything but such an array and an axis of it.
bool read_matrix(PyObject* object, int64_t axis, Matrix* m) {
  if (!is_fast(object)) return false;
  m->array = reinterpret_cast<PyArrayObject*>(object);
  const int dims = PyArray_NDIM(m->array);
  if (axis < 0 || axis >= dims || PyArray_SIZE(m->array) == 0) return false;
  m->n = PyArray_DIM(m->array, static_cast<int>(axis));
  m->inner = 1;
  for (int i = static_cast<int>(axis) + 1; i < dims; ++i) m->inner *= PyArray_DIM(m->array, i);
  m->outer = PyArray_SIZE(m->array) / (m->n * m->inner);
  m->single = PyArray_TYPE(m->array) == NPY_FLOAT;
  return true;
}

bool alike(const Matrix& a, const Matrix& b) {
  return a.single == b.single && PyArray_SAMESHAPE(a.array, b.array);
}

template <class T>
T* data_of(PyObject* array) {
  return static_cast<T*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)));
}

template <class T>
void run(const SoftmaxOf<T>& k, bool logarithm, PyObject* out, const Matrix& x) {
  T* to = data_of<T>(out);
  const T* from = x.template data<T>();
  if (x.inner == 1) {
    (logarithm ? k.log_softmax : k.softmax)(to, from, x.outer, x.n);
  } else {
    (logarithm ? k.log_softmax_columns : k.softmax_columns)(to, from, x.outer, x.n, x.inner);
  }
}

PyObject* map(const char* name, bool logarithm, PyObject* const* args, Py_ssize_t nargs) {
  Matrix m;
  int64_t axis;
  if (!check_count(name, nargs, 2) || !read_int(name, "axis", args[1], &axis)) return nullptr;
  if (!read_matrix(args[0], axis, &m)) return new_none();
  PyObject* out = array_like(m.array);
  if (!out) return nullptr;
  KernelScope scope(kExp * m.size());
  if (m.single) {
    run(kernels().softmax.f32, logarithm, out, m);
  } else {
    run(kernels().softmax.f64, logarithm, out, m);
  }
  return out;
}

PyObject* softmax(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return map("softmax", false, args, nargs);
}
PyObject* log_softmax(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return map("log_softmax", true, args, nargs);
}

template <class T>
void run_backward(const SoftmaxOf<T>& k, bool logarithm, PyObject* out, const Matrix& g,
                  const Matrix& y) {
  T* to = data_of<T>(out);
  const T *grad = g.template data<T>(), *from = y.template data<T>();
  if (y.inner == 1) {
    (logarithm ? k.log_softmax_backward : k.softmax_backward)(to, grad, from, y.outer, y.n);
  } else {
    (logarithm ? k.log_softmax_backward_columns : k.softmax_backward_columns)(
        to, grad, from, y.outer, y.n, y.inner);
  }
}

PyObject* map_backward(const char* name, bool logarithm, PyObject* const* args, Py_ssize_t nargs) {
  Matrix g, y;
  int64_t axis;
  if (!check_count(name, nargs, 3) || !read_int(name, "axis", args[2], &axis)) return nullptr;
  if (!read_matrix(args[0], axis, &g) || !read_matrix(args[1], axis, &y) || !alike(g, y)) {
    return new_none();
  }
  PyObject* out = array_like(y.array);
  if (!out) return nullptr;
  KernelScope scope(kExp * y.size());
  if (y.single) {
    run_backward(kernels().softmax.f32, logarithm, out, g, y);
  } else {
    run_backward(kernels().softmax.f64, logarithm, out, g, y);
  }
  return out;
}

PyObject* softmax_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return map_backward("softmax_backward", false, args, nargs);
}
PyObject* log_softmax_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return map_backward("log_softmax_backward", true, args, nargs);
}

PyMethodDef kFunctions[] = {
    MG_FAST(softmax, "softmax(x, axis); None if NumPy has to"),
    MG_FAST(log_softmax, "log_softmax(x, axis); None if NumPy has to"),
    MG_FAST(softmax_backward, "softmax_backward(grad, y, axis); None if NumPy has to"),
    MG_FAST(log_softmax_backward, "log_softmax_backward(grad, y, axis); None if NumPy has to"),
    MG_TABLE_END,
};

}  // namespace

void bind_softmax(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
