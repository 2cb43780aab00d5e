// _C.sparse_product and _C.sparse_sampled: products of a list of elements with dense matrices.
// _C.bag_sums: sums of the rows of a table.
#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"

namespace mg {
namespace {

// Nanoseconds for one element of the dense operand on one thread, roughly.
constexpr double kElement = 0.15;

bool within(const Array& index, int64_t count) {
  const int64_t* p = index.as<int64_t>();
  uint64_t most = 0;  // without a branch: negative numbers are the largest
  for (int64_t i = 0; i < index.size; ++i) {
    const uint64_t at = static_cast<uint64_t>(p[i]);
    most = at > most ? at : most;
  }
  return index.size == 0 || (count > 0 && most < static_cast<uint64_t>(count));
}

// Reads rows and columns: int64, dense, of one length, below n and m.
bool read_elements(const char* kernel, PyObject* const* args, int64_t n, int64_t m,
                   SparseElements* at) {
  Array rows, columns;
  if (!read_array(kernel, "rows", args[0], &rows) ||
      !read_array(kernel, "columns", args[1], &columns) ||
      !need_dtype(kernel, "rows", rows, DType::kInt64) ||
      !need_dtype(kernel, "columns", columns, DType::kInt64) ||
      !need_contiguous(kernel, "rows", rows) || !need_contiguous(kernel, "columns", columns) ||
      !need_same_shape(kernel, "columns", columns, "rows", rows)) {
    return false;
  }
  if (!within(rows, n) || !within(columns, m)) {
    fail(PyExc_IndexError,
         "%s: an index is out of range; needed: rows in [0, %lld), columns in "
         "[0, %lld)",
         kernel, static_cast<long long>(n), static_cast<long long>(m));
    return false;
  }
  *at = {rows.as<int64_t>(), columns.as<int64_t>(), rows.size};
  return true;
}

// A dense matrix of floats or doubles; `like`: of that type.
bool read_matrix(const char* kernel, const char* name, PyObject* argument, Array* x) {
  if (!read_array(kernel, name, argument, x) || !need_contiguous(kernel, name, *x)) return false;
  if (x->ndim != 2 || (x->dtype != DType::kFloat32 && x->dtype != DType::kFloat64)) {
    fail(PyExc_ValueError, "%s: %s is %s; it must be a float32 or float64 matrix", kernel, name,
         describe(*x).c_str());
    return false;
  }
  return true;
}

// sparse_product(rows, columns, values, x, n): (n, width), the sum of values[i] x[columns[i]].
PyObject* sparse_product(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "sparse_product";
  Array values, x;
  int64_t n;
  SparseElements at;
  if (!check_count(kernel, nargs, 5) || !read_matrix(kernel, "x", args[3], &x) ||
      !read_int(kernel, "n", args[4], &n) || !read_elements(kernel, args, n, x.shape[0], &at) ||
      !read_array(kernel, "values", args[2], &values) ||
      !need_dtype(kernel, "values", values, x.dtype) ||
      !need_contiguous(kernel, "values", values)) {
    return nullptr;
  }
  if (values.ndim != 1 || values.size != at.count || n < 0) {
    return fail(PyExc_ValueError, "%s: values are %s for %lld elements and n is %lld", kernel,
                describe(values).c_str(), static_cast<long long>(at.count),
                static_cast<long long>(n));
  }
  const npy_intp shape[2] = {static_cast<npy_intp>(n), x.shape[1]};
  const bool wide = x.dtype == DType::kFloat64;
  PyObject* out = new_array(PyArray_DescrFromType(wide ? NPY_DOUBLE : NPY_FLOAT), 2, shape);
  if (!out) return nullptr;
  PyArrayObject* array = reinterpret_cast<PyArrayObject*>(out);
  void* data = PyArray_DATA(array);
  const size_t bytes = static_cast<size_t>(PyArray_NBYTES(array));
  const int64_t width = x.shape[1];
  {
    KernelScope scope(kElement * static_cast<double>(at.count) * static_cast<double>(width) +
                      0.05 * static_cast<double>(bytes));
    if (bytes) memset(data, 0, bytes);
    const SparseKernels& k = kernels().sparse;
    if (wide) {
      k.add_product_f64(static_cast<double*>(data), at, values.as<double>(), x.as<double>(), width);
    } else {
      k.add_product_f32(static_cast<float*>(data), at, values.as<float>(), x.as<float>(), width);
    }
  }
  return out;
}

// sparse_sampled(rows, columns, a, b): a[rows[i]] . b[columns[i]] for each i.
PyObject* sparse_sampled(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "sparse_sampled";
  Array a, b;
  SparseElements at;
  if (!check_count(kernel, nargs, 4) || !read_matrix(kernel, "a", args[2], &a) ||
      !read_matrix(kernel, "b", args[3], &b) || !need_dtype(kernel, "b", b, a.dtype) ||
      !read_elements(kernel, args, a.shape[0], b.shape[0], &at)) {
    return nullptr;
  }
  if (a.shape[1] != b.shape[1]) {
    return fail(PyExc_ValueError, "%s: a is %s, b is %s; their rows must be of one length", kernel,
                describe(a).c_str(), describe(b).c_str());
  }
  const npy_intp shape[1] = {static_cast<npy_intp>(at.count)};
  const bool wide = a.dtype == DType::kFloat64;
  PyObject* out = new_array(PyArray_DescrFromType(wide ? NPY_DOUBLE : NPY_FLOAT), 1, shape);
  if (!out) return nullptr;
  void* data = PyArray_DATA(reinterpret_cast<PyArrayObject*>(out));
  const int64_t width = a.shape[1];
  {
    KernelScope scope(kElement * static_cast<double>(at.count) * static_cast<double>(width));
    const SparseKernels& k = kernels().sparse;
    if (wide) {
      k.sampled_f64(static_cast<double*>(data), at, a.as<double>(), b.as<double>(), width);
    } else {
      k.sampled_f32(static_cast<float*>(data), at, a.as<float>(), b.as<float>(), width);
    }
  }
  return out;
}

// bag_sums(ids, bounds, values or None, table, mean): (bags, width); None where an id is no row.
PyObject* bag_sums(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "bag_sums";
  Array ids, bounds, values, table;
  bool mean;
  if (!check_count(kernel, nargs, 5) || !read_array(kernel, "ids", args[0], &ids) ||
      !read_array(kernel, "bounds", args[1], &bounds) ||
      !read_optional(kernel, "values", args[2], &values) ||
      !read_matrix(kernel, "table", args[3], &table) ||
      !read_bool(kernel, "mean", args[4], &mean) ||
      !need_dtype(kernel, "ids", ids, DType::kInt64) ||
      !need_dtype(kernel, "bounds", bounds, DType::kInt64) ||
      !need_contiguous(kernel, "ids", ids) || !need_contiguous(kernel, "bounds", bounds) ||
      (values.object && (!need_dtype(kernel, "values", values, table.dtype) ||
                         !need_contiguous(kernel, "values", values)))) {
    return nullptr;
  }
  const int64_t* at = bounds.as<int64_t>();
  bool rising = bounds.ndim == 1 && bounds.size >= 1 && at[0] >= 0 &&
                at[bounds.size - 1] <= ids.size && (!values.object || values.size == ids.size);
  for (int64_t i = 1; rising && i < bounds.size; ++i) rising = at[i - 1] <= at[i];
  if (!rising) {
    return fail(PyExc_ValueError, "%s: bounds %s must rise from 0 to the number of ids %s", kernel,
                describe(bounds).c_str(), describe(ids).c_str());
  }
  if (!within(ids, table.shape[0])) Py_RETURN_NONE;
  const Bags bags = {ids.as<int64_t>(), at, bounds.size - 1};
  const npy_intp shape[2] = {static_cast<npy_intp>(bags.count), table.shape[1]};
  const bool wide = table.dtype == DType::kFloat64;
  PyObject* out = new_array(PyArray_DescrFromType(wide ? NPY_DOUBLE : NPY_FLOAT), 2, shape);
  if (!out) return nullptr;
  void* data = PyArray_DATA(reinterpret_cast<PyArrayObject*>(out));
  {
    KernelScope scope(kElement * static_cast<double>(ids.size) *
                      static_cast<double>(table.shape[1]));
    const SparseKernels& k = kernels().sparse;
    if (wide) {
      k.bag_sums_f64(static_cast<double*>(data), bags,
                     values.object ? values.as<double>() : nullptr, table.as<double>(),
                     table.shape[1], mean);
    } else {
      k.bag_sums_f32(static_cast<float*>(data), bags, values.object ? values.as<float>() : nullptr,
                     table.as<float>(), table.shape[1], mean);
    }
  }
  return out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(sparse_product, "sparse_product(rows, columns, values, x, n): a new matrix (n, width)"),
    MG_FAST(sparse_sampled, "sparse_sampled(rows, columns, a, b): dot products of rows"),
    MG_FAST(bag_sums, "bag_sums(ids, bounds, values, table, mean): (bags, width), or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_sparse(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
