// Small tensors of one value, of evenly spaced numbers and of indices, made in one call. The
// functions named fast_ return None for what minigrad/creation has to look at: errors, sizes and
// numbers that are no plain ints and floats, large tensors, tensors that require grad.
#include <algorithm>
#include <cmath>

#include "bindings/families.h"
#include "bindings/types.h"
#include "bindings/views.h"

namespace mg {

bool small_shape(PyObject* size, int* ndim, npy_intp* shape) {
  PyObject* given = size;
  if (PyTuple_GET_SIZE(size) == 1) {
    PyObject* first = PyTuple_GET_ITEM(size, 0);
    if (PyTuple_Check(first) || PyList_CheckExact(first)) given = first;
  } else if (PyTuple_GET_SIZE(size) == 0) {
    return false;
  }
  const bool tuple = PyTuple_Check(given);
  const Py_ssize_t count = Py_SIZE(given);
  if (count > kMaxDims) return false;
  npy_intp elements = 1;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = tuple ? PyTuple_GET_ITEM(given, i) : PyList_GET_ITEM(given, i);
    Py_ssize_t extent;
    if (!plain_int(item, &extent) || extent < 0 || extent > kSmallTensor) return false;
    if (extent) elements *= extent;
    if (elements > kSmallTensor) return false;
    shape[i] = extent;
  }
  *ndim = static_cast<int>(count);
  return true;
}

PyArrayObject* array_of(DType dtype, int ndim, const npy_intp* shape) {
  PyArray_Descr* descr = g_types.descr[static_cast<int>(dtype)];
  Py_INCREF(descr);
  return reinterpret_cast<PyArrayObject*>(new_array(descr, ndim, shape));
}

bool plain_number(PyObject* number, double* value) {
  if (PyFloat_CheckExact(number)) {
    *value = PyFloat_AS_DOUBLE(number);
    return true;
  }
  Py_ssize_t whole;
  if (!plain_int(number, &whole) || std::abs(whole) > int64_t{1} << 53) return false;
  *value = static_cast<double>(whole);
  return true;
}

bool element_of(DType type, PyObject* number, uint64_t* element) {
  double value;
  *element = 0;
  if (PyBool_Check(number)) {
    value = number == Py_True;
  } else if (!plain_number(number, &value)) {
    return false;
  }
  const auto whole = [&](double least, double most) {
    if (!(value >= least && value <= most)) return false;
    const int64_t bits = static_cast<int64_t>(value);
    memcpy(element, &bits, sizeof bits);
    return true;
  };
  const auto half_of = [&](uint16_t one) {
    if ((value != 0 && value != 1) || std::signbit(value)) return false;
    *element = value == 1 ? one : 0;
    return true;
  };
  const float single = static_cast<float>(value);
  switch (type) {
    case DType::kBool:
      *element = value != 0;
      return true;
    case DType::kUInt8:
      return whole(0, 255);
    case DType::kInt8:
      return whole(-128, 127);
    case DType::kInt16:
      return whole(-32768, 32767);
    case DType::kInt32:
      return whole(-2147483648.0, 2147483647.0);
    case DType::kInt64:
      return whole(-0x1p53, 0x1p53);
    case DType::kFloat16:
      return half_of(0x3c00);
    case DType::kBFloat16:
      return half_of(0x3f80);
    case DType::kFloat32:
      if (std::isinf(single) && !std::isinf(value)) return false;
      memcpy(element, &single, sizeof single);
      return true;
    case DType::kFloat64:
      memcpy(element, &value, sizeof value);
      return true;
    default:
      return false;
  }
}

