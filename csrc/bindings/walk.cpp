// Plans walks over NumPy arrays.
#include "bindings/walk.h"

namespace mg {
namespace {

// In the open: NumPy's function costs more than the comparison.
bool same_shape(const PyArrayObject* a, const PyArrayObject* b) {
  const int n = PyArray_NDIM(a);
  if (n != PyArray_NDIM(b)) return false;
  const npy_intp* x = PyArray_DIMS(const_cast<PyArrayObject*>(a));
  const npy_intp* y = PyArray_DIMS(const_cast<PyArrayObject*>(b));
  for (int d = 0; d < n; ++d) {
    if (x[d] != y[d]) return false;
  }
  return true;
}

// Every array dense in C order and of one shape, or without dimensions: the walk is one dimension.
bool plan_flat(PyArrayObject* const* arrays, int count, Layout* layout) {
  PyArrayObject* like = nullptr;
  for (int k = 0; k < count; ++k) {
    if (!arrays[k]) continue;
    if (!PyArray_ISCARRAY_RO(arrays[k])) return false;
    if (!like || PyArray_NDIM(arrays[k]) > PyArray_NDIM(like)) like = arrays[k];
  }
  Walk& w = layout->walk;
  for (int k = 0; k < count; ++k) {
    w.number[k] = !arrays[k];
    const bool single = !arrays[k] || (arrays[k] != like && PyArray_NDIM(arrays[k]) == 0);
    if (!single && arrays[k] != like && !same_shape(arrays[k], like)) return false;
    w.stride[k][0] = single ? 0 : 1;
  }
  w.ndim = 1;
  w.operands = count;
  layout->ndim = PyArray_NDIM(like);
  layout->in_order = true;
  w.size = 1;
  for (int d = 0; d < layout->ndim; ++d) w.size *= layout->shape[d] = PyArray_DIM(like, d);
  w.shape[0] = w.size;
  return true;
}

bool broadcast(PyArrayObject* const* arrays, int count, Layout* layout) {
  layout->ndim = 0;
  for (int k = 0; k < count; ++k) {
    if (arrays[k] && PyArray_NDIM(arrays[k]) > layout->ndim) layout->ndim = PyArray_NDIM(arrays[k]);
  }
  for (int d = 0; d < layout->ndim; ++d) layout->shape[d] = 1;
  for (int k = 0; k < count; ++k) {
    if (!arrays[k]) continue;
    const int skip = layout->ndim - PyArray_NDIM(arrays[k]);
    for (int d = skip; d < layout->ndim; ++d) {
      const npy_intp n = PyArray_DIM(arrays[k], d - skip);
      if (layout->shape[d] == 1) {
        layout->shape[d] = n;
      } else if (n != 1 && n != layout->shape[d]) {
        return false;
      }
    }
  }
  return true;
}

// Whether dimension a must lie outside (1) or inside (-1) dimension b, by the first operand whose
// strides tell; 0 if none does.
int compare_dims(const Layout& layout, const int64_t (*stride)[NPY_MAXDIMS], int count, int a,
                 int b) {
  for (int k = 0; k < count; ++k) {
    const int64_t x = stride[k][a], y = stride[k][b];
    if (x == 0 || y == 0) continue;
    if (x != y) return x > y ? 1 : -1;
    if (layout.shape[a] != layout.shape[b]) return layout.shape[a] > layout.shape[b] ? 1 : -1;
  }
  return 0;
}

// Sorts the dimensions so that the innermost has the smallest strides; C order where they do not
// say.
void find_order(const int64_t (*stride)[NPY_MAXDIMS], int count, Layout* layout) {
  const int n = layout->ndim;
  int* order = layout->order;
  for (int d = 0; d < n; ++d) order[d] = d;
  for (int i = n - 2; i >= 0; --i) {  // insertion from the inside outwards
    for (int at = i; at + 1 < n; ++at) {
      const int verdict = compare_dims(*layout, stride, count, order[at], order[at + 1]);
      if (verdict > 0) break;
      if (verdict < 0) {
        const int swapped = order[at];
        order[at] = order[at + 1];
        order[at + 1] = swapped;
      }
    }
  }
  layout->in_order = true;
  for (int d = 0; d < n; ++d) layout->in_order &= order[d] == d;
}

bool merge(const int64_t (*stride)[NPY_MAXDIMS], int count, Layout* layout) {
  Walk& w = layout->walk;
  w.operands = count;
  w.size = 1;
  w.ndim = 0;
  for (int i = 0; i < layout->ndim; ++i) {
    const int d = layout->order[i];
    const int64_t extent = layout->shape[d];
    w.size *= extent;
    if (extent == 1) continue;
    const int last = w.ndim - 1;
    bool joins = w.ndim > 0;
    for (int k = 0; joins && k < count; ++k) {
      joins = w.stride[k][last] == stride[k][d] * extent;
    }
    if (!joins && w.ndim == kWalkDims) return false;
    if (!joins) w.shape[w.ndim++] = 1;
    w.shape[w.ndim - 1] *= extent;
    for (int k = 0; k < count; ++k) w.stride[k][w.ndim - 1] = stride[k][d];
  }
  if (w.ndim == 0) {
    w.ndim = 1;
    w.shape[0] = 1;
    for (int k = 0; k < count; ++k) w.stride[k][0] = 0;
  }
  return true;
}

}  // namespace

namespace {

bool plan_strided(PyArrayObject* const* arrays, int count, bool c_order, Layout* layout) {
  if (!broadcast(arrays, count, layout)) return false;
  int64_t stride[kWalkOperands][NPY_MAXDIMS];
  for (int k = 0; k < count; ++k) {
    layout->walk.number[k] = !arrays[k];
    const int skip = arrays[k] ? layout->ndim - PyArray_NDIM(arrays[k]) : layout->ndim;
    for (int d = 0; d < skip; ++d) stride[k][d] = 0;
    if (!arrays[k]) continue;
    if (!PyArray_ISALIGNED(arrays[k]) || !PyArray_ISNOTSWAPPED(arrays[k])) return false;
    const npy_intp item = PyArray_ITEMSIZE(arrays[k]);
    for (int d = skip; d < layout->ndim; ++d) {
      const npy_intp step = PyArray_STRIDE(arrays[k], d - skip);
      if (step % item) return false;
      stride[k][d] = PyArray_DIM(arrays[k], d - skip) == 1 ? 0 : step / item;
    }
  }
  find_order(stride, c_order ? 0 : count, layout);
  return merge(stride, count, layout);
}

}  // namespace

bool plan_walk(PyArrayObject* const* arrays, int count, Layout* layout) {
  return plan_flat(arrays, count, layout) || plan_strided(arrays, count, false, layout);
}

bool plan_copy(PyArrayObject* array, Layout* layout) {
  return plan_flat(&array, 1, layout) || plan_strided(&array, 1, true, layout);
}

bool float_type(PyArrayObject* array, FloatType* type) {
  switch (dtype_of(PyArray_DESCR(array))) {
    case DType::kFloat32:
      *type = FloatType::kFloat32;
      return true;
    case DType::kFloat64:
      *type = FloatType::kFloat64;
      return true;
    case DType::kFloat16:
      *type = FloatType::kFloat16;
      return true;
    case DType::kBFloat16:
      *type = FloatType::kBFloat16;
      return true;
    default:
      return false;
  }
}

PyObject* new_result(PyArray_Descr* descr, const Layout& layout) {
  if (layout.in_order) return new_array(descr, layout.ndim, layout.shape);
  npy_intp shape[NPY_MAXDIMS], back[NPY_MAXDIMS];
  for (int i = 0; i < layout.ndim; ++i) {
    shape[i] = layout.shape[layout.order[i]];
    back[layout.order[i]] = i;
  }
  PyObject* dense = new_array(descr, layout.ndim, shape);
  if (!dense) return nullptr;
  PyArray_Dims axes = {back, layout.ndim};
  PyObject* turned = PyArray_Transpose(reinterpret_cast<PyArrayObject*>(dense), &axes);
  Py_DECREF(dense);
  return turned;
}

}  // namespace mg
