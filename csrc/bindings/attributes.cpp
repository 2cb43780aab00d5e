// What a tensor is, in one call: shape, dtype, strides, its number. The functions named fast_
// return None for what minigrad/{attributes,conversion}.py has to look at.
#include "bindings/families.h"
#include "bindings/types.h"
#include "bindings/views.h"

namespace mg {

Types g_types;

namespace {

PyObject *g_default_name, *g_type_name, *g_array_name, *g_shape_name, *g_dtype_name, *g_ndim_name,
    *g_place_name;

// The array of a tensor, borrowed; nullptr for any other object.
PyArrayObject* array_of_tensor(PyObject* input) {
  if (!g.tensor || !is_variable(input)) return nullptr;
  PyObject* array = slot(input, g.array);
  return array && PyArray_CheckExact(array) ? reinterpret_cast<PyArrayObject*>(array) : nullptr;
}

PyObject* size_tuple(PyArrayObject* x) {
  const int ndim = PyArray_NDIM(x);
  PyObject* size = g_types.size->tp_alloc(g_types.size, ndim);
  for (int i = 0; size && i < ndim; ++i) {
    PyObject* extent = PyLong_FromSsize_t(PyArray_DIM(x, i));
    if (!extent) Py_CLEAR(size);
    if (size) PyTuple_SET_ITEM(size, i, extent);
  }
  return size;
}

// Strides in elements, as PyTorch has them: of an array without elements those of a contiguous one,
// of a new dimension of size 1, where NumPy has 0, that of a whole.
bool read_strides(PyArrayObject* x, npy_intp* steps) {
  const int ndim = PyArray_NDIM(x);
  if (ndim > kMaxDims) return false;
  const bool empty = PyArray_SIZE(x) == 0;
  const npy_intp item = PyArray_ITEMSIZE(x);
  npy_intp following = 1;
  for (int i = ndim - 1; i >= 0; --i) {
    const npy_intp extent = PyArray_DIM(x, i);
    if (empty) {
      steps[i] = following;
      following *= extent > 1 ? extent : 1;
      continue;
    }
    if (PyArray_STRIDE(x, i) % item) return false;
    steps[i] = PyArray_STRIDE(x, i) / item;
    if (steps[i] == 0 && extent == 1) steps[i] = following;
    following = extent * steps[i];
  }
  return true;
}

// ---- properties ----

// The attribute of what stands in place of an array (uninitialised, or batched by vmap).
PyObject* attribute_of_array(PyObject* self, PyObject* name) {
  PyObject* array = PyObject_GetAttr(self, g_array_name);
  PyObject* value = array ? PyObject_GetAttr(array, name) : nullptr;
  Py_XDECREF(array);
  return value;
}

PyObject* get_shape(PyObject* self, void*) {
  PyArrayObject* x = array_of_tensor(self);
  if (MG_LIKELY(x != nullptr)) return size_tuple(x);
  PyObject* shape = attribute_of_array(self, g_shape_name);
  PyObject* size =
      shape ? PyObject_CallOneArg(reinterpret_cast<PyObject*>(g_types.size), shape) : nullptr;
  Py_XDECREF(shape);
  return size;
}

PyObject* get_dtype(PyObject* self, void*) {
  PyArrayObject* x = array_of_tensor(self);
  const DType type = x ? dtype_of(PyArray_DESCR(x)) : DType::kOther;
  if (MG_LIKELY(type != DType::kOther)) return Py_NewRef(g_types.dtype[static_cast<int>(type)]);
  PyObject* descr = attribute_of_array(self, g_dtype_name);
  if (!descr) return nullptr;
  PyObject* from_numpy = PyDict_GetItemString(g_types.settings, "from_numpy");
  PyObject* found = from_numpy ? PyObject_CallOneArg(from_numpy, descr)
                               : fail(PyExc_RuntimeError, "dtype: dtypes.from_numpy is missing");
  Py_DECREF(descr);
  return found;
}

PyObject* get_ndim(PyObject* self, void*) {
  PyArrayObject* x = array_of_tensor(self);
  return x ? PyLong_FromLong(PyArray_NDIM(x)) : attribute_of_array(self, g_ndim_name);
}

// An array of another library says its place itself; what only stands for an array has none.
PyObject* get_device(PyObject* self, void*) {
  if (MG_UNLIKELY(!array_of_tensor(self))) {
    PyObject* place = attribute_of_array(self, g_place_name);
    if (place) return place;
    PyErr_Clear();
  }
  return Py_NewRef(g_types.cpu);
}

PyGetSetDef g_getters[] = {
    {"shape", get_shape, nullptr, "The sizes of the dimensions.", nullptr},
    {"dtype", get_dtype, nullptr, "The type of the elements.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of dimensions.", nullptr},
    {"device", get_device, nullptr, "Where the elements lie.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// getter(cls, name): a property of the class of variables.
PyObject* getter(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("getter", nargs, 2)) return nullptr;
  if (!PyType_Check(args[0]) || !PyUnicode_Check(args[1])) {
    return fail(PyExc_TypeError, "getter: needed: a class and a name");
  }
  for (PyGetSetDef* def = g_getters; def->name; ++def) {
    if (PyUnicode_CompareWithASCIIString(args[1], def->name) == 0) {
      return PyDescr_NewGetSet(reinterpret_cast<PyTypeObject*>(args[0]), def);
    }
  }
  return fail(PyExc_ValueError, "getter: there is none of this name");
}

// ---- methods ----

// fast_size(input, dim): the shape, or the size of one dimension.
PyObject* fast_size(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_size", nargs, 2)) return nullptr;
  PyArrayObject* x = array_of_tensor(args[0]);
  int dim;
  if (!x || !g_types.size) return new_none();
  if (args[1] == Py_None) return size_tuple(x);
  if (!plain_dim(args[1], PyArray_NDIM(x), &dim)) return new_none();
  return PyLong_FromSsize_t(PyArray_DIM(x, dim));
}

// fast_stride(input, dim): all strides in elements, or one.
PyObject* fast_stride(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_stride", nargs, 2)) return nullptr;
  PyArrayObject* x = array_of_tensor(args[0]);
  npy_intp steps[kMaxDims];
  int dim;
  if (!x || !read_strides(x, steps)) return new_none();
  if (args[1] == Py_None) return tuple_of(steps, PyArray_NDIM(x));
  if (!plain_dim(args[1], PyArray_NDIM(x), &dim)) return new_none();
  return PyLong_FromSsize_t(steps[dim]);
}

// fast_numel(input): the number of elements.
PyObject* fast_numel(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_numel", nargs, 1)) return nullptr;
  PyArrayObject* x = array_of_tensor(args[0]);
  return x ? PyLong_FromSsize_t(PyArray_SIZE(x)) : new_none();
}

// fast_is_contiguous(input): whether the elements lie in order.
PyObject* fast_is_contiguous(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_is_contiguous", nargs, 1)) return nullptr;
  PyArrayObject* x = array_of_tensor(args[0]);
  return x ? PyBool_FromLong(PyArray_IS_C_CONTIGUOUS(x)) : new_none();
}

// fast_item(input): the only element as a Python number.
PyObject* fast_item(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_item", nargs, 1)) return nullptr;
  PyArrayObject* x = array_of_tensor(args[0]);
  if (!x || PyArray_SIZE(x) != 1) return new_none();
  const DType type = dtype_of(PyArray_DESCR(x));
  if (type == DType::kOther || type == DType::kBFloat16) return new_none();
  return PyArray_GETITEM(x, PyArray_BYTES(x));
}

// fast_tolist(input): the elements as nested lists of Python numbers.
PyObject* fast_tolist(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_tolist", nargs, 1)) return nullptr;
  PyArrayObject* x = array_of_tensor(args[0]);
  const DType type = x ? dtype_of(PyArray_DESCR(x)) : DType::kOther;
  if (type == DType::kOther || type == DType::kBFloat16) return new_none();
  return PyArray_ToList(x);
}

// fast_data_ptr(input): the address of the first element, 0 if there is none.
PyObject* fast_data_ptr(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_data_ptr", nargs, 1)) return nullptr;
  PyArrayObject* x = array_of_tensor(args[0]);
  if (!x) return new_none();
  return PyLong_FromVoidPtr(PyArray_SIZE(x) ? PyArray_DATA(x) : nullptr);
}

// fast_is_floating_point(input): a bool.
PyObject* fast_is_floating_point(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_is_floating_point", nargs, 1)) return nullptr;
  PyArrayObject* x = array_of_tensor(args[0]);
  const DType type = x ? dtype_of(PyArray_DESCR(x)) : DType::kOther;
  if (type == DType::kOther) return new_none();
  return PyBool_FromLong(type >= DType::kFloat16);
}

// bind_types(settings, dtypes, size, cpu): the names of minigrad.dtypes, all its dtypes in the
// order of DType, the class of shapes, the device.
PyObject* bind_types(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("bind_types", nargs, 4)) return nullptr;
  if (!PyDict_CheckExact(args[0]) || !PyTuple_CheckExact(args[1]) ||
      PyTuple_GET_SIZE(args[1]) != kDTypes || !PyType_Check(args[2]) ||
      !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(args[2]), &PyTuple_Type)) {
    return fail(PyExc_TypeError, "bind_types: needed: a dict, ten dtypes, a class of tuples");
  }
  Types types;
  for (int i = 0; i < kDTypes; ++i) {
    types.dtype[i] = PyTuple_GET_ITEM(args[1], i);
    PyObject* descr = PyObject_GetAttrString(types.dtype[i], "numpy");
    if (!descr) return nullptr;
    types.descr[i] = reinterpret_cast<PyArray_Descr*>(descr);
    if (!PyArray_DescrCheck(descr) || dtype_of(types.descr[i]) != static_cast<DType>(i)) {
      return fail(PyExc_TypeError, "bind_types: dtype %d is not the one at this place", i);
    }
  }
  for (int i = 0; i < 4; ++i) Py_INCREF(args[i]);  // they live for ever
  types.settings = args[0];
  types.size = reinterpret_cast<PyTypeObject*>(args[2]);
  types.cpu = args[3];
  g_types = types;
  return new_none();
}

PyMethodDef kFunctions[] = {
    MG_FAST(bind_types, "Tells the dtypes, the class of shapes and the device"),
    MG_FAST(getter, "getter(cls, name): the property shape, dtype, ndim or device"),
    MG_FAST(fast_size, "fast_size(input, dim): the shape or one size, or None"),
    MG_FAST(fast_stride, "fast_stride(input, dim): all strides or one, or None"),
    MG_FAST(fast_numel, "fast_numel(input): the number of elements, or None"),
    MG_FAST(fast_is_contiguous, "fast_is_contiguous(input): a bool, or None"),
    MG_FAST(fast_tolist, "fast_tolist(input): nested lists, or None"),
    MG_FAST(fast_data_ptr, "fast_data_ptr(input): an address, or None"),
    MG_FAST(fast_is_floating_point, "fast_is_floating_point(input): a bool, or None"),
    MG_FAST(fast_item, "fast_item(input): the only element, or None"),
    MG_TABLE_END,
};

}  // namespace

