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

// The classes of the rows of a matrix: int64 (rows), each a column or `ignored`.
const int64_t* read_target(PyObject* object, const Matrix& m, int64_t ignored, int64_t* counted) {
  if (!PyArray_CheckExact(object)) return nullptr;
  PyArrayObject* array = reinterpret_cast<PyArrayObject*>(object);
  if (PyArray_TYPE(array) != NPY_INT64 || !PyArray_ISCARRAY_RO(array) ||
      PyArray_SIZE(array) != m.rows) {
    return nullptr;
  }
  const int64_t* target = static_cast<const int64_t*>(PyArray_DATA(array));
  *counted = 0;
  for (int64_t i = 0; i < m.rows; ++i) {
    if (target[i] == ignored) continue;
    if (target[i] < 0 || target[i] >= m.columns) return nullptr;  // Python says which
    ++*counted;
  }
  return target;
}

// Sums in double, in order: the loss is one number of many.
template <class T>
double total(const T* values, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(values[i]);
  return sum;
}

template <class T>
double run_cross_entropy(const SoftmaxOf<T>& k, T* lse, T* loss, const Matrix& m,
                         const int64_t* target, int64_t ignored) {
  KernelScope scope(kExp * static_cast<double>(m.rows * m.columns));
  k.cross_entropy(loss, lse, m.data<T>(), target, m.rows, m.columns, ignored);
  return total(loss, m.rows);
}

// cross_entropy(x, target, ignored, mean): (loss (), lse (rows), denominator), or None.
PyObject* cross_entropy(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Matrix m;
  int64_t ignored, counted;
  if (!check_count("cross_entropy", nargs, 4) ||
      !read_int("cross_entropy", "ignored", args[2], &ignored)) {
    return nullptr;
  }
  if (!read_matrix(args[0], &m) || PyArray_NDIM(m.array) != 2) return new_none();
  const int64_t* target = read_target(args[1], m, ignored, &counted);
  if (!target) return new_none();
  PyArray_Descr* descr = PyArray_DESCR(m.array);
  const npy_intp shape[1] = {m.rows};
  Py_INCREF(descr);
  PyObject* lse = new_array(descr, 1, shape);
  Py_INCREF(descr);
  PyObject* each = new_array(descr, 1, shape);
  Py_INCREF(descr);
  PyObject* loss = new_array(descr, 0, shape);
  PyObject* result = nullptr;
  if (lse && each && loss) {
    const double scale = args[3] == Py_True ? 1.0 / static_cast<double>(counted) : 1.0;
    if (m.single) {
      const double sum = run_cross_entropy(kernels().softmax.f32, data_of<float>(lse),
                                           data_of<float>(each), m, target, ignored);
      *data_of<float>(loss) = static_cast<float>(counted ? sum * scale : 0 * scale);
    } else {
      const double sum = run_cross_entropy(kernels().softmax.f64, data_of<double>(lse),
                                           data_of<double>(each), m, target, ignored);
      *data_of<double>(loss) = counted ? sum * scale : 0 * scale;
    }
    PyObject* denominator = PyFloat_FromDouble(static_cast<double>(counted));
    result = denominator ? PyTuple_Pack(3, loss, lse, denominator) : nullptr;
    Py_XDECREF(denominator);
  }
  Py_XDECREF(lse);
  Py_XDECREF(each);
  Py_XDECREF(loss);
  return result;
}

// cross_entropy_backward(grad (), x, target, lse, ignored, denominator): like x, or None.
PyObject* cross_entropy_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Matrix m, l;
  int64_t ignored, counted;
  double denominator;
  if (!check_count("cross_entropy_backward", nargs, 6) ||
      !read_int("cross_entropy_backward", "ignored", args[4], &ignored) ||
      !read_double("cross_entropy_backward", "denominator", args[5], &denominator)) {
    return nullptr;
  }
  if (!is_fast(args[0]) || !read_matrix(args[1], &m) || PyArray_NDIM(m.array) != 2 ||
      !read_matrix(args[3], &l) || l.single != m.single || PyArray_SIZE(l.array) != m.rows ||
      PyArray_SIZE(reinterpret_cast<PyArrayObject*>(args[0])) != 1 ||
      PyArray_TYPE(reinterpret_cast<PyArrayObject*>(args[0])) != PyArray_TYPE(m.array)) {
    return new_none();
  }
  const int64_t* target = read_target(args[2], m, ignored, &counted);
  if (!target) return new_none();
  PyObject* out = array_like(m.array);
  if (!out) return nullptr;
  KernelScope scope(kExp * static_cast<double>(m.rows * m.columns));
  if (m.single) {
    const float scale = *data_of<float>(args[0]) / static_cast<float>(denominator);
    kernels().softmax.f32.cross_entropy_backward(data_of<float>(out), m.data<float>(),
                                                 l.data<float>(), target, m.rows, m.columns,
                                                 ignored, scale);
  } else {
    const double scale = *data_of<double>(args[0]) / denominator;
    kernels().softmax.f64.cross_entropy_backward(data_of<double>(out), m.data<double>(),
                                                 l.data<double>(), target, m.rows, m.columns,
                                                 ignored, scale);
  }
  return out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(softmax, "softmax(x): along the last dimension; None if NumPy has to"),
    MG_FAST(log_softmax, "log_softmax(x): along the last dimension; None if NumPy has to"),
    MG_FAST(softmax_backward, "softmax_backward(grad, y); None if NumPy has to"),
    MG_FAST(log_softmax_backward, "log_softmax_backward(grad, y); None if NumPy has to"),
    MG_FAST(cross_entropy, "cross_entropy(x, target, ignored, mean): (loss, lse, count) or None"),
    MG_FAST(cross_entropy_backward,
            "cross_entropy_backward(grad, x, target, lse, ignored, denominator) or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_softmax(pybind11::module_& m) { add_functions(m, kFunctions); }

}  // namespace mg
