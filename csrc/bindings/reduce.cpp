// _C.reduce and var_mean: the operation, its result and its graph node in one call. None for what
// NumPy has to do, and for arguments that Python has to judge.
#include "kernels/reduce.h"

#include "bindings/families.h"
#include "bindings/reduce_input.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

// In the order of `KINDS` in minigrad/kernels/reduction.py.
enum class Kind {
  kSum,
  kMean,
  kMax,
  kMin,
  kProd,
  kNorm1,
  kNorm2,
  kNormInf,
  kNormLeast,  // the norm of order -inf
  kNorm0,
  kCountNonzero,
  kAny,
  kAll,
  kVar,
  kStd,
  kLogSumExp,
  kNanSum,
  kCount
};
constexpr long kSavesInput = 0x100;
constexpr long kSavesOutput = 0x200;
constexpr long kSavesMean = 0x400;  // as an attribute of the node

struct Names {
  PyObject *shape, *axes, *number, *mean;
};
Names n;

constexpr double kExp = 1.0;  // nanoseconds for an exponential

ReduceOp op_of(Kind kind) {
  constexpr ReduceOp ops[] = {
      ReduceOp::kSum,     ReduceOp::kSum,     ReduceOp::kMax,       ReduceOp::kMin,
      ReduceOp::kProd,    ReduceOp::kAbsSum,  ReduceOp::kSquareSum, ReduceOp::kAbsMax,
      ReduceOp::kAbsMin,  ReduceOp::kNonzero, ReduceOp::kNonzero,   ReduceOp::kNonzero,
      ReduceOp::kNonzero, ReduceOp::kVar,     ReduceOp::kVar,       ReduceOp::kLogSumExp,
      ReduceOp::kNanSum,
  };
  return ops[static_cast<int>(kind)];
}

bool is_extremum(Kind kind) {
  return kind == Kind::kMax || kind == Kind::kMin || kind == Kind::kNormInf ||
         kind == Kind::kNormLeast;
}

// Whether values that repeat along a reduced dimension are taken once, and their sum times.
bool takes_repeats(Kind kind) { return kind != Kind::kProd && kind != Kind::kLogSumExp; }

Finish finish_of(Kind kind, int64_t count, double number) {
  const double size = static_cast<double>(count);
  Finish f = {1, false, Finish::Out::kSame, size};
  if (kind == Kind::kMean) f.scale = 1 / size;
  if (kind == Kind::kVar || kind == Kind::kStd) f.scale = 1 / (size > number ? size - number : 0.0);
  f.root = kind == Kind::kNorm2 || kind == Kind::kStd;
  if (kind == Kind::kCountNonzero) f.out = Finish::Out::kInt64;
  if (kind == Kind::kAny) f.out = Finish::Out::kPositive;
  if (kind == Kind::kAll) f.out = Finish::Out::kAtLeast;
  return f;
}

