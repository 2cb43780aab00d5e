// Questions to whole tensors, outside the graph: whether two are equal, how many elements of a mask
// are set, where small tensors are not 0. None where the Python code has to do it.
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

constexpr npy_intp kFewElements = 1024;  // NumPy's own loops win from there on

// The places of elements that are not 0, as many as `out` has room for.
template <class T>
npy_intp places(PyArrayObject* x, int64_t* out) {
  const T* values = static_cast<const T*>(PyArray_DATA(x));
  const npy_intp size = PyArray_SIZE(x);
  const int ndim = PyArray_NDIM(x);
  npy_intp count = 0;
  for (npy_intp i = 0; i < size; ++i) {
    if (values[i] == T(0)) continue;
    npy_intp rest = i;
    for (int d = ndim - 1; d >= 0; --d) {
      out[count * ndim + d] = rest % PyArray_DIM(x, d);
      rest /= PyArray_DIM(x, d);
    }
    ++count;
  }
  return count;
}

// fast_nonzero(input): the places (n, ndim) where a small tensor is not 0, or None.
PyObject* fast_nonzero(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_nonzero", nargs, 1)) return nullptr;
  PyArrayObject* x = array_in_order(args[0]);
  constexpr int kFewDims = 4;
  if (!x || PyArray_NDIM(x) == 0 || PyArray_NDIM(x) > kFewDims || PyArray_SIZE(x) > kFewElements) {
    return new_none();
  }
  int64_t found[kFewElements * kFewDims];
  npy_intp count;
  switch (dtype_of(PyArray_DESCR(x))) {
    case DType::kFloat32:
      count = places<float>(x, found);
      break;
    case DType::kFloat64:
      count = places<double>(x, found);
      break;
    case DType::kInt64:
      count = places<int64_t>(x, found);
      break;
    case DType::kBool:
      count = places<uint8_t>(x, found);
      break;
    default:
      return new_none();
  }
  const npy_intp shape[2] = {count, PyArray_NDIM(x)};
  PyObject* result = new_array(PyArray_DescrFromType(NPY_INT64), 2, shape);
  if (!result) return nullptr;
  PyArrayObject* out = reinterpret_cast<PyArrayObject*>(result);
  memcpy(PyArray_DATA(out), found, static_cast<size_t>(PyArray_NBYTES(out)));
  return new_tensor(result, Py_None);
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
