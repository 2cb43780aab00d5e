// _C.cast(out, src): float32 to and from float16 and bfloat16; _C.convert(x, dtype): other types;
// _C.fast_to(cls, tensor, dtype): the same, recorded.
#include "bindings/array.h"
#include "bindings/families.h"
#include "bindings/graph.h"
#include "bindings/walk.h"
#include "kernels.h"

namespace mg {
namespace {

PyObject* cast(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array out, src;
  if (!check_count("cast", nargs, 2) || !read_array("cast", "out", args[0], &out) ||
      !read_array("cast", "src", args[1], &src) ||
      !need_same_shape("cast", "out", out, "src", src) || !need_writeable("cast", "out", out) ||
      !need_contiguous("cast", "out", out) || !need_contiguous("cast", "src", src)) {
    return nullptr;
  }
  const CastKernels& k = kernels().cast;
  const int64_t n = src.size;
  const bool from_float = src.dtype == DType::kFloat32, to_float = out.dtype == DType::kFloat32;
  const DType other = from_float ? out.dtype : src.dtype;
  if (from_float == to_float || (other != DType::kFloat16 && other != DType::kBFloat16)) {
    return fail(PyExc_TypeError,
                "cast: out is %s and src is %s; one must be float32, the other float16 or bfloat16",
                describe(out).c_str(), describe(src).c_str());
  }
  {
    KernelScope scope(0.1 * static_cast<double>(n));
    if (from_float && other == DType::kFloat16) {
      k.float_to_half(out.as<half>(), src.as<float>(), n);
    } else if (from_float) {
      k.float_to_bfloat16(out.as<bfloat16>(), src.as<float>(), n);
    } else if (other == DType::kFloat16) {
      k.half_to_float(out.as<float>(), src.as<half>(), n);
    } else {
      k.bfloat16_to_float(out.as<float>(), src.as<bfloat16>(), n);
    }
  }
  Py_RETURN_NONE;
}

// float32 to or from a 16-bit format, dense; nullptr without an error for other types.
PyObject* convert_half(PyArrayObject* x, DType from, PyArray_Descr* descr, DType to) {
  const DType other = from == DType::kFloat32 ? to : from;
  if (from == to || (other != DType::kFloat16 && other != DType::kBFloat16)) return nullptr;
  Py_INCREF(descr);
  PyObject* out = new_array(descr, PyArray_NDIM(x), PyArray_DIMS(x));
  if (!out) return nullptr;
  const CastKernels& k = kernels().cast;
  const int64_t n = PyArray_SIZE(x);
  void* y = PyArray_DATA(reinterpret_cast<PyArrayObject*>(out));
  const void* data = PyArray_DATA(x);
  KernelScope scope(0.1 * static_cast<double>(n));
  if (to == DType::kFloat16) {
    k.float_to_half(static_cast<half*>(y), static_cast<const float*>(data), n);
  } else if (to == DType::kBFloat16) {
    k.float_to_bfloat16(static_cast<bfloat16*>(y), static_cast<const float*>(data), n);
  } else if (other == DType::kFloat16) {
    k.half_to_float(static_cast<float*>(y), static_cast<const half*>(data), n);
  } else {
    k.bfloat16_to_float(static_cast<float*>(y), static_cast<const bfloat16*>(data), n);
  }
  return out;
}

// Subnormal numbers are kept while it lives, whatever a KernelScope around it says.
class KeepSubnormals {
 public:
  explicit KeepSubnormals(bool wanted) : saved_(fp_control()) {
    if (wanted) set_fp_control(saved_ & ~kFlushDenormal);
  }
  ~KeepSubnormals() { set_fp_control(saved_); }
  KeepSubnormals(const KeepSubnormals&) = delete;
  KeepSubnormals& operator=(const KeepSubnormals&) = delete;

