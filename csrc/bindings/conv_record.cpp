// Convolutions recorded in one call: the result, its tensor and its node, for contiguous tensors of
// floats. Everything else returns None, and minigrad/ops/conv.py, which says what happens here,
// does it (and finds the words for what is wrong).
#include <cstring>

#include "bindings/conv.h"
#include "bindings/families.h"
#include "bindings/graph.h"

namespace mg {
namespace {

constexpr int kDims = 2;                       // spatial dimensions of the kernel's arrays
constexpr int64_t kLongest = (1LL << 31) - 1;  // of sizes and steps

// The steps of a convolution, the height first; of a line the height's are 1 (padding 0).
struct Steps {
  int64_t stride[kDims], pad[kDims], dilation[kDims], more[kDims], groups;
  bool same;  // padding that keeps the size
};

// A small int, exactly; false also for True, which Python code refuses where PyTorch does.
bool take_int(PyObject* object, int64_t least, int64_t* value) {
  if (!PyLong_CheckExact(object)) return false;
  int overflow;
  *value = PyLong_AsLongLongAndOverflow(object, &overflow);
  return !overflow && *value >= least && *value <= kLongest;
}

// One number for all of `n` dimensions, or a tuple or list of one or n.
bool take_steps(PyObject* object, int n, int64_t least, int64_t* to) {
  to += kDims - n;
  if (!PyTuple_Check(object) && !PyList_CheckExact(object)) {
    for (int i = 0; i < n; ++i) {
      if (!take_int(object, least, to + i)) return false;
    }
    return true;
  }
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  if (count != 1 && count != n) return false;
  for (int i = 0; i < n; ++i) {
    if (!take_int(PySequence_Fast_GET_ITEM(object, count == 1 ? 0 : i), least, to + i)) {
      return false;
    }
  }
  return true;
}

bool take_padding(PyObject* object, int n, Steps* s) {
  s->same = false;
  if (!PyUnicode_Check(object)) return take_steps(object, n, 0, s->pad);
  s->same = PyUnicode_CompareWithASCIIString(object, "same") == 0;
  return s->same || PyUnicode_CompareWithASCIIString(object, "valid") == 0;
}

// The array of a tensor of n + 2 dimensions that kernels take as it is.
bool take_planes(PyObject* tensor, int n, Array* a) {
  if (!is_variable(tensor) || !PyArray_CheckExact(slot(tensor, g.array))) return false;
  if (!read_array("conv", "input", slot(tensor, g.array), a)) {
    PyErr_Clear();
    return false;
  }
  if (a->ndim != n + 2 || !a->contiguous || a->size == 0) return false;
  for (int i = 0; i < a->ndim; ++i) {
    if (a->shape[i] > kLongest) return false;
  }
  return a->dtype == DType::kFloat32 || a->dtype == DType::kFloat64;
}

// The bias of `channels` channels, or None.
bool take_bias(PyObject* tensor, int64_t channels, DType dtype, Array* a) {
  *a = {};
  if (tensor == Py_None) return true;
  if (!is_variable(tensor) || !PyArray_CheckExact(slot(tensor, g.array))) return false;
  if (!read_array("conv", "bias", slot(tensor, g.array), a)) {
    PyErr_Clear();
    return false;
  }
  return a->ndim == 1 && a->shape[0] == channels && a->contiguous && a->dtype == dtype;
}

// The size of the result along one dimension; 0 where there is none, or an error.
int64_t forward_size(const Steps& s, int i, int64_t size, int64_t kernel, int64_t* pad) {
  const int64_t reach = s.dilation[i] * (kernel - 1) + 1;
  *pad = s.same ? (reach - 1) / 2 : s.pad[i];
  if (s.same) return s.stride[i] == 1 ? size : 0;
  const int64_t padded = size + 2 * *pad;
  return padded < reach ? 0 : (padded - reach) / s.stride[i] + 1;
}

int64_t transposed_size(const Steps& s, int i, int64_t size, int64_t kernel) {
  if (s.more[i] >= s.stride[i] && s.more[i] >= s.dilation[i]) return 0;
  const int64_t n =
      (size - 1) * s.stride[i] - 2 * s.pad[i] + s.dilation[i] * (kernel - 1) + s.more[i] + 1;
  return n < 1 ? 0 : n;
}

// Fills what x, w and g are to each other, from the two of them that are given; false where they do
// not fit, or need the code that says why.
bool fill_shape(const Array& a, const Array& w, const Steps& s, int n, bool transposed,
                ConvShape* shape) {
  const int64_t groups = s.groups, channels = a.shape[1];
  if (channels != (transposed ? w.shape[0] : w.shape[1] * groups) || w.shape[0] % groups) {
    return false;
  }
  int64_t size[kDims] = {1, 1}, kernel[kDims] = {1, 1}, made[kDims] = {1, 1}, pad[kDims] = {0, 0};
  for (int i = kDims - n; i < kDims; ++i) {
    size[i] = a.shape[i + n], kernel[i] = w.shape[i + n];
    if (transposed) {
      pad[i] = s.pad[i];
      made[i] = transposed_size(s, i, size[i], kernel[i]);
    } else {
      made[i] = forward_size(s, i, size[i], kernel[i], pad + i);
    }
    if (made[i] < 1 || made[i] > kLongest) return false;
  }
  const int64_t (&x)[kDims] = transposed ? made : size;
  const int64_t (&g)[kDims] = transposed ? size : made;
  shape->n = a.shape[0], shape->c = w.shape[1] * groups, shape->k = w.shape[0];
  shape->d = shape->t = shape->o = 1;
  shape->h = x[0], shape->w = x[1], shape->p = g[0], shape->q = g[1];
  shape->r = kernel[0], shape->s = kernel[1];
  shape->stride_d = shape->dilation_d = 1, shape->pad_d = 0;
  shape->stride_h = s.stride[0], shape->stride_w = s.stride[1];
  shape->pad_h = pad[0], shape->pad_w = pad[1];
  shape->dilation_h = s.dilation[0], shape->dilation_w = s.dilation[1];
  shape->groups = groups;
  return true;
}

PyObject* new_tuple(std::initializer_list<int64_t> numbers) {
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(numbers.size()));
  Py_ssize_t i = 0;
  for (const int64_t number : numbers) {
    PyObject* item = tuple ? PyLong_FromLongLong(number) : nullptr;
    if (!item) {
      Py_XDECREF(tuple);
      return nullptr;
    }
    PyTuple_SET_ITEM(tuple, i++, item);
  }
  return tuple;
}

// The Geometry (a named tuple, `cls`) of minigrad/ops/conv.py.
PyObject* new_geometry(PyTypeObject* cls, const ConvShape& s, int n) {
  PyObject* steps = PyTuple_Pack(4, Py_None, Py_None, Py_None, Py_None);
  PyObject* geometry = steps ? cls->tp_alloc(cls, 7) : nullptr;
  if (!geometry) {
    Py_XDECREF(steps);
    return nullptr;
  }
  PyObject* items[7] = {};
  items[3] = new_tuple({s.n, s.c, s.h, s.w});
  items[4] = new_tuple({s.k, s.c / s.groups, s.r, s.s});
  items[5] = new_tuple({s.n, s.k, s.p, s.q});
  items[6] = steps;
  if (n == kDims) {
    for (int i = 0; i < 3; ++i) Py_XINCREF(items[i] = items[i + 3]);
  } else {
    items[0] = new_tuple({s.n, s.c, s.w});
    items[1] = new_tuple({s.k, s.c / s.groups, s.s});
    items[2] = new_tuple({s.n, s.k, s.q});
  }
  PyObject* const of_steps[4] = {new_tuple({s.stride_h, s.stride_w}), new_tuple({s.pad_h, s.pad_w}),
                                 new_tuple({s.dilation_h, s.dilation_w}),
                                 PyLong_FromLongLong(s.groups)};
  bool ok = true;
  for (int i = 0; i < 4; ++i) {
    ok = ok && of_steps[i];
    Py_DECREF(Py_None);
    PyTuple_SET_ITEM(steps, i, of_steps[i]);
  }
  for (int i = 0; i < 7; ++i) {
    ok = ok && items[i];
    PyTuple_SET_ITEM(geometry, i, items[i]);
  }
  if (!ok) Py_CLEAR(geometry);
  return geometry;
}

// g of `shape` (x, if transposed) as a new array of n spatial dimensions.
PyObject* convolved(const Array& a, const Array& w, const Array& bias, const ConvShape& s, int n,
                    bool transposed) {
  const int64_t channels = transposed ? s.c : s.k;
  const int64_t height = transposed ? s.h : s.p, width = transposed ? s.w : s.q;
  const npy_intp plane[4] = {s.n, channels, height, width}, line[3] = {s.n, channels, width};
  PyArray_Descr* descr = PyArray_DESCR(a.object);
  Py_INCREF(descr);
  PyObject* result = new_array(descr, n + 2, n == kDims ? plane : line);
  Array out;
  if (!result || !read_array("conv", "out", result, &out)) {
    Py_XDECREF(result);
    return nullptr;
  }
  PyObject* done =
      run_convolution(transposed ? "conv_transpose" : "conv",
                      transposed ? ConvResult::kInput : ConvResult::kForward, out, a, w, bias, s);
  if (!done) {
    Py_DECREF(result);
    return nullptr;
  }
  Py_DECREF(done);
  return result;
}

// fast_conv(cls, geometry class, spatial dimensions, input, weight, bias, stride, padding,
// dilation, groups[, output_padding]); with the last a transposed convolution.
PyObject* fast_conv(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  static PyObject* const geometry_name = PyUnicode_InternFromString("geometry");
  const bool transposed = nargs == 11;
  int64_t n;
  if ((!transposed && !check_count("conv", nargs, 10)) ||
      !read_int("conv", "dimensions", args[2], &n)) {
    return nullptr;
  }
  PyObject *x = args[3], *weight = args[4], *b = args[5];
  Steps steps = {{1, 1}, {0, 0}, {1, 1}, {0, 0}, 1, false};
  Array a, w, bias;
  ConvShape shape;
  const int dims = static_cast<int>(n);
  if (!g.tensor || g_anomaly || n < 1 || n > kDims || !take_planes(x, dims, &a) ||
      !take_planes(weight, dims, &w) || a.dtype != w.dtype ||
      !take_steps(args[6], dims, 1, steps.stride) ||
      !(transposed ? take_steps(args[7], dims, 0, steps.pad)
                   : take_padding(args[7], dims, &steps)) ||
      !take_steps(args[8], dims, 1, steps.dilation) || !take_int(args[9], 1, &steps.groups) ||
      (transposed && !take_steps(args[10], dims, 0, steps.more)) ||
      !fill_shape(a, w, steps, dims, transposed, &shape) ||
      !take_bias(b, transposed ? shape.c : shape.k, a.dtype, &bias)) {
    return new_none();
  }
  PyObject* arrays[2] = {slot(x, g.array), slot(weight, g.array)};
  Keep keep(true, {arrays[0], arrays[1], reinterpret_cast<PyObject*>(bias.object)});
  PyObject* result = convolved(a, w, bias, shape, dims, transposed);
  if (!result) return nullptr;
  PyObject *f = slot(x, g.fn), *h = slot(weight, g.fn);
  PyObject* i = b == Py_None ? Py_None : slot(b, g.fn);
  if (!t_recording || (f == Py_None && h == Py_None && i == Py_None)) {
    return new_tensor(result, Py_None);
  }
  PyObject* geometry = new_geometry(reinterpret_cast<PyTypeObject*>(args[1]), shape, dims);
  PyObject* next = geometry ? PyTuple_Pack(3, f, h, i) : nullptr;
  PyObject* node = next ? product_node(args[0], next, x, weight, arrays) : nullptr;
  PyObject* out = nullptr;
  if (node && PyObject_SetAttr(node, geometry_name, geometry) == 0) {
    out = new_tensor(result, node);
  } else {
    Py_DECREF(result);
  }
  Py_XDECREF(geometry);
  Py_XDECREF(node);
  return out;
}

// Numbers of a tuple; false where it holds another number of them, or other things.
bool read_tuple(PyObject* tuple, Py_ssize_t count, int64_t* to) {
  if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) != count) return false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!take_int(PyTuple_GET_ITEM(tuple, i), 0, to + i)) return false;
  }
  return true;
}

