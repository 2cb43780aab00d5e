// _cuda.take, put_rows, gather, scatter and add_sorted_rows.
#include "cuda/bindings.h"
#include "cuda/kernels_index.h"

namespace mg::cuda {
namespace {

void append(const Call& call, StridedWalk<3>& w, int64_t extent, int64_t other, int64_t table,
            int64_t index) {
  w.size *= extent;
  if (extent == 1) return;
  const int64_t stride[3] = {other, table, index};
  bool joins = w.ndim > 0;
  for (int k = 0; joins && k < 3; ++k) joins = w.stride[k][w.ndim - 1] == stride[k] * extent;
  if (!joins && w.ndim == kWalkDims) {
    call.fail(PyExc_ValueError, "the arrays have more than %d dimensions that cannot be merged",
              kWalkDims);
  }
  if (!joins) w.shape[w.ndim++] = 1;
  w.shape[w.ndim - 1] *= extent;
  for (int k = 0; k < 3; ++k) w.stride[k][w.ndim - 1] = stride[k];
}

// What the functions have in common: (first, second, index, dim, wrap, bad, ...).
struct Arguments {
  Array table, other, index, bad;
  int dim;
  bool wrap;
};

Arguments read(Call& call, bool table_first) {
  Arguments a;
  const Array first = call.array(table_first ? "table" : "out");
  const Array second = call.array(table_first ? "values" : "table");
  a.table = table_first ? first : second;
  a.other = table_first ? second : first;
  a.index = call.array("index");
  call.need_dtype("index", a.index, DType::kInt64);
  call.need_dtype(table_first ? "values" : "out", a.other, a.table.dtype);
  a.dim = static_cast<int>(call.integer("dim", 0, a.table.ndim > 0 ? a.table.ndim - 1 : 0));
  a.wrap = call.boolean("wrap");
  a.bad = call.optional("bad");
  if (a.bad.given) {
    call.need_dtype("bad", a.bad, DType::kInt32);
    if (a.bad.size != 1) call.fail(PyExc_ValueError, "bad must have one element");
  }
  if (a.table.ndim == 0) call.fail(PyExc_ValueError, "table has no dimensions; it must have some");
  return a;
}

IndexCall finish(IndexCall c, const Arguments& a) {
  if (c.walk.ndim == 0) {
    c.walk.ndim = 1;
    c.walk.shape[0] = c.walk.size;
    c.walk.stride[0][0] = c.walk.stride[1][0] = 1;
  }
  c.other = a.other.data;
  c.table = a.table.data;
  c.index = a.index.as<int64_t>();
  c.step = a.table.strides[a.dim];
  c.count = a.table.shape[a.dim];
  c.bad = a.bad.as<int32_t>();
  c.wrap = a.wrap;
  return c;
}

[[noreturn]] void misfit(const Call& call, const Arguments& a) {
  call.fail(PyExc_ValueError, "table is %s, index %s and the other array %s; they must fit",
            describe(a.table).c_str(), describe(a.index).c_str(), describe(a.other).c_str());
}

// other[i, j, k] = table[i, index[j], k].
IndexCall plan_rows(const Call& call, const Arguments& a) {
  const int more = a.index.ndim;
  if (a.other.ndim != a.table.ndim - 1 + more) misfit(call, a);
  IndexCall c = {};
  c.walk.size = 1;
  for (int d = 0; d < a.other.ndim; ++d) {
    const bool along = d >= a.dim && d < a.dim + more;
    const int t = d < a.dim ? d : d - more + 1;
    const int64_t extent = along ? a.index.shape[d - a.dim] : a.table.shape[t];
    if (a.other.shape[d] != extent) misfit(call, a);
    append(call, c.walk, extent, a.other.strides[d], along ? 0 : a.table.strides[t],
           along ? a.index.strides[d - a.dim] : 0);
  }
  return finish(c, a);
}

// other[i, j, k] = table[i, index[i, j, k], k]; the index may be smaller than the table.
IndexCall plan_each(const Call& call, const Arguments& a) {
  if (a.other.ndim != a.index.ndim || a.table.ndim != a.index.ndim) misfit(call, a);
  IndexCall c = {};
  c.walk.size = 1;
  for (int d = 0; d < a.other.ndim; ++d) {
    const int64_t extent = a.index.shape[d];
    if (a.other.shape[d] != extent) misfit(call, a);
    if (d != a.dim && extent > a.table.shape[d]) misfit(call, a);
    append(call, c.walk, extent, a.other.strides[d], d == a.dim ? 0 : a.table.strides[d],
           a.index.strides[d]);
  }
  return finish(c, a);
}

PyObject* take_from(Call& call, bool each) {
  const Arguments a = read(call, false);
  const IndexCall c = each ? plan_each(call, a) : plan_rows(call, a);
  const int64_t item = call.item(a.table);
  const Stream stream = call.stream();
  return call.launch([&] { return take(item, c, stream); });
}

PyObject* put_to(Call& call, bool each) {
  const Arguments a = read(call, true);
  const IndexCall c = each ? plan_each(call, a) : plan_rows(call, a);
  const int64_t item = call.item(a.table);
  const bool adds = call.boolean("add");
  const Stream stream = call.stream();
  if (!adds) return call.launch([&] { return put(item, c, stream); });
  if (a.table.dtype != DType::kFloat32 && a.table.dtype != DType::kFloat64) {
    call.fail(PyExc_TypeError, "table is %s; what is added to must be float32 or float64",
              describe(a.table).c_str());
  }
  return call.launch([&] { return add(a.table.dtype == DType::kFloat64, c, stream); });
}

PyObject* take(PyObject* const* args, Py_ssize_t count) {
  Call call("take", args, count, 7);
  return take_from(call, false);
}
PyObject* gather(PyObject* const* args, Py_ssize_t count) {
  Call call("gather", args, count, 7);
  return take_from(call, true);
}
PyObject* put_rows(PyObject* const* args, Py_ssize_t count) {
  Call call("put_rows", args, count, 8);
  return put_to(call, false);
}
PyObject* scatter(PyObject* const* args, Py_ssize_t count) {
  Call call("scatter", args, count, 8);
  return put_to(call, true);
}

PyObject* add_sorted_rows(PyObject* const* args, Py_ssize_t count) {
  Call call("add_sorted_rows", args, count, 7);
  const Array table = call.contiguous("table"), rows = call.contiguous("rows");
  const Array index = call.contiguous("index"), order = call.contiguous("order");
  SortedRows s = {};
  s.skip = call.integer("skip");
  const Array bad = call.optional("bad");
  const Stream stream = call.stream();
  call.need_dtype("rows", rows, table.dtype);
  call.need_dtype("index", index, DType::kInt64);
  call.need_dtype("order", order, DType::kInt64);
  if (bad.given) call.need_dtype("bad", bad, DType::kInt32);
  if (table.dtype < DType::kFloat16 || table.dtype > DType::kFloat64) {
    call.fail(PyExc_TypeError, "table is %s; it must have a floating-point type",
              describe(table).c_str());
  }
  if (table.ndim != 2 || order.size != index.size || rows.size != index.size * table.shape[1]) {
    call.fail(PyExc_ValueError,
              "table is %s, rows %s and index %s; they must be (count, width), "
              "(n, width) and (n,)",
              describe(table).c_str(), describe(rows).c_str(), describe(index).c_str());
  }
  s.type = table.dtype;
  s.table = table.data;
  s.rows = rows.data;
  s.index = index.as<int64_t>();
  s.order = order.as<int64_t>();
  s.n = index.size;
  s.width = table.shape[1];
  s.count = table.shape[0];
  s.bad = bad.as<int32_t>();
  return call.launch([&] { return add_sorted(s, stream); });
}

}  // namespace

PyMethodDef kIndexFunctions[] = {
    MG_CUDA_FUNCTION(take, "take(out, table, index, dim, wrap, bad, stream)"),
    MG_CUDA_FUNCTION(gather, "gather(out, table, index, dim, wrap, bad, stream)"),
    MG_CUDA_FUNCTION(put_rows, "put_rows(table, values, index, dim, wrap, bad, add, stream)"),
    MG_CUDA_FUNCTION(scatter, "scatter(table, values, index, dim, wrap, bad, add, stream)"),
    MG_CUDA_FUNCTION(add_sorted_rows,
                     "add_sorted_rows(table, rows, index, order, skip, bad, stream)"),
    MG_CUDA_TABLE_END,
};

}  // namespace mg::cuda