// Runs a reduction. Returns its array, or None; `mean` (may be nullptr) gets an array of means.
PyObject* run_reduce(Kind kind, Input* in, const Axes& axes, bool keepdims, double number,
                     PyObject** mean) {
  Groups groups;
  PyArrayObject* x = in->x;
  int64_t repeats = 1;
  if (is_extremum(kind) && axes.count == 0) return new_none();
  if (!group_axes(x, axes, &groups, takes_repeats(kind) ? &repeats : nullptr)) {
    repeats = 1;
    if (PyArray_IS_C_CONTIGUOUS(x) || !(x = in_order(in)) || !group_axes(x, axes, &groups)) {
      return PyErr_Occurred() ? nullptr : new_none();
    }
  }
  npy_intp shape[NPY_MAXDIMS];
  const int ndim = kept_dims(x, axes, keepdims, shape);
  Finish finish = finish_of(kind, axes.count, number);
  if (!is_extremum(kind)) finish.scale *= static_cast<double>(repeats);
  Workspace work(static_cast<size_t>(reduce_workspace(groups)) * sizeof(double));
  if (work.failed()) return PyErr_NoMemory();
  PyObject* out = finish.out == Finish::Out::kSame    ? new_like(x, ndim, shape)
                  : finish.out == Finish::Out::kInt64 ? new_typed(NPY_INT64, ndim, shape)
                                                      : new_typed(NPY_BOOL, ndim, shape);
  if (!out) return nullptr;
  if (mean && !(*mean = new_like(x, ndim, shape))) {
    Py_DECREF(out);
    return nullptr;
  }
  const double time = kind == Kind::kLogSumExp ? kExp : kReduceEach;
  void* result = data_of<void>(out);
  void* means = mean ? data_of<void>(*mean) : nullptr;
  double* scratch = static_cast<double*>(work.data());
  KernelScope scope(time * static_cast<double>(PyArray_SIZE(x)));
  if (PyArray_TYPE(x) == NPY_FLOAT) {
    kernels().reduce.f32.reduce(op_of(kind), result, static_cast<float*>(means),
                                static_cast<const float*>(PyArray_DATA(x)), groups, finish,
                                scratch);
  } else if (PyArray_TYPE(x) != NPY_DOUBLE) {
    kernels().reduce.reduce_halves(op_of(kind), result, means, PyArray_DATA(x),
                                   dtype_of(PyArray_DESCR(x)), groups, finish, scratch);
  } else {
    kernels().reduce.f64.reduce(op_of(kind), result, static_cast<double*>(means),
                                static_cast<const double*>(PyArray_DATA(x)), groups, finish,
                                scratch);
  }
  return out;
}

// The same for any, all and count_nonzero of integers and bools, over one run of dimensions.
PyObject* run_count(Kind kind, PyArrayObject* x, const Axes& axes, bool keepdims) {
  Groups groups;
  if (!group_axes(x, axes, &groups) || groups.r1 != 1 || (groups.b != 1 && groups.a != 1)) {
    return new_none();
  }
  npy_intp shape[NPY_MAXDIMS];
  const int ndim = kept_dims(x, axes, keepdims, shape);
  PyObject* counts = new_typed(NPY_INT64, ndim, shape);
  if (!counts) return nullptr;
  int64_t* count = data_of<int64_t>(counts);
  {
    KernelScope scope(0.05 * static_cast<double>(PyArray_NBYTES(x)));
    kernels().reduce.count_nonzero(count, PyArray_DATA(x), PyArray_ITEMSIZE(x), groups.a * groups.b,
                                   groups.r2, groups.c);
  }
  if (kind == Kind::kCountNonzero) return counts;
  PyObject* out = new_typed(NPY_BOOL, ndim, shape);
  if (out) {
    uint8_t* to = data_of<uint8_t>(out);
    for (npy_intp i = 0; i < PyArray_SIZE(array_of(out)); ++i) {
      to[i] = kind == Kind::kAny ? count[i] > 0 : count[i] == axes.count;
    }
  }
  Py_DECREF(counts);
  return out;
}

// Whether run_count takes the type; any and all of bytes give bytes and are left to Python.
bool is_counted(Kind kind, PyArrayObject* x) {
  switch (dtype_of(PyArray_DESCR(x))) {
    case DType::kBool:
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
      return true;
    case DType::kUInt8:
      return kind == Kind::kCountNonzero;
    default:
      return false;
  }
}