// A Geometry of two spatial dimensions.
bool read_geometry(PyObject* geometry, ConvShape* s) {
  if (!PyTuple_Check(geometry) || PyTuple_GET_SIZE(geometry) != 7) return false;
  PyObject* steps = PyTuple_GET_ITEM(geometry, 6);
  int64_t x[4], w[4], g[4], stride[2], pad[2], dilation[2];
  if (!PyTuple_CheckExact(steps) || PyTuple_GET_SIZE(steps) != 4 ||
      !read_tuple(PyTuple_GET_ITEM(geometry, 3), 4, x) ||
      !read_tuple(PyTuple_GET_ITEM(geometry, 4), 4, w) ||
      !read_tuple(PyTuple_GET_ITEM(geometry, 5), 4, g) ||
      !read_tuple(PyTuple_GET_ITEM(steps, 0), 2, stride) ||
      !read_tuple(PyTuple_GET_ITEM(steps, 1), 2, pad) ||
      !read_tuple(PyTuple_GET_ITEM(steps, 2), 2, dilation) ||
      !take_int(PyTuple_GET_ITEM(steps, 3), 1, &s->groups)) {
    return false;
  }
  s->n = x[0], s->c = x[1], s->h = x[2], s->w = x[3];
  s->k = w[0], s->r = w[2], s->s = w[3], s->p = g[2], s->q = g[3];
  s->d = s->t = s->o = s->stride_d = s->dilation_d = 1, s->pad_d = 0;
  s->stride_h = stride[0], s->stride_w = stride[1];
  s->pad_h = pad[0], s->pad_w = pad[1];
  s->dilation_h = dilation[0], s->dilation_w = dilation[1];
  return true;
}