 private:
  FpControl saved_;
};

bool is_wide(DType type) { return type == DType::kFloat32 || type == DType::kFloat64; }
bool is_half(DType type) { return type == DType::kFloat16 || type == DType::kBFloat16; }

// A copy in C order; nullptr without an error for types that have no row.
PyObject* converted(PyArrayObject* x, PyArray_Descr* descr) {
  const DType from = dtype_of(PyArray_DESCR(x)), to = dtype_of(descr);
  if (from == DType::kOther || to == DType::kOther || descr->byteorder == NPY_OPPBYTE) {
    return nullptr;
  }
  if (PyArray_ISCARRAY_RO(x) && (from == DType::kFloat32 || to == DType::kFloat32)) {
    PyObject* out = convert_half(x, from, descr, to);
    if (out || PyErr_Occurred()) return out;
  }
  const Row row = kernels().cast.rows[static_cast<int>(from)][static_cast<int>(to)];
  Layout layout;
  if ((!row && from != to) || !plan_copy(x, &layout)) return nullptr;
  Py_INCREF(descr);
  PyObject* out = new_array(descr, PyArray_NDIM(x), PyArray_DIMS(x));
  if (!out) return nullptr;
  void* data = PyArray_DATA(reinterpret_cast<PyArrayObject*>(out));
  const void* in = PyArray_DATA(x);
  const int64_t item[] = {PyDataType_ELSIZE(descr), PyArray_ITEMSIZE(x)};
  KernelScope scope(0.3 * static_cast<double>(layout.walk.size));
  KeepSubnormals keep((is_wide(from) || is_half(from)) && (is_wide(to) || is_half(to)));
  const ElementwiseKernels& k = kernels().elementwise;
  if (row) {
    k.run(row, FloatType::kFloat32, data, &in, item, layout.walk, nullptr);
  } else {
    k.copy(data, in, item[0], layout.walk);
  }
  return out;
}

// convert(x, dtype): a copy in C order, or None for types that have no row.
PyObject* convert(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("convert", nargs, 2)) return nullptr;
  if (!PyArray_CheckExact(args[0]) || !PyArray_DescrCheck(args[1])) return new_none();
  PyObject* out = converted(reinterpret_cast<PyArrayObject*>(args[0]),
                            reinterpret_cast<PyArray_Descr*>(args[1]));
  return out || PyErr_Occurred() ? out : new_none();
}

PyObject *g_numpy, *g_source;  // "numpy", "source"

// The NumPy type of a dtype object, borrowed; nullptr for other objects.
PyArray_Descr* descr_of(PyObject* dtype) {
  static PyTypeObject* known = nullptr;  // minigrad's class, once seen
  if (PyArray_DescrCheck(dtype)) return reinterpret_cast<PyArray_Descr*>(dtype);
  if (known && Py_TYPE(dtype) != known) return nullptr;
  PyObject* descr = PyObject_GetAttr(dtype, g_numpy);
  if (!descr) PyErr_Clear();
  if (!descr || !PyArray_DescrCheck(descr)) {
    Py_XDECREF(descr);
    return nullptr;
  }
  known = Py_TYPE(dtype);
  Py_DECREF(descr);  // the dtype object holds it
  return reinterpret_cast<PyArray_Descr*>(descr);
}

// fast_to(cls, input, dtype): the input itself if it has that type, the tensor of its conversion,
// recorded as a node `cls` with `source`, or None.
PyObject* fast_to(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("fast_to", nargs, 3)) return nullptr;
  PyArray_Descr* descr = g.tensor && is_variable(args[1]) ? descr_of(args[2]) : nullptr;
  if (!descr || !PyArray_CheckExact(slot(args[1], g.array))) return new_none();
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(slot(args[1], g.array));
  PyObject* fn = slot(args[1], g.fn);
  const DType to = dtype_of(descr);
  if (to == DType::kOther || descr->byteorder == NPY_OPPBYTE || !PyArray_ISNOTSWAPPED(x)) {
    return new_none();
  }
  if (dtype_of(PyArray_DESCR(x)) == to) {
    Py_INCREF(args[1]);
    return args[1];
  }
  const bool to_float = is_wide(to) || to == DType::kFloat16 || to == DType::kBFloat16;
  const bool tracked = t_recording && fn != Py_None && to_float;
  if ((tracked && g_anomaly) || !PyArray_ISCARRAY_RO(x)) return new_none();
  Keep keep(true, {slot(args[1], g.array), fn, reinterpret_cast<PyObject*>(descr)});
  PyObject* out = converted(x, descr);
  if (!out) return PyErr_Occurred() ? nullptr : new_none();
  if (!tracked) return new_tensor(out, Py_None);
  PyObject* node = new_node(args[0], PyTuple_Pack(1, fn));
  if (!node ||
      PyObject_SetAttr(node, g_source, reinterpret_cast<PyObject*>(PyArray_DESCR(x))) < 0) {
    Py_XDECREF(node);
    Py_DECREF(out);
    return nullptr;
  }
  PyObject* result = new_tensor(out, node);
  Py_DECREF(node);
  return result;
}

PyMethodDef kFunctions[] = {
    MG_FAST(cast, "cast(out, src): float32 to or from float16 or bfloat16, contiguous"),
    MG_FAST(convert, "convert(x, dtype): a copy in C order, or None"),
    MG_FAST(fast_to, "fast_to(cls, input, dtype): a tensor, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_cast(PyObject* module) {
  add_functions(module, kFunctions);
  g_numpy = PyUnicode_InternFromString("numpy");
  g_source = PyUnicode_InternFromString("source");
}

}  // namespace mg
