// Elements at numbered places of arrays, with every check before anything is written. Where a
// function returns None, NumPy does it, or says what is wrong.
#include "bindings/index.h"

#include "bindings/families.h"
#include "bindings/graph.h"
#include "bindings/index_plan.h"
#include "bindings/walk.h"
#include "kernels.h"

namespace mg {
namespace {

constexpr double kEach = 0.5;  // nanoseconds for an element, roughly

const int64_t* index_data(const IndexPlan& plan) {
  return static_cast<const int64_t*>(PyArray_DATA(plan.index));
}

double work_of(const Places& places) { return kEach * static_cast<double>(places.size); }

// Tells the range of the numbers, which the kernels check; here, where many elements share a
// number. False: one is wrong, or the index names nothing, which is left to NumPy.
bool tell_range(IndexPlan& plan, bool wrap) {
  Places& p = plan.places;
  p.low = wrap ? -p.count : 0;
  int64_t numbers = 1;
  for (int d = 0; d < p.ndim; ++d) numbers *= p.index[d] ? p.shape[d] : 1;
  p.checked = 4 * numbers <= p.size;
  return p.size > 0 && (!p.checked || kernels().index.valid(index_data(plan), p));
}

bool add_type(PyArrayObject* x, AddType* type) {
  switch (dtype_of(PyArray_DESCR(x))) {
    case DType::kUInt8:
    case DType::kInt8:
      *type = AddType::kUInt8;
      return true;
    case DType::kInt16:
      *type = AddType::kUInt16;
      return true;
    case DType::kInt32:
      *type = AddType::kUInt32;
      return true;
    case DType::kInt64:
      *type = AddType::kUInt64;
      return true;
    case DType::kFloat32:
      *type = AddType::kFloat32;
      return true;
    case DType::kFloat64:
      *type = AddType::kFloat64;
      return true;
    default:
      return false;
  }
}

bool same_type(PyArrayObject* a, PyArrayObject* b) {
  return PyArray_TYPE(a) == PyArray_TYPE(b) ||
         (dtype_of(PyArray_DESCR(a)) == dtype_of(PyArray_DESCR(b)) &&
          dtype_of(PyArray_DESCR(a)) != DType::kOther);
}

// Fills a new array with x, or with zeros.
bool fill(PyArrayObject* out, PyArrayObject* x) {
  void* data = PyArray_DATA(out);
  if (!x) {
    const int64_t bytes = PyArray_NBYTES(out);
    KernelScope scope(0.02 * static_cast<double>(bytes));
    kernels().index.zero(data, bytes);
    return true;
  }
  Layout layout;
  if (!plan_copy(x, &layout)) return false;
  KernelScope scope(kEach * static_cast<double>(layout.walk.size));
  kernels().elementwise.copy(data, PyArray_DATA(x), PyArray_ITEMSIZE(x), layout.walk);
  return true;
}

// Whether the memory between the first and the last elements of two arrays has bytes in common.
bool overlap(PyArrayObject* a, PyArrayObject* b) {
  const char *low[2], *high[2];
  PyArrayObject* const arrays[] = {a, b};
  for (int k = 0; k < 2; ++k) {
    low[k] = high[k] = static_cast<const char*>(PyArray_DATA(arrays[k]));
    for (int d = 0; d < PyArray_NDIM(arrays[k]); ++d) {
      const npy_intp span = PyArray_STRIDE(arrays[k], d) * (PyArray_DIM(arrays[k], d) - 1);
      (span < 0 ? low : high)[k] += span;
    }
    high[k] += PyArray_ITEMSIZE(arrays[k]);
  }
  return low[0] < high[1] && low[1] < high[0];
}

bool run_put(PyArrayObject* out, const IndexPlan& plan, PyArrayObject* values, int how,
             AddType type) {
  const IndexKernels& k = kernels().index;
  KernelScope scope(work_of(plan.places));
  if (how > 1) {
    return k.combine(PyArray_DATA(out), PyArray_DATA(values), index_data(plan), type,
                     static_cast<CombineOp>(how - 2), plan.places);
  }
  return how == 1
             ? k.add(PyArray_DATA(out), PyArray_DATA(values), index_data(plan), type, plan.places)
             : k.put(PyArray_DATA(out), PyArray_DATA(values), index_data(plan),
                     PyArray_ITEMSIZE(out), plan.places);
}

}  // namespace

PyObject* take_places(PyArrayObject* x, int64_t dim, PyArrayObject* index, Form form, bool wrap) {
  IndexPlan plan;
  if (!plan_places(x, dim, index, form, &plan)) return nullptr;
  dense_other(&plan);
  if (!merge_places(&plan) || !tell_range(plan, wrap)) return nullptr;
  PyArray_Descr* descr = PyArray_DESCR(x);
  Py_INCREF(descr);
  PyObject* out = new_array(descr, plan.ndim, plan.shape);
  if (!out) return nullptr;
  Keep keep(KernelScope::unlocks(work_of(plan.places)), {reinterpret_cast<PyObject*>(x)});
  bool good;
  {
    KernelScope scope(work_of(plan.places));
    good =
        kernels().index.take(PyArray_DATA(reinterpret_cast<PyArrayObject*>(out)), PyArray_DATA(x),
                             index_data(plan), PyArray_ITEMSIZE(x), plan.places);
  }
  if (!good) Py_CLEAR(out);
  return out;
}

PyObject* put_places(PyArrayObject* x, int ndim, const npy_intp* shape, int64_t dim,
                     PyArrayObject* index, PyArrayObject* values, Form form, bool wrap, int how,
                     int64_t skip) {
  AddType type = AddType::kCount;
  if ((how && !add_type(values, &type)) || (how > 1 && type < AddType::kUInt64) ||
      (x && !same_type(x, values)))
    return nullptr;
  if (x) {
    ndim = PyArray_NDIM(x);
    shape = PyArray_DIMS(x);
  }
  PyArray_Descr* descr = PyArray_DESCR(x ? x : values);
  if (PyDataType_REFCHK(descr) || descr->byteorder == NPY_OPPBYTE) return nullptr;
  Py_INCREF(descr);
  PyObject* result = new_array(descr, ndim, shape);
  if (!result) return nullptr;
  PyArrayObject* out = reinterpret_cast<PyArrayObject*>(result);
  IndexPlan plan;
  bool good = plan_places(out, dim, index, form, &plan) && other_of(values, form, &plan) &&
              merge_places(&plan) && tell_range(plan, wrap);
  plan.places.skip = skip;
  good = good && (skip < 0 || plan.places.index[plan.places.ndim - 1] == 0);
  if (!good) {
    Py_DECREF(result);
    return nullptr;
  }
  Keep keep(true, {reinterpret_cast<PyObject*>(x), reinterpret_cast<PyObject*>(values)});
  if (!fill(out, x) || !run_put(out, plan, values, how, type)) Py_CLEAR(result);
  return result;
}

int write_places(PyArrayObject* x, int64_t dim, PyArrayObject* index, PyArrayObject* values,
                 bool wrap, int how) {
  AddType type = AddType::kCount;
  if (!PyArray_ISWRITEABLE(x) || !same_type(x, values) || (how && !add_type(x, &type))) return 0;
  IndexPlan plan;
  if (!plan_places(x, dim, index, Form::kRows, &plan) || !other_of(values, Form::kRows, &plan)) {
    return PyErr_Occurred() ? -1 : 0;
  }
  // NumPy knows what to do when memory is shared, also within x (a repeated dimension).
  for (int d = 0; d < PyArray_NDIM(x); ++d) {
    if (PyArray_STRIDE(x, d) == 0 && PyArray_DIM(x, d) > 1) return 0;
  }
  if (overlap(x, values) || overlap(x, plan.index)) return 0;
  if (!merge_places(&plan) || !tell_range(plan, wrap)) return 0;
  Places& p = plan.places;
  if (!(p.checked = kernels().index.valid(index_data(plan), p))) return 0;
  p.skip = -1;
  run_put(x, plan, values, how, type);
  return 1;
}

PyObject* join_arrays(PyArrayObject* const* arrays, Py_ssize_t count, int64_t dim, bool stack) {
  if (count < 1 || count > kMaxJoined) return nullptr;
  PyArrayObject* first = arrays[0];
  const int n = PyArray_NDIM(first), limit = n + stack;
  if (dim < -limit || dim >= limit || limit > NPY_MAXDIMS || !has_item(first)) return nullptr;
  const int at = static_cast<int>(dim < 0 ? dim + limit : dim);
  npy_intp shape[NPY_MAXDIMS];
  int64_t outer = 1, inner = PyArray_ITEMSIZE(first);
  for (int d = 0; d < n; ++d) {
    shape[d + (stack && d >= at)] = PyArray_DIM(first, d);
    (d < at ? outer : inner) *= d == at && !stack ? 1 : PyArray_DIM(first, d);
  }
  const void* in[kMaxJoined];
  int64_t bytes[kMaxJoined];
  npy_intp total = 0;
  for (Py_ssize_t k = 0; k < count; ++k) {
    PyArrayObject* x = arrays[k];
    if (PyArray_NDIM(x) != n || PyArray_TYPE(x) != PyArray_TYPE(first) || !PyArray_ISCARRAY_RO(x)) {
      return nullptr;
    }
    for (int d = 0; d < n; ++d) {
      if ((stack || d != at) && PyArray_DIM(x, d) != PyArray_DIM(first, d)) return nullptr;
    }
    const npy_intp extent = stack ? 1 : PyArray_DIM(x, at);
    in[k] = PyArray_DATA(x);
    bytes[k] = extent * inner;
    total += extent;
  }
  shape[at] = total;
  PyArray_Descr* descr = PyArray_DESCR(first);
  Py_INCREF(descr);
  PyObject* out = new_array(descr, limit, shape);
  if (!out) return nullptr;
  KernelScope scope(0.05 * static_cast<double>(outer * inner * total));
  kernels().index.join(PyArray_DATA(reinterpret_cast<PyArrayObject*>(out)), in, bytes, count,
                       outer);
  return out;
}

namespace {

PyObject* or_none(PyObject* result) { return result || PyErr_Occurred() ? result : new_none(); }

PyArrayObject* as_array(PyObject* object) {
  return PyArray_CheckExact(object) ? reinterpret_cast<PyArrayObject*>(object) : nullptr;
}

// take(x, dim, index, wrap), gather(x, dim, index)
PyObject* take(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t dim;
  bool wrap;
  if (!check_count("take", nargs, 4) || !read_int("take", "dim", args[1], &dim) ||
      !read_bool("take", "wrap", args[3], &wrap)) {
    return nullptr;
  }
  PyArrayObject *x = as_array(args[0]), *index = as_array(args[2]);
  if (!x || !index) return new_none();
  return or_none(take_places(x, dim, index, Form::kRows, wrap));
}

PyObject* gather(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t dim;
  if (!check_count("gather", nargs, 3) || !read_int("gather", "dim", args[1], &dim)) {
    return nullptr;
  }
  PyArrayObject *x = as_array(args[0]), *index = as_array(args[2]);
  if (!x || !index) return new_none();
  return or_none(take_places(x, dim, index, Form::kAlong, false));
}

// put(x or shape, dim, index, values, along, wrap, add[, skip])
PyObject* put(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t dim, skip = -1;
  bool along, wrap, add;
  if (nargs < 7 || nargs > 8) return fail(PyExc_TypeError, "put: needed: 7 or 8 arguments");
  if (!read_int("put", "dim", args[1], &dim) || !read_bool("put", "along", args[4], &along) ||
      !read_bool("put", "wrap", args[5], &wrap) || !read_bool("put", "add", args[6], &add) ||
      (nargs == 8 && !read_int("put", "skip", args[7], &skip))) {
    return nullptr;
  }
  PyArrayObject *x = as_array(args[0]), *index = as_array(args[2]), *values = as_array(args[3]);
  npy_intp shape[NPY_MAXDIMS];
  int ndim = 0;
  if (!x && PyTuple_CheckExact(args[0]) && PyTuple_GET_SIZE(args[0]) <= NPY_MAXDIMS) {
    ndim = static_cast<int>(PyTuple_GET_SIZE(args[0]));
    for (int d = 0; d < ndim; ++d) {
      int64_t extent;
      if (!read_int("put", "a size", PyTuple_GET_ITEM(args[0], d), &extent)) return nullptr;
      shape[d] = extent;
    }
  } else if (!x) {
    return new_none();
  }
  if (!index || !values) return new_none();
  return or_none(put_places(x, ndim, shape, dim, index, values, along ? Form::kAlong : Form::kRows,
                            wrap, add, skip));
}

// combine(x, dim, index, values, op): a copy of x combined with values as `put` adds along an index
PyObject* combine(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t dim, op;
  if (!check_count("combine", nargs, 5) || !read_int("combine", "dim", args[1], &dim) ||
      !read_int("combine", "op", args[4], &op)) {
    return nullptr;
  }
  PyArrayObject *x = as_array(args[0]), *index = as_array(args[2]), *values = as_array(args[3]);
  if (!x || !index || !values || op < 0 || op > static_cast<int>(CombineOp::kSmallest)) {
    return new_none();
  }
  return or_none(put_places(x, 0, nullptr, dim, index, values, Form::kAlong, false,
                            static_cast<int>(op) + 2, -1));
}

// write_rows(x, dim, index, values): in place, negative numbers from the end; whether it was done
PyObject* write_rows(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t dim;
  if (!check_count("write_rows", nargs, 4) || !read_int("write_rows", "dim", args[1], &dim)) {
    return nullptr;
  }
  PyArrayObject *x = as_array(args[0]), *index = as_array(args[2]), *values = as_array(args[3]);
  const int done = x && index && values ? write_places(x, dim, index, values, true) : 0;
  return done < 0 ? nullptr : PyBool_FromLong(done);
}

// all_between(index, low, count): whether the numbers of an int64 array are in [low, count); None
// for other arrays
PyObject* all_between(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t low, count;
  if (!check_count("all_between", nargs, 3) || !read_int("all_between", "low", args[1], &low) ||
      !read_int("all_between", "count", args[2], &count)) {
    return nullptr;
  }
  PyArrayObject* index = as_array(args[0]);
  if (!index || dtype_of(PyArray_DESCR(index)) != DType::kInt64 || !PyArray_ISBEHAVED_RO(index) ||
      PyArray_NDIM(index) > kWalkDims || count <= low) {
    return new_none();
  }
  Places p = {};
  const bool dense = PyArray_IS_C_CONTIGUOUS(index);
  p.ndim = dense || PyArray_NDIM(index) == 0 ? 1 : PyArray_NDIM(index);
  p.size = p.shape[0] = PyArray_SIZE(index);
  p.index[0] = 1;
  p.count = count;
  p.low = low;
  for (int d = 0; !dense && d < p.ndim; ++d) {
    p.shape[d] = PyArray_DIM(index, d);
    p.index[d] = PyArray_STRIDE(index, d) / PyArray_ITEMSIZE(index);
  }
  if (p.size == 0) return PyBool_FromLong(1);
  return PyBool_FromLong(
      kernels().index.valid(static_cast<const int64_t*>(PyArray_DATA(index)), p));
}

// join(arrays, dim, stack): a tuple of arrays
PyObject* join(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t dim;
  bool stack;
  if (!check_count("join", nargs, 3) || !read_int("join", "dim", args[1], &dim) ||
      !read_bool("join", "stack", args[2], &stack)) {
    return nullptr;
  }
  PyObject* given = args[0];
  if (!PyTuple_CheckExact(given) || PyTuple_GET_SIZE(given) > kMaxJoined) return new_none();
  PyArrayObject* arrays[kMaxJoined];
  const Py_ssize_t count = PyTuple_GET_SIZE(given);
  for (Py_ssize_t k = 0; k < count; ++k) {
    arrays[k] = as_array(PyTuple_GET_ITEM(given, k));
    if (!arrays[k]) return new_none();
  }
  return or_none(join_arrays(arrays, count, dim, stack));
}

PyMethodDef kFunctions[] = {
    MG_FAST(take, "take(x, dim, index, wrap): whole places of a dimension, or None"),
    MG_FAST(gather, "gather(x, dim, index): an element for each number, or None"),
    MG_FAST(put, "put(x or shape, dim, index, values, along, wrap, add[, skip]): a copy, or None"),
    MG_FAST(combine, "combine(x, dim, index, values, op): product, maximum, minimum; or None"),
    MG_FAST(write_rows, "write_rows(x, dim, index, values): in place; whether it was done"),
    MG_FAST(all_between, "all_between(index, low, count): whether all are; None for other arrays"),
    MG_FAST(join, "join(arrays, dim, stack): side by side, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_index(PyObject* module) {
  add_functions(module, kFunctions);
  bind_index_numbers(module);
  bind_index_record(module);
}

}  // namespace mg