namespace {

template <class T>
void fill_with(PyArrayObject* x, uint64_t element) {
  std::fill_n(static_cast<T*>(PyArray_DATA(x)), PyArray_SIZE(x), static_cast<T>(element));
}

// A tensor filled with the bytes of an element; takes the reference, nullptr is passed on.
PyObject* filled(PyArrayObject* x, uint64_t element) {
  if (!x) return nullptr;
  switch (PyArray_ITEMSIZE(x)) {
    case 1:
      fill_with<uint8_t>(x, element);
      break;
    case 2:
      fill_with<uint16_t>(x, element);
      break;
    case 4:
      fill_with<uint32_t>(x, element);
      break;
    default:
      fill_with<uint64_t>(x, element);
  }
  return new_tensor(reinterpret_cast<PyObject*>(x), Py_None);
}

PyObject* tensor_over(PyArrayObject* x) {
  return x ? new_tensor(reinterpret_cast<PyObject*>(x), Py_None) : nullptr;
}

// The arguments (dtype, device, requires_grad) at the end of these functions.
bool plain_form(PyObject* const* args, DType otherwise, DType* dtype) {
  return g.tensor && args[2] == Py_False && names_cpu(args[1]) &&
         dtype_given(args[0], otherwise, dtype);
}

// The type that a number has where none is given.
DType type_of_number(PyObject* number) {
  if (PyBool_Check(number)) return DType::kBool;
  return PyLong_CheckExact(number) ? DType::kInt64 : default_dtype();
}

// fast_full(size, value, dtype, device, requires_grad): value None leaves the elements as they are.
PyObject* fast_full(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_full", nargs, 5)) return nullptr;
  int ndim;
  npy_intp shape[kMaxDims];
  DType dtype;
  uint64_t element = 0;
  if (!PyTuple_CheckExact(args[0]) || !small_shape(args[0], &ndim, shape) ||
      !plain_form(args + 2, type_of_number(args[1]), &dtype)) {
    return new_none();
  }
  if (args[1] == Py_None) return tensor_over(array_of(dtype, ndim, shape));
  if (!element_of(dtype, args[1], &element)) return new_none();
  return filled(array_of(dtype, ndim, shape), element);
}

// fast_full_like(input, value, dtype, device, requires_grad)
PyObject* fast_full_like(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_full_like", nargs, 5)) return nullptr;
  PyArrayObject* x = plain_array(args[0]);
  DType dtype;
  uint64_t element = 0;
  if (!x || PyArray_SIZE(x) > kSmallTensor || !PyArray_IS_C_CONTIGUOUS(x) ||
      !plain_form(args + 2, dtype_of(PyArray_DESCR(x)), &dtype)) {
    return new_none();
  }
  if (args[1] == Py_None) return tensor_over(array_of(dtype, PyArray_NDIM(x), PyArray_DIMS(x)));
  if (!element_of(dtype, args[1], &element)) return new_none();
  return filled(array_of(dtype, PyArray_NDIM(x), PyArray_DIMS(x)), element);
}

// fast_eye(n, m, dtype, device, requires_grad)
PyObject* fast_eye(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_eye", nargs, 5)) return nullptr;
  Py_ssize_t n, m;
  DType dtype;
  uint64_t one;
  if (!plain_int(args[0], &n) || !plain_int(args[1] == Py_None ? args[0] : args[1], &m) || n < 0 ||
      m < 0 || n > kSmallTensor || m > kSmallTensor || n * m > kSmallTensor ||
      !plain_form(args + 2, default_dtype(), &dtype) || !element_of(dtype, Py_True, &one)) {
    return new_none();
  }
  const npy_intp shape[] = {n, m};
  PyArrayObject* x = array_of(dtype, 2, shape);
  if (!x) return nullptr;
  const npy_intp item = PyArray_ITEMSIZE(x);
  memset(PyArray_DATA(x), 0, static_cast<size_t>(n * m * item));
  // The bytes at the low end come first: as everywhere here, on a little-endian machine.
  for (npy_intp i = 0; i < std::min(n, m); ++i) {
    memcpy(PyArray_BYTES(x) + i * (m + 1) * item, &one, static_cast<size_t>(item));
  }
  return tensor_over(x);
}

constexpr npy_intp kLongLine = 1 << 24;  // milliseconds at most, on one thread

// Writes value(i) for each element.
template <class T, class Value>
void each(PyArrayObject* x, Value value) {
  T* out = static_cast<T*>(PyArray_DATA(x));
  for (npy_intp i = 0, n = PyArray_SIZE(x); i < n; ++i) out[i] = static_cast<T>(value(i));
}

template <class Value>
PyObject* line_of(DType dtype, npy_intp n, Value value) {
  PyArrayObject* x = array_of(dtype, 1, &n);
  if (!x) return nullptr;
  switch (dtype) {
    case DType::kInt32:
      each<int32_t>(x, value);
      break;
    case DType::kInt64:
      each<int64_t>(x, value);
      break;
    case DType::kFloat32:
      each<float>(x, value);
      break;
    default:
      each<double>(x, value);
  }
  return tensor_over(x);
}

// fast_arange(args, dtype, device, requires_grad): args are (end), (start, end) or (.., step).
PyObject* fast_arange(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_arange", nargs, 4)) return nullptr;
  const Py_ssize_t count = PyTuple_CheckExact(args[0]) ? PyTuple_GET_SIZE(args[0]) : 0;
  if (count < 1 || count > 3) return new_none();
  double values[3] = {0, 0, 1};  // start, end, step
  bool floats = false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PyTuple_GET_ITEM(args[0], i);
    double* value = &values[count == 1 ? 1 : i];
    if (!plain_number(item, value) || !(std::abs(*value) < 0x1p40)) return new_none();
    floats |= PyFloat_CheckExact(item);
  }
  const auto [start, end, step] = values;
  DType dtype;
  if (!plain_form(args + 1, floats ? default_dtype() : DType::kInt64, &dtype) || step == 0 ||
      (end != start && (end - start > 0) != (step > 0))) {
    return new_none();
  }
  const bool whole = dtype == DType::kInt32 || dtype == DType::kInt64;
  if (whole ? floats : dtype != DType::kFloat32 && dtype != DType::kFloat64) return new_none();
  const double n = std::ceil((end - start) / step);
  if (!(n <= static_cast<double>(kLongLine))) return new_none();
  const npy_intp length = static_cast<npy_intp>(n);
  if (whole) {
    const int64_t first = static_cast<int64_t>(start), by = static_cast<int64_t>(step);
    return line_of(dtype, length, [=](npy_intp i) { return first + i * by; });
  }
  return line_of(dtype, length, [=, first = start, by = step](npy_intp i) {
    return static_cast<double>(static_cast<int>(i)) * by + first;  // two at a time
  });
}

