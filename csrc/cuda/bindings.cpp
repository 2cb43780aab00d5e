// The module minigrad._cuda (and its emulated twin _cuda_emu): what all families share.
#include "cuda/bindings.h"

#include <cstdarg>
#include <cstdio>

#ifdef MG_CUDA_EMULATED
#include "cuda/device.h"
#include "cuda/emulate/barrier.h"
#endif

namespace mg::cuda {
namespace {

const char* const kNames[] = {"bool",    "uint8",    "int8",    "int16",   "int32",        "int64",
                              "float16", "bfloat16", "float32", "float64", "another dtype"};

// dtype objects that were seen, each with a reference: reading their attributes takes longer.
constexpr int kSeen = 16;
struct {
  PyObject* object;
  DType dtype;
} g_seen[kSeen];
int g_seen_count;
long g_bfloat16 = -1;  // the number NumPy gave ml_dtypes.bfloat16

// Interned names of attributes.
PyObject *g_data, *g_ptr, *g_shape, *g_strides, *g_dtype, *g_num, *g_itemsize;

[[noreturn]] void throw_error() { throw PythonError(); }

class Owned {  // a reference of our own
 public:
  explicit Owned(PyObject* object) : object_(object) {
    if (!object) throw_error();
  }
  ~Owned() { Py_DECREF(object_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  PyObject* get() const { return object_; }

 private:
  PyObject* object_;
};

int64_t to_integer(PyObject* object) {
  const long long value = PyLong_AsLongLong(object);
  if (value == -1 && PyErr_Occurred()) throw_error();
  return value;
}

// NumPy's numbers of its own types are part of its binary interface.
DType dtype_of_number(long number, int64_t itemsize) {
  switch (number) {
    case 0:
      return DType::kBool;
    case 1:
      return DType::kInt8;
    case 2:
      return DType::kUInt8;
    case 3:
      return DType::kInt16;
    case 5:
    case 7:  // int, long
    case 9:
      return itemsize == 8 ? DType::kInt64 : DType::kInt32;
    case 11:
      return DType::kFloat32;
    case 12:
      return DType::kFloat64;
    case 23:
      return DType::kFloat16;
    default:
      return number == g_bfloat16 ? DType::kBFloat16 : DType::kOther;
  }
}

DType dtype_of(PyObject* object) {
  for (int i = 0; i < g_seen_count; ++i) {
    if (g_seen[i].object == object) return g_seen[i].dtype;
  }
  const Owned number(PyObject_GetAttr(object, g_num));
  const Owned itemsize(PyObject_GetAttr(object, g_itemsize));
  const DType dtype =
      dtype_of_number(static_cast<long>(to_integer(number.get())), to_integer(itemsize.get()));
  if (g_seen_count < kSeen) {
    Py_INCREF(object);
    g_seen[g_seen_count++] = {object, dtype};
  }
  return dtype;
}

// Fills `values` from a tuple of integers; the number of them, or -1 if it is no such tuple.
int read_tuple(PyObject* tuple, int64_t* values) {
  if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) > kMaxDims) return -1;
  const int n = static_cast<int>(PyTuple_GET_SIZE(tuple));
  for (int i = 0; i < n; ++i) values[i] = to_integer(PyTuple_GET_ITEM(tuple, i));
  return n;
}

Array read(PyObject* object) {
  PyObject* given_dtype = nullptr;
  if (PyTuple_CheckExact(object) && PyTuple_GET_SIZE(object) == 2) {
    given_dtype = PyTuple_GET_ITEM(object, 1);
    object = PyTuple_GET_ITEM(object, 0);
  }
  Array a;
  a.given = true;
  const Owned data(PyObject_GetAttr(object, g_data));
  const Owned address(PyObject_GetAttr(data.get(), g_ptr));
  const Owned shape(PyObject_GetAttr(object, g_shape));
  const Owned strides(PyObject_GetAttr(object, g_strides));
  const Owned dtype(PyObject_GetAttr(object, g_dtype));
  a.data = reinterpret_cast<void*>(static_cast<uintptr_t>(to_integer(address.get())));
  a.dtype = dtype_of(given_dtype ? given_dtype : dtype.get());
  const Owned itemsize(PyObject_GetAttr(dtype.get(), g_itemsize));
  const int64_t bytes = to_integer(itemsize.get());
  a.ndim = read_tuple(shape.get(), a.shape);
  if (a.ndim < 0 || read_tuple(strides.get(), a.strides) != a.ndim ||
      (a.dtype != DType::kOther && bytes != item_size(a.dtype))) {
    PyErr_SetString(PyExc_TypeError,
                    "its shape and strides must be tuples of as many integers, at most 16, and a "
                    "dtype given for it must have its item size");
    throw_error();
  }
  a.size = 1;
  for (int i = 0; i < a.ndim; ++i) a.size *= a.shape[i];
  int64_t expected = bytes;
  for (int i = a.ndim - 1; i >= 0; --i) {
    a.contiguous &= a.shape[i] == 1 || a.strides[i] == expected || a.size == 0;
    expected *= a.shape[i];
    if (a.strides[i] % bytes != 0) {
      PyErr_SetString(PyExc_ValueError, "its strides must be whole elements");
      throw_error();
    }
    a.strides[i] /= bytes;
  }
  return a;
}

}  // namespace

std::string describe(const Array& a) {
  if (!a.given) return "None";
  std::string text = kNames[static_cast<int>(a.dtype)];
  text += " (";
  for (int i = 0; i < a.ndim; ++i) text += (i ? ", " : "") + std::to_string(a.shape[i]);
  text += a.ndim == 1 ? ",)" : ")";
  if (!a.contiguous) text += " not contiguous";
  return text;
}

Call::Call(const char* kernel, PyObject* const* args, Py_ssize_t given, Py_ssize_t needed)
    : kernel_(kernel), args_(args), count_(given) {
  if (given != needed) {
    fail(PyExc_TypeError, "%zd arguments were given; it needs %zd", given, needed);
  }
}

Array Call::array(const char* name) {
  try {
    return read(args_[next_++]);
  } catch (const PythonError&) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject* text = value ? PyObject_Str(value) : nullptr;
    const char* why = text ? PyUnicode_AsUTF8(text) : nullptr;
    PyObject* error = type == PyExc_ValueError ? PyExc_ValueError : PyExc_TypeError;
    PyErr_Format(error, "%s: %s is %.80s; it must be an array of the device (%s)", kernel_, name,
                 Py_TYPE(args_[next_ - 1])->tp_name, why ? why : "");
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    throw;
  }
}

