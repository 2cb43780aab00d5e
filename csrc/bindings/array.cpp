// Reading and checking ndarray arguments, and the messages of what is wrong with them.
#include "bindings/array.h"

#include <cstdarg>
#include <cstdio>

namespace mg {
namespace {

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return "bool";
    case DType::kUInt8:
      return "uint8";
    case DType::kInt8:
      return "int8";
    case DType::kInt16:
      return "int16";
    case DType::kInt32:
      return "int32";
    case DType::kInt64:
      return "int64";
    case DType::kFloat16:
      return "float16";
    case DType::kBFloat16:
      return "bfloat16";
    case DType::kFloat32:
      return "float32";
    case DType::kFloat64:
      return "float64";
    case DType::kOther:
      break;
  }
  return "another dtype";
}

int g_bfloat16;  // the number NumPy gave ml_dtypes.bfloat16 when it was registered

// NumPy's name of a dtype that no kernel takes.
std::string foreign_name(const Array& array) {
  std::string name = name_of(DType::kOther);
  PyObject* text = PyObject_Str(reinterpret_cast<PyObject*>(PyArray_DESCR(array.object)));
  const char* characters = text ? PyUnicode_AsUTF8(text) : nullptr;
  if (characters) name = characters;
  Py_XDECREF(text);
  PyErr_Clear();
  return name;
}

std::string describe_shape(const Array& array) {
  std::string text = "(";
  for (int i = 0; i < array.ndim; ++i) {
    text += (i ? ", " : "") + std::to_string(array.shape[i]);
  }
  return text + (array.ndim == 1 ? ",)" : ")");
}

}  // namespace

bool init_dtypes() {
  PyObject* types = PyImport_ImportModule("ml_dtypes");
  PyObject* type = types ? PyObject_GetAttrString(types, "bfloat16") : nullptr;
  PyArray_Descr* descr = type ? PyArray_DescrFromTypeObject(type) : nullptr;
  if (descr) g_bfloat16 = descr->type_num;
  Py_XDECREF(descr);
  Py_XDECREF(type);
  Py_XDECREF(types);
  return descr != nullptr;
}

DType dtype_of(PyArray_Descr* descr) {
  switch (descr->type_num) {
    case NPY_BOOL:
      return DType::kBool;
    case NPY_UBYTE:
      return DType::kUInt8;
    case NPY_BYTE:
      return DType::kInt8;
    case NPY_SHORT:
      return DType::kInt16;
    case NPY_INT:
      return DType::kInt32;
    case NPY_LONG:
    case NPY_LONGLONG:
      return PyDataType_ELSIZE(descr) == 8 ? DType::kInt64 : DType::kInt32;
    case NPY_HALF:
      return DType::kFloat16;
    case NPY_FLOAT:
      return DType::kFloat32;
    case NPY_DOUBLE:
      return DType::kFloat64;
    default:
      return descr->type_num == g_bfloat16 ? DType::kBFloat16 : DType::kOther;
  }
}

std::string describe(const Array& array) {
  std::string text = array.dtype == DType::kOther ? foreign_name(array) : name_of(array.dtype);
  text += " " + describe_shape(array);
  if (!array.contiguous) text += " not contiguous";
  if (!array.writeable) text += " read-only";
  return text;
}

PyObject* fail(PyObject* error, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  // A name that was cut within a character is no reason for another error.
  PyObject* message = PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(strlen(text)), "replace");
  if (message) PyErr_SetObject(error, message);
  Py_XDECREF(message);
  return nullptr;
}

bool check_count(const char* kernel, Py_ssize_t given, Py_ssize_t needed) {
  if (MG_LIKELY(given == needed)) return true;
  fail(PyExc_TypeError, "%s: %zd arguments were given; it needs %zd", kernel, given, needed);
  return false;
}

bool is_dense(const PyArrayObject* array) {
  if (PyArray_IS_C_CONTIGUOUS(array) || PyArray_IS_F_CONTIGUOUS(array)) return true;
  const int ndim = PyArray_NDIM(array);
  const npy_intp* shape = PyArray_DIMS(const_cast<PyArrayObject*>(array));
  const npy_intp* strides = PyArray_STRIDES(const_cast<PyArrayObject*>(array));
  npy_intp expected = PyArray_ITEMSIZE(array);
  for (int left = ndim; left > 0; --left) {  // the next dimension outwards, until none is left
    bool any = false, found = false;
    for (int d = 0; d < ndim && !found; ++d) {
      if (shape[d] == 1 || strides[d] < expected) continue;
      any = true;
      found = strides[d] == expected;
      if (found) expected *= shape[d];
    }
    if (!found) return !any && expected == PyArray_ITEMSIZE(array) * PyArray_SIZE(array);
  }
  return expected == PyArray_ITEMSIZE(array) * PyArray_SIZE(array);
}

