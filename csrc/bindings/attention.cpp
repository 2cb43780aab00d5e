// _C.attention and _C.attention_backward, which return None for operands that only NumPy takes.
#include "bindings/families.h"
#include "bindings/graph.h"
#include "kernels.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace mg {
namespace {

// Nanoseconds for a multiply-add on one thread, roughly.
constexpr double kMultiplyAdd = 0.025;

PyArrayObject* as_array(PyObject* object) { return reinterpret_cast<PyArrayObject*>(object); }

template <class T>
T* data_of(PyObject* array) {
  return static_cast<T*>(PyArray_DATA(as_array(array)));
}

// Whether all strides are whole elements of an aligned array.
bool whole_strides(PyArrayObject* x) {
  if (!PyArray_ISALIGNED(x)) return false;
  for (int i = 0; i < PyArray_NDIM(x); ++i) {
    if (PyArray_STRIDE(x, i) % PyArray_ITEMSIZE(x)) return false;
  }
  return true;
}

void read_operand(PyArrayObject* x, AttentionOperand* operand) {
  const int dims = PyArray_NDIM(x) - 2;
  const npy_intp item = PyArray_ITEMSIZE(x);
  operand->data = static_cast<float*>(PyArray_DATA(x));
  operand->row = PyArray_STRIDE(x, dims) / item;
  for (int i = 0; i < dims; ++i) operand->batch[i] = PyArray_STRIDE(x, i) / item;
}

// float32 (..., rows, columns) with neighbouring elements in its rows, of `dims` + 2 dimensions.
bool is_operand(PyObject* object, int dims) {
  if (!PyArray_CheckExact(object)) return false;
  PyArrayObject* x = as_array(object);
  return PyArray_TYPE(x) == NPY_FLOAT && PyArray_ISNOTSWAPPED(x) && PyArray_NDIM(x) == dims + 2 &&
         PyArray_SIZE(x) > 0 && whole_strides(x) &&
         (PyArray_DIM(x, dims + 1) == 1 || PyArray_STRIDE(x, dims + 1) == sizeof(float));
}

bool same_batch(PyArrayObject* a, PyArrayObject* b, int dims) {
  for (int i = 0; i < dims; ++i) {
    if (PyArray_DIM(a, i) != PyArray_DIM(b, i)) return false;
  }
  return true;
}

bool read_mask(PyObject* object, AttentionArgs* args) {
  args->mask_kind = AttentionMask::kNone;
  if (object == Py_None) return true;
  if (!PyArray_CheckExact(object)) return false;
  PyArrayObject* m = as_array(object);
  const bool boolean = PyArray_TYPE(m) == NPY_BOOL;
  if ((!boolean && PyArray_TYPE(m) != NPY_FLOAT) || !PyArray_ISNOTSWAPPED(m) || !whole_strides(m)) {
    return false;
  }
  const int own = PyArray_NDIM(m), all = args->dims + 2;
  if (own > all) return false;
  int64_t strides[kAttentionDims + 2] = {};
  for (int i = 0; i < own; ++i) {
    const int at = all - own + i;
    const int64_t size = at < args->dims    ? args->shape[at]
                         : at == args->dims ? args->queries
                                            : args->keys;
    if (PyArray_DIM(m, i) == 1) continue;
    if (PyArray_DIM(m, i) != size) return false;
    strides[at] = PyArray_STRIDE(m, i) / PyArray_ITEMSIZE(m);
  }
  args->mask_kind = boolean ? AttentionMask::kBool : AttentionMask::kFloat;
  args->mask = PyArray_DATA(m);
  for (int i = 0; i < args->dims; ++i) args->mask_batch[i] = strides[i];
  args->mask_row = strides[args->dims];
  args->mask_column = strides[args->dims + 1];
  return true;
}

// Fills what forward and backward share; false for what the kernels do not take.
bool read_inputs(PyObject* q, PyObject* k, PyObject* v, PyObject* mask, AttentionArgs* args) {
  if (!PyArray_CheckExact(q)) return false;
  const int dims = PyArray_NDIM(as_array(q)) - 2;
  if (dims < 0 || dims > kAttentionDims) return false;
  if (!is_operand(q, dims) || !is_operand(k, dims) || !is_operand(v, dims)) return false;
  PyArrayObject *query = as_array(q), *key = as_array(k), *value = as_array(v);
  if (!same_batch(query, key, dims) || !same_batch(query, value, dims)) return false;
  args->dims = dims;
  args->count = 1;
  for (int i = 0; i < dims; ++i) args->count *= args->shape[i] = PyArray_DIM(query, i);
  args->queries = PyArray_DIM(query, dims);
  args->keys = PyArray_DIM(key, dims);
  args->width = PyArray_DIM(query, dims + 1);
  args->value_width = PyArray_DIM(value, dims + 1);
  if (PyArray_DIM(key, dims + 1) != args->width || PyArray_DIM(value, dims) != args->keys) {
    return false;
  }
  read_operand(query, &args->q);
  read_operand(key, &args->k);
  read_operand(value, &args->v);
  return read_mask(mask, args);
}

// An array shaped like `like` but for the last dimension. Heads that lie inside the rows of their
// tokens, (B, T, H, D) seen as (B, H, T, D), stay so: turning the result back costs nothing then.
PyObject* new_in_order(PyArrayObject* like, npy_intp last) {
  const int n = PyArray_NDIM(like);
  npy_intp shape[kAttentionDims + 2];
  for (int i = 0; i < n; ++i) shape[i] = PyArray_DIM(like, i);
  shape[n - 1] = last;
  const bool turned =
      n == 4 && PyArray_STRIDE(like, 1) < PyArray_STRIDE(like, 2) && shape[1] > 1 && shape[2] > 1;
  if (turned) {
    const npy_intp heads = shape[1];
    shape[1] = shape[2];
    shape[2] = heads;
  }
  PyObject* array = new_array(PyArray_DescrFromType(NPY_FLOAT), n, shape);
  if (!array || !turned) return array;
  PyObject* view = PyArray_SwapAxes(as_array(array), 1, 2);
  Py_DECREF(array);
  return view;
}

// Runs a kernel with its workspace; false with MemoryError set when there is no room.
bool run(AttentionArgs& args, bool backward) {
  const AttentionKernels& k = kernels().attention;
  const double work = static_cast<double>(args.count) * static_cast<double>(args.queries) *
                      static_cast<double>(args.keys) *
                      static_cast<double>(args.width + args.value_width) * (backward ? 2.5 : 1.0);
  // Matrices count in parts, so that a few of them have work for all threads.
  args.slots = args.count * 16;
  if (args.slots > get_num_threads()) args.slots = get_num_threads();
  const int64_t bytes = k.workspace(args, backward);
  Workspace space(static_cast<size_t>(bytes));
  if (space.failed()) {
    fail(PyExc_MemoryError,
         "attention: a workspace of %lld bytes is needed; the system has not as many",
         static_cast<long long>(bytes));
    return false;
  }
  args.workspace = space.data();
  KernelScope scope(kMultiplyAdd * work);
  (backward ? k.backward : k.forward)(args);
  return true;
}

// attention(q, k, v, mask, causal, scale): (out, stats (2, matrices, queries)), or None.
PyObject* attention(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "attention";
  AttentionArgs a = {};
  double scale;
  if (!check_count(kernel, nargs, 6) || !read_bool(kernel, "causal", args[4], &a.causal) ||
      !read_double(kernel, "scale", args[5], &scale)) {
    return nullptr;
  }
  a.scale = static_cast<float>(scale);
  if (!read_inputs(args[0], args[1], args[2], args[3], &a)) return new_none();
  const npy_intp shape[3] = {2, static_cast<npy_intp>(a.count), static_cast<npy_intp>(a.queries)};
  PyObject* out = new_in_order(as_array(args[0]), a.value_width);
  PyObject* stats = out ? new_array(PyArray_DescrFromType(NPY_FLOAT), 3, shape) : nullptr;
  PyObject* result = nullptr;
  if (stats) {
    read_operand(as_array(out), &a.out);
    a.top = data_of<float>(stats);
    a.inverse = a.top + a.count * a.queries;
    if (run(a, false)) result = PyTuple_Pack(2, out, stats);
  }
  Py_XDECREF(out);
  Py_XDECREF(stats);
  return result;
}

// attention_backward(grad, q, k, v, mask, out, stats, causal, scale, want): (dq, dk, dv), where
// `want` has a truth value for each; or None.
PyObject* attention_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "attention_backward";
  AttentionArgs a = {};
  double scale;
  if (!check_count(kernel, nargs, 10) || !read_bool(kernel, "causal", args[7], &a.causal) ||
      !read_double(kernel, "scale", args[8], &scale)) {
    return nullptr;
  }
  if (!PyTuple_Check(args[9]) || PyTuple_GET_SIZE(args[9]) < 3) {
    return fail(PyExc_TypeError, "%s: want must be a tuple of at least three", kernel);
  }
  a.scale = static_cast<float>(scale);
  PyObject *grad = args[0], *out = args[5], *stats = args[6];
  if (!read_inputs(args[1], args[2], args[3], args[4], &a) || !is_operand(grad, a.dims) ||
      !is_operand(out, a.dims) || !is_fast(stats) ||
      !PyArray_SAMESHAPE(as_array(grad), as_array(out)) ||
      !same_batch(as_array(out), as_array(args[1]), a.dims) ||
      PyArray_DIM(as_array(out), a.dims) != a.queries ||
      PyArray_DIM(as_array(out), a.dims + 1) != a.value_width ||
      PyArray_TYPE(as_array(stats)) != NPY_FLOAT ||
      PyArray_SIZE(as_array(stats)) != 2 * a.count * a.queries) {
    return new_none();
  }
  read_operand(as_array(grad), &a.grad);
  read_operand(as_array(out), &a.out);
  a.top = data_of<float>(stats);
  a.inverse = a.top + a.count * a.queries;
  PyObject* results[3] = {};
  AttentionOperand* operands[3] = {&a.dq, &a.dk, &a.dv};
  bool ok = true;
  for (int i = 0; ok && i < 3; ++i) {
    const int wanted = PyObject_IsTrue(PyTuple_GET_ITEM(args[9], i));
    if (wanted > 0) {
      PyArrayObject* like = as_array(args[1 + i]);
      results[i] = new_in_order(like, PyArray_DIM(like, a.dims + 1));
      if (results[i]) read_operand(as_array(results[i]), operands[i]);
    } else {
      results[i] = wanted ? nullptr : new_none();
    }
    ok = results[i] != nullptr;
  }
  PyObject* result =
      ok && run(a, true) ? PyTuple_Pack(3, results[0], results[1], results[2]) : nullptr;
  for (PyObject* array : results) Py_XDECREF(array);
  return result;
}

PyMethodDef kFunctions[] = {
    MG_FAST(attention, "attention(q, k, v, mask, causal, scale): (out, stats) or None"),
    MG_FAST(attention_backward,
            "attention_backward(grad, q, k, v, mask, out, stats, causal, scale, want): "
            "(dq, dk, dv) or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_attention(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
