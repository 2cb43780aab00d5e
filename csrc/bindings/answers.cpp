// Questions to whole tensors, outside the graph: whether two are equal, how many elements of a mask
// are set, where they are not 0. None where the Python code has to do it.
#include "bindings/families.h"
#include "bindings/graph.h"

namespace mg {
namespace {

// The array of a tensor in C order; nullptr for everything else.
PyArrayObject* array_in_order(PyObject* given) {
  if (!g.tensor || !is_variable(given)) return nullptr;
  PyObject* array = slot(given, g.array);
  if (!PyArray_CheckExact(array)) return nullptr;
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(array);
  return PyArray_ISCARRAY_RO(x) ? x : nullptr;
}

// A NaN is not equal to itself, and 0 is to -0: floats are compared as numbers.
template <class T>
bool same_floats(const void* a, const void* b, npy_intp n) {
  constexpr npy_intp kBlock = 256;
  const T *x = static_cast<const T*>(a), *y = static_cast<const T*>(b);
  for (npy_intp begin = 0; begin < n; begin += kBlock) {
    const npy_intp end = begin + kBlock < n ? begin + kBlock : n;
    int different = 0;
    for (npy_intp i = begin; i < end; ++i) different |= x[i] != y[i];
    if (different) return false;
  }
  return true;
}

// fast_equal(input, other): whether two tensors of one type hold the same values, or None.
PyObject* fast_equal(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_equal", nargs, 2)) return nullptr;
  PyArrayObject *x = array_in_order(args[0]), *y = array_in_order(args[1]);
  if (!x || !y || !PyArray_SAMESHAPE(x, y)) return new_none();
  const DType type = dtype_of(PyArray_DESCR(x));
  if (type != dtype_of(PyArray_DESCR(y))) return new_none();
  bool floats = false;
  switch (type) {
    case DType::kFloat32:
    case DType::kFloat64:
      floats = true;
      break;
    case DType::kBool:
    case DType::kUInt8:
    case DType::kInt32:
    case DType::kInt64:
      break;
    default:
      return new_none();
  }
  Keep keep(true, {reinterpret_cast<PyObject*>(x), reinterpret_cast<PyObject*>(y)});
  bool same;
  {
    const void *a = PyArray_DATA(x), *b = PyArray_DATA(y);
    const npy_intp n = PyArray_SIZE(x), bytes = PyArray_NBYTES(x);
    KernelScope scope(0.1 * static_cast<double>(bytes));
    same = !floats                   ? memcmp(a, b, static_cast<size_t>(bytes)) == 0
           : type == DType::kFloat32 ? same_floats<float>(a, b, n)
                                     : same_floats<double>(a, b, n);
  }
  return PyBool_FromLong(same);
}

// fast_count(mask): how many elements of a tensor of bools are set, as a tensor, or None.
PyObject* fast_count(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_count", nargs, 1)) return nullptr;
  if (!g.tensor || !is_variable(args[0])) return new_none();
  PyObject* array = slot(args[0], g.array);
  if (!PyArray_CheckExact(array)) return new_none();
  PyArrayObject* mask = reinterpret_cast<PyArrayObject*>(array);
  if (PyArray_TYPE(mask) != NPY_BOOL) return new_none();
  Keep keep(true, {array});
  const npy_intp count = PyArray_CountNonzero(mask);
  if (count < 0) return nullptr;
  PyObject* result = new_array(PyArray_DescrFromType(NPY_INT64), 0, nullptr);
  if (!result) return nullptr;
  *static_cast<int64_t*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(result))) = count;
  return new_tensor(result, Py_None);
}

template <class T>
npy_intp count_others(PyArrayObject* x) {
  const T* values = static_cast<const T*>(PyArray_DATA(x));
  npy_intp count = 0;
  for (npy_intp i = 0, n = PyArray_SIZE(x); i < n; ++i) count += values[i] != T(0);
  return count;
}

// The places of the `count` elements that are not 0. Each is written before it is known whether it
// stays: a branch would go wrong half the time.
template <class T, int kDims>
void places(PyArrayObject* x, int64_t* out, npy_intp count) {
  const T* values = static_cast<const T*>(PyArray_DATA(x));
  const npy_intp columns = PyArray_DIM(x, kDims - 1);
  int64_t at[kDims] = {};
  const int64_t* end = out + count * kDims;
  while (out < end) {
    for (npy_intp j = 0; j < columns && out < end; ++j) {
      for (int d = 0; d < kDims - 1; ++d) out[d] = at[d];
      out[kDims - 1] = j;
      out += values[j] != T(0) ? kDims : 0;
    }
    values += columns;
    for (int d = kDims - 2; d >= 0 && ++at[d] == PyArray_DIM(x, d); --d) at[d] = 0;
  }
}

template <class T>
PyObject* places_of(PyArrayObject* x) {
  const double work = static_cast<double>(PyArray_SIZE(x));
  Keep keep(true, {reinterpret_cast<PyObject*>(x)});
  npy_intp shape[2] = {0, PyArray_NDIM(x)};
  {
    KernelScope scope(0.2 * work);
    shape[0] = count_others<T>(x);
  }
  PyObject* result = new_array(PyArray_DescrFromType(NPY_INT64), 2, shape);
  if (!result) return nullptr;
  int64_t* out = static_cast<int64_t*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(result)));
  using Write = void (*)(PyArrayObject*, int64_t*, npy_intp);
  static constexpr Write kWrite[] = {places<T, 1>, places<T, 2>, places<T, 3>, places<T, 4>};
  {
    KernelScope scope(work);
    kWrite[shape[1] - 1](x, out, shape[0]);
  }
  return new_tensor(result, Py_None);
}

// fast_nonzero(input): the places (n, ndim) where a tensor is not 0, or None.
PyObject* fast_nonzero(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_nonzero", nargs, 1)) return nullptr;
  PyArrayObject* x = array_in_order(args[0]);
  if (!x || PyArray_NDIM(x) == 0 || PyArray_NDIM(x) > 4) return new_none();
  switch (dtype_of(PyArray_DESCR(x))) {
    case DType::kFloat32:
      return places_of<float>(x);
    case DType::kFloat64:
      return places_of<double>(x);
    case DType::kInt64:
      return places_of<int64_t>(x);
    case DType::kBool:
      return places_of<uint8_t>(x);
    default:
      return new_none();
  }
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_equal, "fast_equal(input, other): whether all elements are equal, or None"),
    MG_FAST(fast_count, "fast_count(mask): how many elements are True, or None"),
    MG_FAST(fast_nonzero, "fast_nonzero(input): the places of elements other than 0, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_answers(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
