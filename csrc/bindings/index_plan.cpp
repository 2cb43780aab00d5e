// The walk of the index kernels over the elements that an array of places names. The elements
// themselves are not touched here.
#include "bindings/index_plan.h"

namespace mg {

bool has_item(PyArrayObject* x) {
  const npy_intp item = PyArray_ITEMSIZE(x);
  return (item == 1 || item == 2 || item == 4 || item == 8) &&
         !PyDataType_REFCHK(PyArray_DESCR(x)) && PyArray_ISALIGNED(x) && PyArray_ISNOTSWAPPED(x);
}

namespace {

// The stride of a dimension in elements; false if it is no whole number of them.
bool read_stride(PyArrayObject* x, int d, int64_t* stride) {
  const npy_intp bytes = PyArray_STRIDE(x, d), item = PyArray_ITEMSIZE(x);
  *stride = bytes / item;
  return bytes % item == 0;
}

bool read_index(PyArrayObject* given, IndexPlan* plan) {
  switch (dtype_of(PyArray_DESCR(given))) {
    case DType::kInt64:
      Py_INCREF(given);
      plan->index = given;
      break;
    case DType::kInt32:
      plan->index = reinterpret_cast<PyArrayObject*>(PyArray_Cast(given, NPY_INT64));
      if (!plan->index) return false;
      break;
    default:
      return false;
  }
  return PyArray_ISALIGNED(plan->index) && PyArray_ISNOTSWAPPED(plan->index);
}

bool add_dim(IndexPlan* plan, npy_intp extent, int64_t table, int64_t index, bool along) {
  if (plan->ndim == NPY_MAXDIMS) return false;
  const int d = plan->ndim++;
  plan->shape[d] = extent;
  plan->table[d] = table;
  plan->at[d] = index;
  plan->along[d] = along;
  return true;
}

}  // namespace

bool plan_places(PyArrayObject* table, int64_t dim, PyArrayObject* index, Form form,
                 IndexPlan* plan) {
  const int n = PyArray_NDIM(table), m = PyArray_NDIM(index);
  if (n == 0 || m == 0 || !has_item(table) || (form == Form::kAlong && n != m)) return false;
  if (dim < -n || dim >= n) return false;
  const int at = static_cast<int>(dim < 0 ? dim + n : dim);
  if (!read_index(index, plan)) return false;
  plan->ndim = 0;
  for (int d = 0; d < n; ++d) {
    int64_t stride, step;
    if (!read_stride(table, d, &stride)) return false;
    const npy_intp extent = PyArray_DIM(table, d);
    if (d == at) {
      plan->places.step = stride;
      plan->places.count = extent;
    }
    if (form == Form::kAlong) {
      const npy_intp covered = PyArray_DIM(plan->index, d);
      if (!read_stride(plan->index, d, &step) || (d != at && covered > extent)) return false;
      if (!add_dim(plan, covered, d == at ? 0 : stride, step, d == at)) return false;
    } else if (d == at) {
      for (int k = 0; k < m; ++k) {
        if (!read_stride(plan->index, k, &step) ||
            !add_dim(plan, PyArray_DIM(plan->index, k), 0, step, true)) {
          return false;
        }
      }
    } else if (!add_dim(plan, extent, stride, 0, false)) {
      return false;
    }
  }
  return true;
}

void dense_other(IndexPlan* plan) {
  int64_t stride = 1;
  for (int d = plan->ndim - 1; d >= 0; --d) {
    plan->other[d] = stride;
    stride *= plan->shape[d];
  }
}

bool other_of(PyArrayObject* values, Form form, IndexPlan* plan) {
  const int n = PyArray_NDIM(values), skip = plan->ndim - n;
  if (skip < 0 || !has_item(values)) return false;
  if (form == Form::kAlong && skip != 0 && n != 0) return false;
  for (int d = 0; d < plan->ndim; ++d) {
    plan->other[d] = 0;
    if (d < skip) continue;
    const npy_intp extent = PyArray_DIM(values, d - skip);
    const bool covers = form == Form::kAlong ? extent >= plan->shape[d] : extent == plan->shape[d];
    if (!covers && (form == Form::kAlong || extent != 1)) return false;
    if (covers && !read_stride(values, d - skip, &plan->other[d])) return false;
  }
  return true;
}

bool merge_places(IndexPlan* plan) {
  Places& p = plan->places;
  p.ndim = 0;
  p.size = 1;
  p.skip = -1;
  for (int d = 0; d < plan->ndim; ++d) {
    const int64_t extent = plan->shape[d];
    p.size *= extent;
    if (extent == 1) continue;
    const int last = p.ndim - 1;
    const bool joins =
        p.ndim > 0 && p.along[last] == plan->along[d] && p.table[last] == plan->table[d] * extent &&
        p.index[last] == plan->at[d] * extent && p.other[last] == plan->other[d] * extent;
    if (!joins && p.ndim == kWalkDims) return false;
    const int to = joins ? last : p.ndim++;
    p.shape[to] = joins ? p.shape[to] * extent : extent;
    p.table[to] = plan->table[d];
    p.index[to] = plan->at[d];
    p.other[to] = plan->other[d];
    p.along[to] = plan->along[d];
  }
  if (p.ndim == 0) {  // one element
    p.ndim = 1;
    p.shape[0] = 1;
    p.table[0] = p.other[0] = 1;
    p.index[0] = 0;
    p.along[0] = false;
  }
  return true;
}

}  // namespace mg