bool read_array(const char* kernel, const char* name, PyObject* argument, Array* array) {
  if (MG_UNLIKELY(!PyArray_Check(argument))) {
    fail(PyExc_TypeError, "%s: %s is a %s; it must be a numpy.ndarray", kernel, name,
         Py_TYPE(argument)->tp_name);
    return false;
  }
  PyArrayObject* object = reinterpret_cast<PyArrayObject*>(argument);
  const int flags = PyArray_FLAGS(object);
  const bool native = PyArray_DESCR(object)->byteorder != NPY_OPPBYTE;
  array->object = object;
  array->data = PyArray_DATA(object);
  array->ndim = PyArray_NDIM(object);
  array->shape = PyArray_DIMS(object);
  array->strides = PyArray_STRIDES(object);
  array->size = 1;
  for (int i = 0; i < array->ndim; ++i) array->size *= array->shape[i];
  array->dtype = native ? dtype_of(PyArray_DESCR(object)) : DType::kOther;
  array->writeable = flags & NPY_ARRAY_WRITEABLE;
  array->contiguous = (flags & NPY_ARRAY_C_CONTIGUOUS) && (flags & NPY_ARRAY_ALIGNED);
  return true;
}

bool read_optional(const char* kernel, const char* name, PyObject* argument, Array* array) {
  if (argument == Py_None) {
    *array = Array{};
    return true;
  }
  return read_array(kernel, name, argument, array);
}

bool read_int(const char* kernel, const char* name, PyObject* argument, int64_t* value) {
  *value = PyLong_AsLongLong(argument);
  if (MG_LIKELY(*value != -1 || !PyErr_Occurred())) return true;
  fail(PyExc_TypeError, "%s: %s is a %s; it must be an integer of 64 bits", kernel, name,
       Py_TYPE(argument)->tp_name);
  return false;
}

bool read_double(const char* kernel, const char* name, PyObject* argument, double* value) {
  *value = PyFloat_AsDouble(argument);
  if (MG_LIKELY(*value != -1.0 || !PyErr_Occurred())) return true;
  fail(PyExc_TypeError, "%s: %s is a %s; it must be a number", kernel, name,
       Py_TYPE(argument)->tp_name);
  return false;
}

bool read_bool(const char* kernel, const char* name, PyObject* argument, bool* value) {
  *value = argument == Py_True;
  if (MG_LIKELY(PyBool_Check(argument))) return true;
  fail(PyExc_TypeError, "%s: %s is a %s; it must be True or False", kernel, name,
       Py_TYPE(argument)->tp_name);
  return false;
}

bool read_step(const char* kernel, const char* name, PyObject* argument, int64_t least,
               int64_t* value) {
  if (!read_int(kernel, name, argument, value)) return false;
  if (MG_LIKELY(*value >= least && *value <= INT32_MAX)) return true;
  fail(PyExc_ValueError, "%s: %s %lld was given; it must be from %lld to 2147483647", kernel, name,
       static_cast<long long>(*value), static_cast<long long>(least));
  return false;
}

bool need_contiguous(const char* kernel, const char* name, const Array& array) {
  if (MG_LIKELY(array.contiguous)) return true;
  fail(PyExc_ValueError, "%s: %s is %s; it must be C-contiguous and aligned", kernel, name,
       describe(array).c_str());
  return false;
}

bool need_writeable(const char* kernel, const char* name, const Array& array) {
  if (MG_LIKELY(array.writeable)) return true;
  fail(PyExc_ValueError, "%s: %s is %s; it must be writeable", kernel, name,
       describe(array).c_str());
  return false;
}

bool need_dtype(const char* kernel, const char* name, const Array& array, DType dtype) {
  if (MG_LIKELY(array.dtype == dtype)) return true;
  fail(PyExc_TypeError, "%s: %s is %s; it must be %s", kernel, name, describe(array).c_str(),
       name_of(dtype));
  return false;
}

bool need_planes(const char* kernel, const char* name, const Array& array, int spatial) {
  bool good = array.ndim == spatial + 2;
  for (int i = 0; good && i < array.ndim; ++i) good = array.shape[i] <= INT32_MAX;
  if (MG_LIKELY(good)) return true;
  fail(PyExc_ValueError, "%s: %s is %s; it must have %d dimensions of at most 2147483647", kernel,
       name, describe(array).c_str(), spatial + 2);
  return false;
}

bool need_same_shape(const char* kernel, const char* name, const Array& array,
                     const char* other_name, const Array& other) {
  if (MG_LIKELY(array.ndim == other.ndim &&
                PyArray_CompareLists(array.shape, other.shape, array.ndim))) {
    return true;
  }
  fail(PyExc_ValueError, "%s: %s is %s and %s is %s; their shapes must be equal", kernel, name,
       describe(array).c_str(), other_name, describe(other).c_str());
  return false;
}

}  // namespace mg