// Sums, products and extrema of integers and bools, or None. A raw array's type must be the sum's.
PyObject* run_integers(Kind kind, PyObject* given, PyObject* dim, bool keepdims) {
  const bool variable = g.tensor && is_variable(given);
  PyObject* array = variable ? slot(given, g.array) : given;
  if (!PyArray_CheckExact(array)) return new_none();
  PyArrayObject* x = array_of(array);
  const DType type = dtype_of(PyArray_DESCR(x));
  const bool adds = kind == Kind::kSum || kind == Kind::kProd;
  if ((type != DType::kBool && type != DType::kUInt8 && type != DType::kInt32 &&
       type != DType::kInt64) ||
      (!variable && type != DType::kInt64) || !PyArray_ISBEHAVED_RO(x)) {
    return new_none();
  }
  Axes axes;
  Groups groups;
  if (!read_axes(dim, x, &axes) || (!adds && axes.count == 0)) return new_none();
  if (kind == Kind::kSum && type == DType::kBool && PyArray_ISCARRAY_RO(x)) {  // counted faster
    Keep keep(true, {array});
    PyObject* counts = run_count(Kind::kCountNonzero, x, axes, keepdims);
    if (!counts || counts != Py_None) return counts ? new_tensor(counts, Py_None) : nullptr;
    Py_DECREF(counts);
  }
  PyObject* dense = nullptr;
  int64_t repeats = 1;
  if (!group_axes(x, axes, &groups, kind == Kind::kProd ? nullptr : &repeats)) {
    repeats = 1;
    if (PyArray_IS_C_CONTIGUOUS(x) || !(dense = dense_copy(x)) ||
        !group_axes(array_of(dense), axes, &groups)) {
      Py_XDECREF(dense);
      return PyErr_Occurred() ? nullptr : new_none();
    }
    x = array_of(dense);
  }
  Keep keep(true, {array, dense});
  Py_XDECREF(dense);
  npy_intp shape[NPY_MAXDIMS];
  const int ndim = kept_dims(x, axes, keepdims, shape);
  Workspace work(static_cast<size_t>(reduce_workspace(groups)) * sizeof(int64_t));
  if (work.failed()) return PyErr_NoMemory();
  PyObject* out = adds ? new_typed(NPY_INT64, ndim, shape) : new_like(x, ndim, shape);
  if (!out) return nullptr;
  void* result = data_of<void>(out);
  {
    KernelScope scope(kReduceEach * static_cast<double>(PyArray_SIZE(x)));
    kernels().reduce.integers(op_of(kind), result, PyArray_DATA(x), type, groups,
                              static_cast<int64_t*>(work.data()));
    for (npy_intp i = 0; kind == Kind::kSum && repeats > 1 && i < PyArray_SIZE(array_of(out));
         ++i) {
      uint64_t* sum = static_cast<uint64_t*>(result) + i;
      *sum *= static_cast<uint64_t>(repeats);
    }
  }
  return variable ? new_tensor(out, Py_None) : out;
}

PyObject* axes_tuple(PyArrayObject* x, const Axes& axes) {
  PyObject* list = PyTuple_New(PyArray_NDIM(x));
  int count = 0;
  for (int i = 0; list && i < PyArray_NDIM(x); ++i) {
    if (axes.reduced[i]) PyTuple_SET_ITEM(list, count++, PyLong_FromLong(i));
  }
  if (list && count < PyArray_NDIM(x)) _PyTuple_Resize(&list, count);
  return list;
}

// Fills node.saved and node.cells with the input's array and the result's, as asked.
bool save(PyObject* node, const Input& in, PyObject* result, bool input, bool output) {
  if (!input && !output) return true;
  PyObject* first = input ? saved_cell(in.given) : nullptr;
  PyObject* second = output ? cell_of(result) : nullptr;
  if ((input && !first) || (output && !second)) return false;
  PyObject* x = reinterpret_cast<PyObject*>(in.x);
  PyObject* y = slot(result, g.array);
  replace(node, g.saved, input && output ? PyTuple_Pack(2, x, y) : PyTuple_Pack(1, input ? x : y));
  replace(
      node, g.cells,
      input && output ? PyTuple_Pack(2, first, second) : PyTuple_Pack(1, input ? first : second));
  return slot(node, g.saved) && slot(node, g.cells);
}

