// Several index arrays as one: the numbers among all places of the first dimensions of a table that
// they name, and writing at them in place.
#include <algorithm>

#include "bindings/families.h"
#include "bindings/graph.h"
#include "bindings/index.h"
#include "kernels/elementwise.h"

namespace mg {
namespace {

// What index arrays broadcast to.
struct Common {
  int ndim = 0;
  npy_intp shape[kWalkDims];

  bool add(PyArrayObject* index) {
    const int n = PyArray_NDIM(index);
    if (n > kWalkDims) return false;
    for (; ndim < n; ++ndim) {
      std::copy_backward(shape, shape + ndim, shape + ndim + 1);
      shape[0] = 1;
    }
    for (int d = 0; d < n; ++d) {
      const npy_intp extent = PyArray_DIM(index, d);
      npy_intp& mine = shape[ndim - n + d];
      if (mine == 1) mine = extent;
      if (extent != mine && extent != 1) return false;
    }
    return true;
  }
};

// out = out * size + index along one row; whether all numbers are in [-size, size).
bool add_row(int64_t* out, const int64_t* index, int64_t stride, int64_t n, int64_t size) {
  uint64_t outside = 0;
  for (int64_t i = 0; i < n; ++i) {
    int64_t at = index[i * stride];
    at += at < 0 ? size : 0;
    outside |= static_cast<uint64_t>(static_cast<uint64_t>(at) >= static_cast<uint64_t>(size));
    out[i] = out[i] * size + at;
  }
  return outside == 0;
}

// The same for all rows. `out` is in C order and has the common shape.
bool add_index(int64_t* out, const Common& common, PyArrayObject* index, int64_t size) {
  const int ndim = common.ndim, skip = ndim - PyArray_NDIM(index);
  int64_t strides[kWalkDims], place[kWalkDims] = {};
  for (int d = 0; d < ndim; ++d) {
    const bool whole = d >= skip && PyArray_DIM(index, d - skip) > 1;
    const npy_intp bytes = whole ? PyArray_STRIDE(index, d - skip) : 0;
    if (bytes % static_cast<npy_intp>(sizeof(int64_t))) return false;
    strides[d] = bytes / static_cast<npy_intp>(sizeof(int64_t));
  }
  const int64_t* from = static_cast<const int64_t*>(PyArray_DATA(index));
  if (ndim == 0) return add_row(out, from, 0, 1, size);
  const npy_intp row = common.shape[ndim - 1];
  for (;;) {
    if (!add_row(out, from, strides[ndim - 1], row, size)) return false;
    out += row;
    int d = ndim - 2;
    for (; d >= 0; --d) {
      from += strides[d];
      if (++place[d] < common.shape[d]) break;
      from -= strides[d] * common.shape[d];
      place[d] = 0;
    }
    if (d < 0) return true;
  }
}

// nullptr: with an error, or what `numbers` answers with None.
PyArrayObject* numbers_of(const npy_intp* shape, PyArrayObject* const* indices, int count) {
  Common common;
  for (int k = 0; k < count; ++k) {
    if (dtype_of(PyArray_DESCR(indices[k])) != DType::kInt64 || !PyArray_ISALIGNED(indices[k]) ||
        !common.add(indices[k]) || shape[k] < 1) {
      return nullptr;
    }
  }
  PyArray_Descr* descr = PyArray_DescrFromType(NPY_INT64);
  PyArrayObject* out =
      reinterpret_cast<PyArrayObject*>(new_array(descr, common.ndim, common.shape));
  if (!out) return nullptr;
  int64_t* to = static_cast<int64_t*>(PyArray_DATA(out));
  const npy_intp total = PyArray_SIZE(out);
  std::fill(to, to + total, 0);
  bool good = total > 0;
  for (int k = 0; k < count && good; ++k) good = add_index(to, common, indices[k], shape[k]);
  if (!good) Py_CLEAR(out);
  return out;
}

constexpr int kMost = 8;  // index arrays

// The arrays of a tuple or list of index tensors or arrays, or of one; their number, or 0.
int read_indices(PyObject* given, PyArrayObject** indices) {
  PyObject* const one[1] = {given};
  const bool several = PyTuple_CheckExact(given) || PyList_CheckExact(given);
  const Py_ssize_t count = several ? PySequence_Fast_GET_SIZE(given) : 1;
  PyObject* const* items = several ? PySequence_Fast_ITEMS(given) : one;
  if (count > kMost) return 0;
  for (Py_ssize_t k = 0; k < count; ++k) {
    PyObject* item = g.tensor && is_variable(items[k]) ? slot(items[k], g.array) : items[k];
    if (!item || !PyArray_CheckExact(item)) return 0;
    indices[k] = reinterpret_cast<PyArrayObject*>(item);
  }
  return static_cast<int>(count);
}

PyObject* numbers(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("numbers", nargs, 2)) return nullptr;
  PyArrayObject* indices[kMost];
  npy_intp shape[kMost];
  const int count = read_indices(args[1], indices);
  if (count == 0 || !PyTuple_Check(args[0]) || PyTuple_GET_SIZE(args[0]) < count) {
    return new_none();
  }
  for (int k = 0; k < count; ++k) {
    int64_t extent;
    if (!read_int("numbers", "a size", PyTuple_GET_ITEM(args[0], k), &extent)) return nullptr;
    shape[k] = extent;
  }
  PyObject* result = reinterpret_cast<PyObject*>(numbers_of(shape, indices, count));
  return result || PyErr_Occurred() ? result : new_none();
}

// x, in C order, with its first `count` dimensions as one.
PyArrayObject* merged(PyArrayObject* x, int count) {
  const int ndim = PyArray_NDIM(x);
  npy_intp shape[NPY_MAXDIMS];
  shape[0] = 1;
  for (int d = 0; d < ndim; ++d) {
    if (d < count) {
      shape[0] *= PyArray_DIM(x, d);
    } else {
      shape[d - count + 1] = PyArray_DIM(x, d);
    }
  }
  PyArray_Dims dims = {shape, ndim - count + 1};
  return reinterpret_cast<PyArrayObject*>(PyArray_Newshape(x, &dims, NPY_CORDER));
}

// fast_put_at(input, indices, values, add)
PyObject* fast_put_at(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  bool add;
  if (!check_count("fast_put_at", nargs, 4) || !read_bool("fast_put_at", "add", args[3], &add)) {
    return nullptr;
  }
  PyObject *target = args[0], *given = args[2];
  PyArrayObject* indices[kMost];
  if (!g.tensor || g_anomaly || !is_variable(target) || !is_variable(given) || target == given ||
      !PyArray_CheckExact(slot(given, g.array)) || !may_write(target, slot(given, g.fn))) {
    Py_RETURN_FALSE;
  }
  PyArrayObject* x = reinterpret_cast<PyArrayObject*>(slot(target, g.array));
  PyArrayObject* values = reinterpret_cast<PyArrayObject*>(slot(given, g.array));
  const int count = read_indices(args[1], indices);
  if (count == 0 || count > PyArray_NDIM(x)) Py_RETURN_FALSE;
  for (int k = 0; k < count; ++k) {  // uint8 is a mask
    if (dtype_of(PyArray_DESCR(indices[k])) != DType::kInt64) Py_RETURN_FALSE;
  }
  Keep keep(true, {reinterpret_cast<PyObject*>(x), reinterpret_cast<PyObject*>(values),
                   reinterpret_cast<PyObject*>(indices[0])});
  int done = 0;
  if (count == 1) {
    done = write_places(x, 0, indices[0], values, true, add);
  } else if (PyArrayObject* at = numbers_of(PyArray_DIMS(x), indices, count)) {
    PyArrayObject* seen = merged(x, count);
    done = seen ? write_places(seen, 0, at, values, false, add) : -1;
    Py_XDECREF(seen);
    Py_DECREF(at);
  }
  if (done < 0 || PyErr_Occurred()) return nullptr;
  if (done && (!cell_of(target) || !note_write(target))) return nullptr;
  return PyBool_FromLong(done);
}

PyMethodDef kFunctions[] = {
    MG_FAST(numbers, "numbers(shape, indices): several index arrays as one, or None"),
    MG_FAST(fast_put_at,
            "fast_put_at(input, indices, values, add): outside the graph; whether it was done"),
    MG_TABLE_END,
};

}  // namespace

void bind_index_numbers(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
