// _C.nll and nll_backward: the loss of chosen log-probabilities. One element a row is read: there
// is nothing to vectorise, so this is compiled once.
#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"

namespace mg {
namespace {

struct Rows {
  int64_t n, classes;
  const int64_t* target;
  const void* weight;  // nullptr: all one
  int64_t ignored;
};

bool is_class(const Rows& r, int64_t target) { return target >= 0 && target < r.classes; }

bool in_range(const Rows& r) {
  for (int64_t i = 0; i < r.n; ++i) {
    if (!is_class(r, r.target[i]) && r.target[i] != r.ignored) return false;
  }
  return true;
}

template <class T>
double weight_of(const Rows& r, int64_t target) {
  if (target == r.ignored) return 0;
  return r.weight ? static_cast<double>(static_cast<const T*>(r.weight)[target]) : 1;
}

// The sums of weight times -x and of the weights; false if a target is no class. One pass: the
// elements of x lie far apart, and their loads overlap only if nothing stands between them.
template <class T>
bool total_loss(const T* x, const Rows& r, double* sum, double* weights) {
  double s = 0, total = 0;
  for (int64_t i = 0; i < r.n; ++i, x += r.classes) {
    const int64_t t = r.target[i];
    if (t == r.ignored) continue;
    if (!is_class(r, t)) return false;
    const double w = r.weight ? static_cast<double>(static_cast<const T*>(r.weight)[t]) : 1;
    s -= w * static_cast<double>(x[t]);
    total += w;
  }
  *sum = s;
  *weights = total;
  return true;
}

template <class T>
void spread(T* out, const Rows& r, double scale) {
  for (int64_t i = 0; i < r.n; ++i) {
    if (r.target[i] == r.ignored) continue;
    out[i * r.classes + r.target[i]] = static_cast<T>(-weight_of<T>(r, r.target[i]) * scale);
  }
}

// Reads target, weight and the ignored class; false: NumPy's work, or an error.
bool read_rows(const char* kernel, PyObject* const* args, DType type, int64_t n, int64_t classes,
               Rows* rows) {
  Array target, weight;
  if (!read_array(kernel, "target", args[0], &target) ||
      !read_optional(kernel, "weight", args[1], &weight) ||
      !read_int(kernel, "ignore_index", args[2], &rows->ignored)) {
    return false;
  }
  rows->n = n;
  rows->classes = classes;
  if (target.ndim != 1 || target.shape[0] != n || target.dtype != DType::kInt64 ||
      !target.contiguous) {
    return false;
  }
  rows->target = target.as<const int64_t>();
  rows->weight = nullptr;
  if (weight.object) {
    if (weight.dtype != type || weight.ndim != 1 || weight.shape[0] != classes ||
        !weight.contiguous) {
      return false;
    }
    rows->weight = weight.data;
  }
  return true;
}

// nll(x, target, weight, ignore_index, mean): (loss, sum of the weights), or None.
PyObject* nll(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array x;
  bool mean;
  Rows rows;
  if (!check_count("nll", nargs, 5) || !read_array("nll", "x", args[0], &x) ||
      !read_bool("nll", "mean", args[4], &mean)) {
    return nullptr;
  }
  const bool fits =
      x.ndim == 2 && x.contiguous && (x.dtype == DType::kFloat32 || x.dtype == DType::kFloat64);
  if (!fits || !read_rows("nll", args + 1, x.dtype, x.shape[0], x.shape[1], &rows)) {
    if (PyErr_Occurred()) return nullptr;
    Py_RETURN_NONE;
  }
  double sum, weights;
  const bool is_float = x.dtype == DType::kFloat32;
  if (!(is_float ? total_loss(x.as<const float>(), rows, &sum, &weights)
                 : total_loss(x.as<const double>(), rows, &sum, &weights))) {
    Py_RETURN_NONE;  // who calls finds the target and names it
  }
  if (mean) sum /= weights;
  PyArray_Descr* descr = PyArray_DESCR(x.object);
  Py_INCREF(descr);
  PyObject* loss = new_array(descr, 0, nullptr);
  if (!loss) return nullptr;
  void* to = PyArray_DATA(reinterpret_cast<PyArrayObject*>(loss));
  if (is_float) {
    *static_cast<float*>(to) = static_cast<float>(sum);
  } else {
    *static_cast<double*>(to) = sum;
  }
  return Py_BuildValue("Nd", loss, weights);
}

// nll_backward(grad, target, weight, ignore_index, scale, classes): zeros with -grad * scale *
// weight at each row's target; grad an array of one element.
PyObject* nll_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array grad, target;
  double scale;
  int64_t classes;
  Rows rows;
  if (!check_count("nll_backward", nargs, 6) ||
      !read_array("nll_backward", "grad", args[0], &grad) ||
      !read_array("nll_backward", "target", args[1], &target) ||
      !read_double("nll_backward", "scale", args[4], &scale) ||
      !read_int("nll_backward", "classes", args[5], &classes)) {
    return nullptr;
  }
  const bool is_float = grad.dtype == DType::kFloat32;
  const bool fits =
      grad.size == 1 && (is_float || grad.dtype == DType::kFloat64) && target.ndim == 1;
  if (!fits || !read_rows("nll_backward", args + 1, grad.dtype, target.size, classes, &rows) ||
      !in_range(rows)) {
    if (PyErr_Occurred()) return nullptr;
    return fail(PyExc_ValueError, "nll_backward: grad, target and weight do not fit");
  }
  scale *= is_float ? static_cast<double>(*grad.as<const float>()) : *grad.as<const double>();
  PyArray_Descr* descr = PyArray_DESCR(grad.object);
  Py_INCREF(descr);
  const npy_intp shape[] = {target.shape[0], classes};
  PyObject* out = new_array(descr, 2, shape);
  if (!out) return nullptr;
  PyArrayObject* y = reinterpret_cast<PyArrayObject*>(out);
  KernelScope scope(0.05 * static_cast<double>(PyArray_NBYTES(y)));
  kernels().index.zero(PyArray_DATA(y), PyArray_NBYTES(y));
  if (is_float) {
    spread(static_cast<float*>(PyArray_DATA(y)), rows, scale);
  } else {
    spread(static_cast<double*>(PyArray_DATA(y)), rows, scale);
  }
  return out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(nll, "nll(x, target, weight, ignore_index, mean): (loss, weights), or None"),
    MG_FAST(nll_backward, "nll_backward(grad, target, weight, ignore_index, scale, classes)"),
    MG_TABLE_END,
};

}  // namespace

void bind_nll(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