// reduce(cls, spec, input, dim, keepdim, number): a tensor for a tensor, an array for an array.
// The node gets shape, axes and number, and what spec asks for; cls may be None for arrays.
PyObject* reduce(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double number;
  if (!check_count("reduce", nargs, 6)) return nullptr;
  const long spec = PyLong_AsLong(args[1]);
  if (spec == -1 && PyErr_Occurred()) return nullptr;
  const Kind kind = static_cast<Kind>(spec & 0xff);
  if (kind >= Kind::kCount) return fail(PyExc_ValueError, "reduce: kind %ld is unknown", spec);
  if (!read_double("reduce", "number", args[5], &number)) return nullptr;
  if (args[4] != Py_True && args[4] != Py_False) return new_none();
  const bool keepdims = args[4] == Py_True;
  Axes axes;
  Input in;
  if (!read_input(args[2], &in, true)) {
    if (kind == Kind::kSum || kind == Kind::kProd || kind == Kind::kMax || kind == Kind::kMin) {
      return run_integers(kind, args[2], args[3], keepdims);
    }
    if (kind < Kind::kCountNonzero || kind > Kind::kAll || !g.tensor) return new_none();
    PyObject* array = in.variable ? slot(in.given, g.array) : in.given;
    if (!PyArray_CheckExact(array) || !is_counted(kind, array_of(array)) ||
        !PyArray_ISCARRAY_RO(array_of(array)) || !read_axes(args[3], array_of(array), &axes)) {
      return new_none();
    }
    Keep keep(true, {array});
    PyObject* out = run_count(kind, array_of(array), axes, keepdims);
    return out && out != Py_None && in.variable ? new_tensor(out, Py_None) : out;
  }
  if (!read_axes(args[3], in.x, &axes)) return new_none();
  if ((kind == Kind::kVar || kind == Kind::kStd) && in.variable &&
      static_cast<double>(axes.count) <= number) {
    return new_none();  // Python warns
  }
  Keep keep(true, {reinterpret_cast<PyObject*>(in.x), in.fn});
  const bool record = in.tracked && !(kind >= Kind::kCountNonzero && kind <= Kind::kAll);
  PyObject* mean = nullptr;
  PyObject* out = run_reduce(kind, &in, axes, keepdims, number,
                             record && (spec & kSavesMean) ? &mean : nullptr);
  if (!out || out == Py_None || !in.variable) return out;
  if (!record) return new_tensor(out, Py_None);
  PyObject* node = new_node(args[0], PyTuple_Pack(1, in.fn));
  PyObject* result = node ? new_tensor(out, node) : nullptr;
  if (!node) Py_DECREF(out);
  if (result && !(set(node, n.shape, dims_of(in.x)) && set(node, n.axes, axes_tuple(in.x, axes)) &&
                  save(node, in, result, spec & kSavesInput, spec & kSavesOutput))) {
    Py_CLEAR(result);
  }
  if (result) {
    Py_INCREF(args[5]);
    if (!set(node, n.number, args[5])) Py_CLEAR(result);
  }
  if (result && mean) {
    Py_INCREF(mean);
    if (!set(node, n.mean, mean)) Py_CLEAR(result);
  }
  Py_XDECREF(mean);
  Py_XDECREF(node);
  return result;
}

// var_mean(x, axes, keepdims, correction, root): (the variance or its root, the mean), or None.
PyObject* var_mean(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double correction;
  Axes axes;
  if (!check_count("var_mean", nargs, 5) ||
      !read_double("var_mean", "correction", args[3], &correction)) {
    return nullptr;
  }
  Input in;
  if (!read_input(args[0], &in) || in.variable || !read_axes(args[1], in.x, &axes)) {
    return new_none();
  }
  PyObject* mean = nullptr;
  PyObject* out = run_reduce(args[4] == Py_True ? Kind::kStd : Kind::kVar, &in, axes,
                             args[2] == Py_True, correction, &mean);
  if (!mean) return out;
  PyObject* pair = PyTuple_Pack(2, out, mean);
  Py_DECREF(out);
  Py_DECREF(mean);
  return pair;
}

PyMethodDef kFunctions[] = {
    MG_FAST(reduce, "reduce(cls, spec, input, dim, keepdim, number); None if NumPy has to"),
    MG_FAST(var_mean, "var_mean(x, axes, keepdims, correction, root); None if NumPy has to"),
    MG_TABLE_END,
};

}  // namespace

void bind_reduce(PyObject* module) {
  add_functions(module, kFunctions);
  n.shape = PyUnicode_InternFromString("shape");
  n.axes = PyUnicode_InternFromString("axes");
  n.number = PyUnicode_InternFromString("number");
  n.mean = PyUnicode_InternFromString("mean");
}

}  // namespace mg
