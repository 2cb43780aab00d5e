// _C.row_distances and its relatives: distances of all pairs of rows, and their gradients.
#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

// Nanoseconds for one difference on one thread, roughly.
constexpr double kDifference = 0.2;

// A dense batch of matrices of floats or doubles.
bool read_rows(const char* kernel, const char* name, PyObject* argument, Array* x) {
  if (!read_array(kernel, name, argument, x) || !need_contiguous(kernel, name, *x)) return false;
  if (x->ndim != 3 || (x->dtype != DType::kFloat32 && x->dtype != DType::kFloat64)) {
    fail(PyExc_ValueError, "%s: %s is %s; it must be a float32 or float64 batch of matrices",
         kernel, name, describe(*x).c_str());
    return false;
  }
  return true;
}

bool read_pairs(const char* kernel, PyObject* const* args, Array* a, Array* b, RowPairs* s) {
  if (!read_rows(kernel, "a", args[0], a) || !read_rows(kernel, "b", args[1], b) ||
      !need_dtype(kernel, "b", *b, a->dtype)) {
    return false;
  }
  if (a->shape[0] != b->shape[0] || a->shape[2] != b->shape[2]) {
    fail(PyExc_ValueError, "%s: a is %s, b is %s; needed: as many batches and columns", kernel,
         describe(*a).c_str(), describe(*b).c_str());
    return false;
  }
  *s = {a->shape[0], a->shape[1], b->shape[1], a->shape[2], 2.0};
  return true;
}

bool need_pairs(const char* kernel, const char* name, const Array& x, const RowPairs& s,
                DType dtype, bool turned = false) {
  if (!need_dtype(kernel, name, x, dtype) || !need_contiguous(kernel, name, x)) return false;
  const int64_t n = turned ? s.m : s.n, m = turned ? s.n : s.m;
  if (x.ndim == 3 && x.shape[0] == s.batch && x.shape[1] == n && x.shape[2] == m) return true;
  fail(PyExc_ValueError, "%s: %s is %s; needed: a value for each pair of rows", kernel, name,
       describe(x).c_str());
  return false;
}

double work_of(const RowPairs& s) {
  return kDifference * static_cast<double>(s.batch) * static_cast<double>(s.n) *
         static_cast<double>(s.m) * static_cast<double>(s.d);
}

PyObject* new_like(const Array& x, int64_t batch, int64_t n, int64_t m) {
  const npy_intp shape[3] = {static_cast<npy_intp>(batch), static_cast<npy_intp>(n),
                             static_cast<npy_intp>(m)};
  const bool wide = x.dtype == DType::kFloat64;
  return new_array(PyArray_DescrFromType(wide ? NPY_DOUBLE : NPY_FLOAT), 3, shape);
}

template <class T>
T* data_of(PyObject* array) {
  return static_cast<T*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)));
}

// row_distances(a, b, p): (batch, n, m), the p-norms of a[i] - b[j].
PyObject* row_distances(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "row_distances";
  Array a, b;
  RowPairs s;
  if (!check_count(kernel, nargs, 3) || !read_pairs(kernel, args, &a, &b, &s) ||
      !read_double(kernel, "p", args[2], &s.p)) {
    return nullptr;
  }
  PyObject* out = new_like(a, s.batch, s.n, s.m);
  if (!out) return nullptr;
  {
    KernelScope scope(work_of(s));
    const DistanceKernels& k = kernels().distance;
    if (a.dtype == DType::kFloat64) {
      k.f64.distances(data_of<double>(out), a.as<double>(), b.as<double>(), s);
    } else {
      k.f32.distances(data_of<float>(out), a.as<float>(), b.as<float>(), s);
    }
  }
  return out;
}

