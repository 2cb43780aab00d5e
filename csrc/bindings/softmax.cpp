// _C.softmax and its relatives: allocate the result, or return None for what only NumPy takes.
#include "bindings/families.h"
#include "bindings/graph.h"
#include "kernels.h"

namespace mg {
namespace {

// Nanoseconds for one exponential on one thread, roughly.
constexpr double kExp = 1.0;

struct Matrix {
  PyArrayObject* array;
  int64_t rows, columns;
  bool single;  // float32, else float64

  template <class T>
  const T* data() const {
    return static_cast<const T*>(PyArray_DATA(array));
  }
};

// Rows along the last dimension of a contiguous float array; false for everything else.
bool read_matrix(PyObject* object, Matrix* m) {
  if (!is_fast(object)) return false;
  m->array = reinterpret_cast<PyArrayObject*>(object);
  const int n = PyArray_NDIM(m->array);
  if (n == 0 || PyArray_SIZE(m->array) == 0) return false;
  m->columns = PyArray_DIM(m->array, n - 1);
  m->rows = PyArray_SIZE(m->array) / m->columns;
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

// One argument: run<T>(kernels, out, x).
template <class Run>
PyObject* map_rows(PyObject* x, Run&& run) {
  Matrix m;
  if (!read_matrix(x, &m)) return new_none();
  PyObject* out = array_like(m.array);
  if (!out) return nullptr;
  KernelScope scope(kExp * static_cast<double>(m.rows * m.columns));
  if (m.single) {
    run(kernels().softmax.f32, data_of<float>(out), m.data<float>(), m);
  } else {
    run(kernels().softmax.f64, data_of<double>(out), m.data<double>(), m);
  }
  return out;
}

PyObject* softmax(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("softmax", nargs, 1)) return nullptr;
  return map_rows(args[0], [](auto& k, auto* out, auto* x, const Matrix& m) {
    k.softmax(out, x, m.rows, m.columns);
  });
}

PyObject* log_softmax(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("log_softmax", nargs, 1)) return nullptr;
  return map_rows(args[0], [](auto& k, auto* out, auto* x, const Matrix& m) {
    k.log_softmax(out, x, m.rows, m.columns);
  });
}

template <class T>
void backward(const SoftmaxOf<T>& k, bool logarithm, PyObject* out, const Matrix& g,
              const Matrix& y) {
  (logarithm ? k.log_softmax_backward : k.softmax_backward)(
      data_of<T>(out), g.template data<T>(), y.template data<T>(), y.rows, y.columns);
}

PyObject* map_backward(const char* name, bool logarithm, PyObject* const* args, Py_ssize_t nargs) {
  Matrix g, y;
  if (!check_count(name, nargs, 2)) return nullptr;
  if (!read_matrix(args[0], &g) || !read_matrix(args[1], &y) || !alike(g, y)) return new_none();
  PyObject* out = array_like(y.array);
  if (!out) return nullptr;
  KernelScope scope(kExp * static_cast<double>(y.rows * y.columns));
  if (y.single) {
    backward(kernels().softmax.f32, logarithm, out, g, y);
  } else {
    backward(kernels().softmax.f64, logarithm, out, g, y);
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
    MG_FAST(softmax, "softmax(x): along the last dimension; None if NumPy has to"),
    MG_FAST(log_softmax, "log_softmax(x): along the last dimension; None if NumPy has to"),
    MG_FAST(softmax_backward, "softmax_backward(grad, y); None if NumPy has to"),
    MG_FAST(log_softmax_backward, "log_softmax_backward(grad, y); None if NumPy has to"),
    MG_TABLE_END,
};

}  // namespace

void bind_softmax(pybind11::module_& m) { add_functions(m, kFunctions); }

}  // namespace mg