Array Call::optional(const char* name) {
  if (args_[next_] != Py_None) return array(name);
  ++next_;
  return Array();
}

Array Call::contiguous(const char* name) {
  const Array a = array(name);
  need_contiguous(name, a);
  return a;
}

int64_t Call::integer(const char* name, int64_t least, int64_t most) {
  PyObject* object = args_[next_++];
  const long long value = PyLong_AsLongLong(object);
  if (value == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    fail(PyExc_TypeError, "%s is %.80s; it must be an integer below 2^63", name,
         Py_TYPE(object)->tp_name);
  }
  if (value < least || value > most) {
    fail(PyExc_ValueError, "%s is %lld; it must be from %lld to %lld", name, value,
         static_cast<long long>(least), static_cast<long long>(most));
  }
  return value;
}

double Call::number(const char* name) {
  PyObject* object = args_[next_++];
  const double value = PyFloat_AsDouble(object);
  if (value == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    fail(PyExc_TypeError, "%s is %.80s; it must be a number", name, Py_TYPE(object)->tp_name);
  }
  return value;
}

bool Call::boolean(const char* name) {
  PyObject* object = args_[next_++];
  const int value = PyObject_IsTrue(object);
  if (value < 0) {
    PyErr_Clear();
    fail(PyExc_TypeError, "%s is %.80s; it must be a bool", name, Py_TYPE(object)->tp_name);
  }
  return value != 0;
}

Stream Call::stream() {
  return reinterpret_cast<Stream>(static_cast<uintptr_t>(integer("stream", 0)));
}