// An array of floats with the shape (a tuple) that the geometry gives it.
bool take_shaped(PyObject* object, PyObject* shape, Array* a) {
  if (!PyArray_CheckExact(object) || !PyTuple_CheckExact(shape)) return false;
  if (!read_array("conv", "array", object, a)) {
    PyErr_Clear();
    return false;
  }
  if (!a->contiguous || a->size == 0 || a->ndim != PyTuple_GET_SIZE(shape)) return false;
  for (int i = 0; i < a->ndim; ++i) {
    int64_t extent;
    if (!take_int(PyTuple_GET_ITEM(shape, i), 1, &extent) || extent != a->shape[i]) return false;
  }
  return a->dtype == DType::kFloat32 || a->dtype == DType::kFloat64;
}

// convolve(which, a, b, bias, geometry): x, w or g (which: 2, 1, 0; a and b are the other two in
// the order of `run_convolution`) as a new array; None where Python has to do it.
PyObject* convolve(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t which;
  if (!check_count("convolve", nargs, 5) || !read_int("convolve", "which", args[0], &which)) {
    return nullptr;
  }
  static const int kOut[] = {2, 0, 1}, kFirst[] = {0, 2, 0}, kSecond[] = {1, 1, 2};
  PyObject* geometry = args[4];
  ConvShape s;
  Array a, b, bias = {}, out;
  if (which < 0 || which > 2 || !read_geometry(geometry, &s) ||
      !take_shaped(args[1], PyTuple_GET_ITEM(geometry, kFirst[which]), &a) ||
      !take_shaped(args[2], PyTuple_GET_ITEM(geometry, kSecond[which]), &b) || a.dtype != b.dtype) {
    return new_none();
  }
  if (args[3] != Py_None) {
    const int64_t channels = which == 0 ? s.k : s.c;
    if (!PyArray_CheckExact(args[3]) || !read_array("convolve", "bias", args[3], &bias) ||
        bias.ndim != 1 || bias.shape[0] != channels || !bias.contiguous || bias.dtype != a.dtype) {
      PyErr_Clear();
      return new_none();
    }
  }
  PyObject* shape = PyTuple_GET_ITEM(geometry, kOut[which]);
  const Py_ssize_t ndim = PyTuple_GET_SIZE(shape);
  npy_intp sizes[4];
  for (Py_ssize_t i = 0; i < ndim && i < 4; ++i) {
    int64_t extent;
    if (!take_int(PyTuple_GET_ITEM(shape, i), 1, &extent)) return new_none();
    sizes[i] = extent;
  }
  if (ndim > 4) return new_none();
  PyArray_Descr* descr = PyArray_DESCR(a.object);
  Py_INCREF(descr);
  PyObject* result = new_array(descr, static_cast<int>(ndim), sizes);
  if (!result || !read_array("convolve", "out", result, &out)) {
    Py_XDECREF(result);
    return nullptr;
  }
  PyObject* done = run_convolution("convolve", static_cast<ConvResult>(which), out, a, b, bias, s);
  if (!done) {
    Py_DECREF(result);
    return nullptr;
  }
  Py_DECREF(done);
  return result;
}

PyMethodDef kFunctions[] = {
    MG_FAST(fast_conv,
            "fast_conv(cls, geometry class, dimensions, input, weight, bias, stride, padding, "
            "dilation, groups, *output_padding): recorded, or None"),
    MG_FAST(convolve, "convolve(which, a, b, bias, geometry): a new array, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_conv_record(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
