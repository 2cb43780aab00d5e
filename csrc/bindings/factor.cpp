// _C.solve_triangular, _C.lu_factor and _C.cholesky: batches of small matrices.
#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

// Nanoseconds for one multiplication on one thread, roughly.
constexpr double kStep = 0.3;

// A dense (batch, rows, columns) array of floats or doubles.
bool read_matrices(const char* kernel, const char* name, PyObject* argument, Array* x) {
  if (!read_array(kernel, name, argument, x) || !need_contiguous(kernel, name, *x)) return false;
  if (x->ndim != 3 || (x->dtype != DType::kFloat32 && x->dtype != DType::kFloat64)) {
    fail(PyExc_ValueError, "%s: %s is %s; it must be a float32 or float64 batch of matrices",
         kernel, name, describe(*x).c_str());
    return false;
  }
  return true;
}

// solve_triangular(x, a, upper, unit, transposed): x (b, n, k) is overwritten with
// triangle(a)^-1 x; a is (b, n, n), or (1, n, n) for all.
PyObject* solve_triangular(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "solve_triangular";
  Array x, a;
  TriangularSystem s;
  if (!check_count(kernel, nargs, 5) || !read_matrices(kernel, "x", args[0], &x) ||
      !need_writeable(kernel, "x", x) || !read_matrices(kernel, "a", args[1], &a) ||
      !need_dtype(kernel, "a", a, x.dtype) || !read_bool(kernel, "upper", args[2], &s.upper) ||
      !read_bool(kernel, "unit", args[3], &s.unit) ||
      !read_bool(kernel, "transposed", args[4], &s.transposed)) {
    return nullptr;
  }
  s.batch = x.shape[0];
  s.n = x.shape[1];
  s.k = x.shape[2];
  if (a.shape[1] != s.n || a.shape[2] != s.n || (a.shape[0] != s.batch && a.shape[0] != 1)) {
    return fail(PyExc_ValueError, "%s: x is %s, a is %s; needed: square matrices of x's height",
                kernel, describe(x).c_str(), describe(a).c_str());
  }
  s.a_step = a.shape[0] == 1 ? 0 : s.n * s.n;
  const bool wide = x.dtype == DType::kFloat64;
  Workspace work(static_cast<size_t>(x.size) * (wide ? sizeof(double) : sizeof(float)));
  if (work.failed()) return PyErr_NoMemory();
  {
    KernelScope scope(kStep * static_cast<double>(x.size) * static_cast<double>(s.n));
    const FactorKernels& k = kernels().factor;
    if (wide) {
      k.solve_f64(x.as<double>(), a.as<double>(), static_cast<double*>(work.data()), s);
    } else {
      k.solve_f32(x.as<float>(), a.as<float>(), static_cast<float*>(work.data()), s);
    }
  }
  Py_RETURN_NONE;
}

// lu_factor(a, pivots, info, pivot): a (b, m, n) is overwritten with L and U; pivots
// (b, min(m, n)) and info (b,) int32 are written.
PyObject* lu_factor(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "lu_factor";
  Array a, pivots, info;
  bool pivot;
  if (!check_count(kernel, nargs, 4) || !read_matrices(kernel, "a", args[0], &a) ||
      !need_writeable(kernel, "a", a) || !read_array(kernel, "pivots", args[1], &pivots) ||
      !read_array(kernel, "info", args[2], &info) ||
      !need_dtype(kernel, "pivots", pivots, DType::kInt32) ||
      !need_dtype(kernel, "info", info, DType::kInt32) ||
      !need_contiguous(kernel, "pivots", pivots) || !need_contiguous(kernel, "info", info) ||
      !need_writeable(kernel, "pivots", pivots) || !need_writeable(kernel, "info", info) ||
      !read_bool(kernel, "pivot", args[3], &pivot)) {
    return nullptr;
  }
  const int64_t batch = a.shape[0], m = a.shape[1], n = a.shape[2], k = m < n ? m : n;
  if (pivots.size != batch * k || info.size != batch) {
    return fail(PyExc_ValueError, "%s: a is %s, pivots are %s, info is %s; their batches differ",
                kernel, describe(a).c_str(), describe(pivots).c_str(), describe(info).c_str());
  }
  {
    KernelScope scope(kStep * static_cast<double>(a.size) * static_cast<double>(k));
    const FactorKernels& f = kernels().factor;
    int32_t* order = pivots.as<int32_t>();
    if (a.dtype == DType::kFloat64) {
      f.lu_f64(a.as<double>(), order, info.as<int32_t>(), batch, m, n, pivot);
    } else {
      f.lu_f32(a.as<float>(), order, info.as<int32_t>(), batch, m, n, pivot);
    }
  }
  Py_RETURN_NONE;
}

// cholesky(u, info, x, upper): u (b, n, n) and info (b,) int32 are written; u^T u = x, of which the
// lower triangle is read, or the upper one.
PyObject* cholesky(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "cholesky";
  Array u, info, x;
  bool upper;
  if (!check_count(kernel, nargs, 4) || !read_matrices(kernel, "u", args[0], &u) ||
      !need_writeable(kernel, "u", u) || !read_array(kernel, "info", args[1], &info) ||
      !need_dtype(kernel, "info", info, DType::kInt32) || !need_contiguous(kernel, "info", info) ||
      !need_writeable(kernel, "info", info) || !read_matrices(kernel, "x", args[2], &x) ||
      !need_dtype(kernel, "x", x, u.dtype) || !need_same_shape(kernel, "x", x, "u", u) ||
      !read_bool(kernel, "upper", args[3], &upper)) {
    return nullptr;
  }
  const int64_t batch = x.shape[0], n = x.shape[1];
  if (n != x.shape[2] || info.size != batch) {
    return fail(PyExc_ValueError, "%s: x is %s, info is %s; needed: square matrices, a place each",
                kernel, describe(x).c_str(), describe(info).c_str());
  }
  const bool wide = x.dtype == DType::kFloat64;
  const FactorKernels& f = kernels().factor;
  const int64_t bytes = f.cholesky_workspace(n, wide ? sizeof(double) : sizeof(float));
  Workspace work(static_cast<size_t>(bytes));
  if (work.failed()) return PyErr_NoMemory();
  {
    KernelScope scope(kStep / 3 * static_cast<double>(x.size) * static_cast<double>(n));
    int32_t* order = info.as<int32_t>();
    if (wide) {
      f.cholesky_f64(u.as<double>(), order, x.as<double>(), work.data(), bytes, batch, n, upper);
    } else {
      f.cholesky_f32(u.as<float>(), order, x.as<float>(), work.data(), bytes, batch, n, upper);
    }
  }
  Py_RETURN_NONE;
}

PyMethodDef kFunctions[] = {
    MG_FAST(solve_triangular, "solve_triangular(x, a, upper, unit, transposed): in place"),
    MG_FAST(lu_factor, "lu_factor(a, pivots, info, pivot): in place"),
    MG_FAST(cholesky, "cholesky(u, info, x, upper): u^T u = x, of which one triangle is read"),
    MG_TABLE_END,
};

}  // namespace

void bind_factor(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