int64_t Call::item(const Array& array) const {
  const int64_t bytes = item_size(array.dtype);
  if (bytes) return bytes;
  fail(PyExc_TypeError,
       "an array is %s; it must be bool, an integer below 64 bits or int64, or of "
       "a floating-point type",
       describe(array).c_str());
}

void Call::need_dtype(const char* name, const Array& array, DType dtype) const {
  if (array.dtype == dtype) return;
  fail(PyExc_TypeError, "%s is %s; it must be %s", name, describe(array).c_str(),
       kNames[static_cast<int>(dtype)]);
}

void Call::need_contiguous(const char* name, const Array& array) const {
  if (array.contiguous) return;
  fail(PyExc_ValueError, "%s is %s; it must be contiguous", name, describe(array).c_str());
}

void Call::need_same_shape(const char* name, const Array& array, const char* other_name,
                           const Array& other) const {
  bool same = array.ndim == other.ndim;
  for (int i = 0; same && i < array.ndim; ++i) same = array.shape[i] == other.shape[i];
  if (same) return;
  fail(PyExc_ValueError, "%s is %s and %s is %s; they must have one shape", name,
       describe(array).c_str(), other_name, describe(other).c_str());
}

void Call::need_workspace(const Array& array, int64_t bytes) const {
  const int64_t has = array.size * item_size(array.dtype);
  const bool aligned = reinterpret_cast<uintptr_t>(array.data) % 256 == 0;
  if (bytes == 0 || (array.contiguous && aligned && has >= bytes)) return;
  fail(PyExc_ValueError,
       "the workspace is %s; it must be contiguous, aligned to 256 bytes and "
       "have %lld bytes",
       describe(array).c_str(), static_cast<long long>(bytes));
}

void Call::fail(PyObject* error, const char* format, ...) const {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  PyErr_Format(error, "%s: %s", kernel_, text);
  throw_error();
}

void Call::fail_launch(Error error) const {
  fail(PyExc_RuntimeError, "%s: %s", error_name(error), error_text(error));
}

