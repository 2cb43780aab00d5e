// fast_tensor: a tensor from a Python number or a nest of lists and tuples of them, in one pass to
// learn its shape and type and one to write it; None for what minigrad/creation/data.py has to see.
#include <cmath>

#include "bindings/families.h"
#include "bindings/types.h"
#include "bindings/views.h"

namespace mg {
namespace {

bool is_nest(PyObject* object) { return PyList_CheckExact(object) || PyTuple_CheckExact(object); }
PyObject* item_of(PyObject* nest, Py_ssize_t i) {
  return PyList_CheckExact(nest) ? PyList_GET_ITEM(nest, i) : PyTuple_GET_ITEM(nest, i);
}

// What the numbers of a nest are; they are plain, so that nothing of Python's runs in between.
struct Nest {
  int ndim = 0;
  npy_intp shape[kMaxDims];
  bool floats = false, ints = false;
};

// Whether the nest is regular from dimension `dim` on; notes the kinds of its numbers.
bool survey(PyObject* object, int dim, Nest* nest) {
  if (dim < nest->ndim) {
    if (!is_nest(object) || Py_SIZE(object) != nest->shape[dim]) return false;
    for (Py_ssize_t i = 0; i < nest->shape[dim]; ++i) {
      if (!survey(item_of(object, i), dim + 1, nest)) return false;
    }
    return true;
  }
  if (PyFloat_CheckExact(object)) {
    nest->floats = true;
    return true;
  }
  if (PyBool_Check(object)) return true;
  nest->ints = true;
  return PyLong_CheckExact(object);
}

template <class T>
bool write_one(PyObject* number, T* out) {
  if constexpr (std::is_floating_point_v<T>) {
    // An int beyond a double's is an error, which Python reports.
    const double value =
        PyFloat_CheckExact(number) ? PyFloat_AS_DOUBLE(number) : PyLong_AsDouble(number);
    *out = static_cast<T>(value);
    return value != -1 || !PyErr_Occurred();
  } else if constexpr (std::is_same_v<T, bool>) {
    *out =
        PyFloat_CheckExact(number) ? PyFloat_AS_DOUBLE(number) != 0 : PyObject_IsTrue(number) == 1;
    return true;
  } else {
    int64_t value;
    if (PyFloat_CheckExact(number)) {
      const double given = PyFloat_AS_DOUBLE(number);
      if (!(std::abs(given) < 0x1p62)) return false;
      value = static_cast<int64_t>(given);
    } else {
      value = PyLong_AsLongLong(number);
      if (value == -1 && PyErr_Occurred()) return false;
    }
    *out = static_cast<T>(value);
    return static_cast<int64_t>(*out) == value;
  }
}

template <class T>
bool write(PyObject* object, int dim, const Nest& nest, T*& out) {
  if (dim == nest.ndim) return write_one(object, out++);
  for (Py_ssize_t i = 0; i < nest.shape[dim]; ++i) {
    if (!write(item_of(object, i), dim + 1, nest, out)) return false;
  }
  return true;
}

template <class T>
bool write_all(PyObject* data, const Nest& nest, PyArrayObject* x) {
  T* out = static_cast<T*>(PyArray_DATA(x));
  return write(data, 0, nest, out);
}

bool write_as(DType dtype, PyObject* data, const Nest& nest, PyArrayObject* x) {
  switch (dtype) {
    case DType::kBool:
      return write_all<bool>(data, nest, x);
    case DType::kUInt8:
      return write_all<uint8_t>(data, nest, x);
    case DType::kInt8:
      return write_all<int8_t>(data, nest, x);
    case DType::kInt16:
      return write_all<int16_t>(data, nest, x);
    case DType::kInt32:
      return write_all<int32_t>(data, nest, x);
    case DType::kInt64:
      return write_all<int64_t>(data, nest, x);
    case DType::kFloat32:
      return write_all<float>(data, nest, x);
    default:
      return write_all<double>(data, nest, x);
  }
}

// fast_tensor(data, dtype, device, requires_grad)
PyObject* fast_tensor(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_tensor", nargs, 4)) return nullptr;
  if (!g.tensor || args[3] != Py_False || !names_cpu(args[2])) return new_none();
  Nest nest;
  for (PyObject* at = args[0]; is_nest(at); at = item_of(at, 0)) {
    if (nest.ndim == kMaxDims || !Py_SIZE(at)) return new_none();
    nest.shape[nest.ndim++] = Py_SIZE(at);
  }
  DType dtype;
  if (!survey(args[0], 0, &nest) ||
      !dtype_given(args[1],
                   nest.floats ? default_dtype()
                   : nest.ints ? DType::kInt64
                               : DType::kBool,
                   &dtype) ||
      dtype == DType::kFloat16 || dtype == DType::kBFloat16) {
    return new_none();
  }
  PyArrayObject* x = array_of(dtype, nest.ndim, nest.shape);
  if (!x) return nullptr;
  if (!write_as(dtype, args[0], nest, x)) {
    PyErr_Clear();
    Py_DECREF(x);
    return new_none();
  }
  return new_tensor(reinterpret_cast<PyObject*>(x), Py_None);
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_tensor, "fast_tensor(data, dtype, device, requires_grad): a tensor, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_data(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