bool dtype_given(PyObject* given, DType otherwise, DType* dtype) {
  if (given == Py_None) {
    *dtype = otherwise;
    return otherwise != DType::kOther;
  }
  for (int i = kDTypes - 1; i >= 0; --i) {
    if (g_types.dtype[i] == given) {
      *dtype = static_cast<DType>(i);
      return true;
    }
  }
  return false;
}

DType default_dtype() {
  if (!g_types.settings) return DType::kOther;
  PyObject* set = PyDict_GetItemWithError(g_types.settings, g_default_name);
  DType dtype = DType::kOther;
  return set && dtype_given(set, dtype, &dtype) ? dtype : DType::kOther;
}

bool names_cpu(PyObject* device) {
  if (device == Py_None || device == g_types.cpu) return true;
  if (PyUnicode_CheckExact(device)) return PyUnicode_CompareWithASCIIString(device, "cpu") == 0;
  if (!g_types.cpu || Py_TYPE(device) != Py_TYPE(g_types.cpu)) return false;
  PyObject* type = PyObject_GetAttr(device, g_type_name);
  if (!type) PyErr_Clear();
  const bool is_cpu =
      type && PyUnicode_Check(type) && PyUnicode_CompareWithASCIIString(type, "cpu") == 0;
  Py_XDECREF(type);
  return is_cpu;
}

void bind_attributes(PyObject* module) {
  const struct {
    PyObject** name;
    const char* text;
  } names[] = {
      {&g_default_name, "_default"}, {&g_type_name, "type"},   {&g_array_name, "_array"},
      {&g_shape_name, "shape"},      {&g_dtype_name, "dtype"}, {&g_ndim_name, "ndim"},
      {&g_place_name, "place"},
  };
  for (const auto& entry : names) {
    *entry.name = PyUnicode_InternFromString(entry.text);
    if (!*entry.name) throw_python_error();
  }
  add_functions(module, kFunctions);
}

}  // namespace mg