// row_distances_backward(a, b, grad, distance, p, turned): a's gradient; grad and distance are
// (batch, n, m), or (batch, m, n) if turned.
PyObject* row_distances_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "row_distances_backward";
  Array a, b, grad, distance;
  RowPairs s;
  bool turned;
  if (!check_count(kernel, nargs, 6) || !read_pairs(kernel, args, &a, &b, &s) ||
      !read_array(kernel, "grad", args[2], &grad) ||
      !read_array(kernel, "distance", args[3], &distance) ||
      !read_double(kernel, "p", args[4], &s.p) || !read_bool(kernel, "turned", args[5], &turned) ||
      !need_pairs(kernel, "grad", grad, s, a.dtype, turned) ||
      !need_pairs(kernel, "distance", distance, s, a.dtype, turned)) {
    return nullptr;
  }
  PyObject* out = new_like(a, s.batch, s.n, s.d);
  if (!out) return nullptr;
  {
    KernelScope scope(work_of(s));
    const DistanceKernels& k = kernels().distance;
    if (a.dtype == DType::kFloat64) {
      k.f64.gradient(data_of<double>(out), a.as<double>(), b.as<double>(), grad.as<double>(),
                     distance.as<double>(), turned, s);
    } else {
      k.f32.gradient(data_of<float>(out), a.as<float>(), b.as<float>(), grad.as<float>(),
                     distance.as<float>(), turned, s);
    }
  }
  return out;
}

// euclidean_finish(a, b, products): products = a b^T (batch, n, m) become the distances, in place.
PyObject* euclidean_finish(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "euclidean_finish";
  Array a, b, products;
  RowPairs s;
  if (!check_count(kernel, nargs, 3) || !read_pairs(kernel, args, &a, &b, &s) ||
      !read_array(kernel, "products", args[2], &products) ||
      !need_pairs(kernel, "products", products, s, a.dtype) ||
      !need_writeable(kernel, "products", products)) {
    return nullptr;
  }
  const bool wide = a.dtype == DType::kFloat64;
  Workspace work(static_cast<size_t>(s.batch * (s.n + s.m)) *
                 (wide ? sizeof(double) : sizeof(float)));
  if (work.failed()) return PyErr_NoMemory();
  {
    KernelScope scope(static_cast<double>(products.size + a.size + b.size) * kDifference);
    const DistanceKernels& k = kernels().distance;
    if (wide) {
      k.f64.euclidean_finish(products.as<double>(), a.as<double>(), b.as<double>(),
                             static_cast<double*>(work.data()), s);
    } else {
      k.f32.euclidean_finish(products.as<float>(), a.as<float>(), b.as<float>(),
                             static_cast<float*>(work.data()), s);
    }
  }
  Py_RETURN_NONE;
}

// euclidean_weights(grad, distance): grad / distance, 0 where that is 0; batches of matrices.
PyObject* euclidean_weights(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "euclidean_weights";
  Array grad, distance;
  if (!check_count(kernel, nargs, 2) || !read_rows(kernel, "grad", args[0], &grad) ||
      !read_rows(kernel, "distance", args[1], &distance) ||
      !need_dtype(kernel, "distance", distance, grad.dtype) ||
      !need_same_shape(kernel, "distance", distance, "grad", grad)) {
    return nullptr;
  }
  PyObject* out = new_like(grad, grad.shape[0], grad.shape[1], grad.shape[2]);
  if (!out) return nullptr;
  {
    KernelScope scope(static_cast<double>(grad.size) * kDifference);
    const DistanceKernels& k = kernels().distance;
    if (grad.dtype == DType::kFloat64) {
      k.f64.euclidean_weights(data_of<double>(out), grad.as<double>(), distance.as<double>(),
                              grad.size);
    } else {
      k.f32.euclidean_weights(data_of<float>(out), grad.as<float>(), distance.as<float>(),
                              grad.size);
    }
  }
  return out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(row_distances, "row_distances(a, b, p): (batch, n, m), p-norms of a[i] - b[j]"),
    MG_FAST(row_distances_backward,
            "row_distances_backward(a, b, grad, distance, p, turned): the gradient of a"),
    MG_FAST(euclidean_finish, "euclidean_finish(a, b, products): a b^T to distances, in place"),
    MG_FAST(euclidean_weights, "euclidean_weights(grad, distance): their quotient, 0 for 0"),
    MG_TABLE_END,
};

}  // namespace

void bind_distance(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