// Evenly spaced points, each half counted from its own end. The step is in the result's precision,
// products and sums are in a wider one, so that there is one rounding.
template <class T, class Wide>
PyObject* points(DType dtype, double start, double end, npy_intp n) {
  const T lo = static_cast<T>(start), hi = static_cast<T>(end);
  const T stride = (hi - lo) / static_cast<T>(n - 1);
  if (!std::isfinite(lo) || !std::isfinite(hi) || !std::isfinite(stride)) return new_none();
  const Wide first = lo, last = hi, by = stride;
  PyArrayObject* x = array_of(dtype, 1, &n);
  if (!x) return nullptr;
  T* out = static_cast<T*>(PyArray_DATA(x));
  const int middle = static_cast<int>(n / 2), count = static_cast<int>(n);
  for (int i = 0; i < middle; ++i) out[i] = static_cast<T>(first + by * static_cast<Wide>(i));
  for (int i = middle; i < count; ++i) {
    out[i] = static_cast<T>(last - by * static_cast<Wide>(count - 1 - i));
  }
  return tensor_over(x);
}

// fast_linspace(start, end, steps, dtype, device, requires_grad)
PyObject* fast_linspace(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_linspace", nargs, 6)) return nullptr;
  double start, end;
  Py_ssize_t n;
  DType dtype;
  if (!plain_number(args[0], &start) || !plain_number(args[1], &end) || !plain_int(args[2], &n) ||
      n < 2 || n > kLongLine || !plain_form(args + 3, default_dtype(), &dtype)) {
    return new_none();
  }
  if (dtype == DType::kFloat32) return points<float, double>(dtype, start, end, n);
  if (dtype == DType::kFloat64) return points<double, long double>(dtype, start, end, n);
  return new_none();
}