namespace {

// status(): (number of devices, "ok" or why there are none).
PyObject* status(PyObject* const*, Py_ssize_t) {
  int count = 0;
  const Error error = device_count(&count);
  if (!error) return Py_BuildValue("is", count, "ok");
  const std::string text = std::string(error_name(error)) + ": " + error_text(error);
  return Py_BuildValue("is", 0, text.c_str());
}

PyMethodDef kFunctions[] = {
    MG_CUDA_FUNCTION(status, "status(): (number of devices, 'ok' or why there are none)"),
    MG_CUDA_TABLE_END,
};

#ifdef MG_CUDA_EMULATED
// set_order('fwd', 'rev' or 'rand:SEED'): see emulate/scheduler.h.
PyObject* set_order(PyObject* const* args, Py_ssize_t count) {
  Call call("set_order", args, count, 1);
  const char* text = PyUnicode_AsUTF8(args[0]);
  if (!text) throw_error();
  try {
    emu::set_order(text);
  } catch (const std::exception& error) {
    call.fail(PyExc_ValueError, "%s", error.what());
  }
  Py_RETURN_NONE;
}

// set_device(capability, multiprocessors): what kernels are chosen for.
PyObject* set_device(PyObject* const* args, Py_ssize_t count) {
  Call call("set_device", args, count, 2);
  const int capability = static_cast<int>(call.integer("capability", 75, 120));
  set_device_traits({capability, static_cast<int>(call.integer("multiprocessors", 1, 1000))});
  Py_RETURN_NONE;
}

// remove_barrier(file, line), remove_barrier(None, 0): see emulate/barrier.h.
PyObject* remove_barrier(PyObject* const* args, Py_ssize_t count) {
  Call call("remove_barrier", args, count, 2);
  PyObject* file = call.object();
  const int line = static_cast<int>(call.integer("line", 0, 1 << 20));
  emu::remove_barrier(file == Py_None ? nullptr : PyUnicode_AsUTF8(file), line);
  Py_RETURN_NONE;
}

PyObject* record_barriers(PyObject* const* args, Py_ssize_t count) {
  Call call("record_barriers", args, count, 1);
  emu::record_barriers(call.boolean("on"));
  Py_RETURN_NONE;
}

// recorded_barriers(): a list of (file, line).
PyObject* recorded_barriers(PyObject* const*, Py_ssize_t) {
  const Owned list(PyList_New(0));
  for (const emu::Site& site : emu::recorded_barriers()) {
    const Owned place(Py_BuildValue("si", site.file, site.line));
    if (PyList_Append(list.get(), place.get()) < 0) throw_error();
  }
  return Py_NewRef(list.get());
}

PyMethodDef kEmulationFunctions[] = {
    MG_CUDA_FUNCTION(record_barriers, "record_barriers(on): whether barriers' places are noted"),
    MG_CUDA_FUNCTION(recorded_barriers, "recorded_barriers(): (file, line) of each"),
    MG_CUDA_FUNCTION(remove_barrier, "remove_barrier(file, line): it does nothing from now on"),
    MG_CUDA_FUNCTION(set_device, "set_device(capability, multiprocessors): what it passes for"),
    MG_CUDA_FUNCTION(set_order, "set_order('fwd', 'rev' or 'rand:SEED'): the order of threads"),
    MG_CUDA_TABLE_END,
};
#endif

bool intern_names() {
  struct {
    PyObject** at;
    const char* name;
  } const names[] = {{&g_data, "data"},        {&g_ptr, "ptr"},     {&g_shape, "shape"},
                     {&g_strides, "strides"},  {&g_dtype, "dtype"}, {&g_num, "num"},
                     {&g_itemsize, "itemsize"}};
  for (const auto& n : names) {
    if (!(*n.at = PyUnicode_InternFromString(n.name))) return false;
  }
  return true;
}

// bfloat16 is known once ml_dtypes has registered it with NumPy.
bool find_bfloat16() {
  PyObject* types = PyImport_ImportModule("ml_dtypes");
  PyObject* type = types ? PyObject_GetAttrString(types, "bfloat16") : nullptr;
  PyObject* numpy = type ? PyImport_ImportModule("numpy") : nullptr;
  PyObject* dtype = numpy ? PyObject_CallMethod(numpy, "dtype", "O", type) : nullptr;
  PyObject* number = dtype ? PyObject_GetAttrString(dtype, "num") : nullptr;
  if (number) g_bfloat16 = PyLong_AsLong(number);
  for (PyObject* object : {types, type, numpy, dtype, number}) Py_XDECREF(object);
  return number != nullptr;
}

#define MG_TEXT_OF(x) #x
#define MG_TEXT(x) MG_TEXT_OF(x)
#define MG_JOIN_OF(a, b) a##b
#define MG_JOIN(a, b) MG_JOIN_OF(a, b)

PyModuleDef g_module = {PyModuleDef_HEAD_INIT,
                        MG_TEXT(MG_CUDA_MODULE),
                        "minigrad's kernels for CUDA devices.",
                        -1,
                        kFunctions,
                        nullptr,
                        nullptr,
                        nullptr,
                        nullptr};

// clang-format off: one a line
PyMethodDef* const kFamilies[] = {
    kAttentionFunctions,
    kCastFunctions,
    kConvFunctions,
    kDropoutFunctions,
    kElementwiseFunctions,
    kGemmFunctions,
    kIndexFunctions,
    kLossFunctions,
    kNormFunctions,
    kOptimFunctions,
    kPoolFunctions,
    kReduceFunctions,
    kSoftmaxFunctions,
};
// clang-format on

}  // namespace
}  // namespace mg::cuda

PyMODINIT_FUNC MG_JOIN(PyInit_, MG_CUDA_MODULE)() {
  using namespace mg::cuda;
  if (!intern_names() || !find_bfloat16()) return nullptr;
  PyObject* module = PyModule_Create(&g_module);
  bool ok = module != nullptr;
  for (PyMethodDef* family : kFamilies) ok = ok && PyModule_AddFunctions(module, family) == 0;
#ifdef MG_CUDA_EMULATED
  ok = ok && PyModule_AddFunctions(module, kEmulationFunctions) == 0;
#else
  ok = ok && PyModule_AddStringConstant(module, "architectures", MG_CUDA_ARCHITECTURES) == 0;
#endif
  if (!ok) Py_CLEAR(module);
  return module;
}