// fast_triangle(upper, rows, cols, offset, dtype, device): rows and columns of its entries.
PyObject* fast_triangle(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_triangle", nargs, 6)) return nullptr;
  const bool upper = args[0] == Py_True;
  Py_ssize_t rows, cols, offset;
  DType dtype;
  if (!g.tensor || !plain_int(args[1], &rows) || !plain_int(args[2], &cols) ||
      !plain_int(args[3], &offset) || rows < 0 || cols < 0 || rows > kSmallTensor ||
      cols > kSmallTensor || std::abs(offset) > 2 * kSmallTensor || rows * cols > kSmallTensor ||
      !names_cpu(args[5]) || !dtype_given(args[4], DType::kInt64, &dtype) ||
      (dtype != DType::kInt64 && dtype != DType::kInt32)) {
    return new_none();
  }
  // Row r has the columns from begin(r) to end(r).
  const auto begin = [=](npy_intp r) {
    return upper ? std::clamp<npy_intp>(r + offset, 0, cols) : 0;
  };
  const auto end = [=](npy_intp r) {
    return upper ? cols : std::clamp<npy_intp>(r + offset + 1, 0, cols);
  };
  npy_intp shape[] = {2, 0};
  for (npy_intp r = 0; r < rows; ++r) shape[1] += end(r) - begin(r);
  PyArrayObject* x = array_of(dtype, 2, shape);
  if (!x) return nullptr;
  const auto write = [&](auto* out) {
    auto* column = out + shape[1];
    for (npy_intp r = 0; r < rows; ++r) {
      for (npy_intp c = begin(r); c < end(r); ++c) {
        *out++ = static_cast<std::decay_t<decltype(*out)>>(r);
        *column++ = static_cast<std::decay_t<decltype(*out)>>(c);
      }
    }
  };
  if (dtype == DType::kInt64) {
    write(static_cast<int64_t*>(PyArray_DATA(x)));
  } else {
    write(static_cast<int32_t*>(PyArray_DATA(x)));
  }
  return tensor_over(x);
}

// fast_from_numpy(array): a tensor over an array that may be written to.
PyObject* fast_from_numpy(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_from_numpy", nargs, 1)) return nullptr;
  if (!g.tensor || !PyArray_CheckExact(args[0])) return new_none();
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(args[0]);
  if (!PyArray_ISWRITEABLE(x) || !PyArray_ISNOTSWAPPED(x) ||
      dtype_of(PyArray_DESCR(x)) == DType::kOther) {
    return new_none();
  }
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    if (PyArray_STRIDE(x, i) < 0 || PyArray_STRIDE(x, i) % PyArray_ITEMSIZE(x)) return new_none();
  }
  return new_tensor(Py_NewRef(args[0]), Py_None);
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_full, "fast_full(size, value, dtype, device, requires_grad): a tensor, or None"),
    MG_FAST(fast_full_like,
            "fast_full_like(input, value, dtype, device, requires_grad): a tensor, or None"),
    MG_FAST(fast_eye, "fast_eye(n, m, dtype, device, requires_grad): a tensor, or None"),
    MG_FAST(fast_arange, "fast_arange(args, dtype, device, requires_grad): a tensor, or None"),
    MG_FAST(fast_linspace,
            "fast_linspace(start, end, steps, dtype, device, requires_grad): a tensor, or None"),
    MG_FAST(fast_triangle,
            "fast_triangle(upper, rows, cols, offset, dtype, device): a tensor, or None"),
    MG_FAST(fast_from_numpy, "fast_from_numpy(array): a tensor over the array, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_creation(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
