// _C.grid_sample, _C.grid_sample_planes and _C.grid_sample_points: planes read at given points and
// the gradients of that, as new arrays.
#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"

namespace mg {
namespace {

constexpr double kRead = 0.6;  // nanoseconds for one neighbour of one element, roughly

// The last three arguments: padding, nearest, align.
bool read_how(const char* kernel, PyObject* const* args, SampleShape* s) {
  int64_t padding;
  if (!read_int(kernel, "padding", args[0], &padding) ||
      !read_bool(kernel, "nearest", args[1], &s->nearest) ||
      !read_bool(kernel, "align", args[2], &s->align)) {
    return false;
  }
  if (padding < 0 || padding >= static_cast<int64_t>(SamplePadding::kCount)) {
    fail(PyExc_ValueError, "%s: there is no padding %lld", kernel, static_cast<long long>(padding));
    return false;
  }
  s->padding = static_cast<SamplePadding>(padding);
  return true;
}

bool read_operand(const char* kernel, const char* name, PyObject* argument, Array* a) {
  if (!read_array(kernel, name, argument, a) || !need_contiguous(kernel, name, *a)) return false;
  if (a->ndim == 4 && (a->dtype == DType::kFloat32 || a->dtype == DType::kFloat64)) return true;
  fail(PyExc_ValueError, "%s: %s is %s; it must be float32 or float64 of 4 dimensions", kernel,
       name, describe(*a).c_str());
  return false;
}

// Sizes of x (n, c, h, w) and grid (n, p, q, 2).
bool read_sizes(const char* kernel, const npy_intp* x, DType dtype, const Array& grid,
                SampleShape* s) {
  if (!need_dtype(kernel, "grid", grid, dtype)) return false;
  s->n = x[0], s->c = x[1], s->h = x[2], s->w = x[3];
  s->points = grid.shape[1] * grid.shape[2];
  constexpr int64_t most = INT32_MAX;
  if (grid.shape[0] == s->n && grid.shape[3] == 2 && s->c >= 0 && s->h >= 1 && s->w >= 1 &&
      s->h < most && s->w < most && (s->h + 2) <= most / (s->w + 2)) {
    return true;
  }
  fail(PyExc_ValueError,
       "%s: grid is %s for planes (%lld, %lld, %lld, %lld); needed: (n, p, q, 2) and (n, c, h, w) "
       "of 1 to 2^31 elements a plane",
       kernel, describe(grid).c_str(), static_cast<long long>(s->n), static_cast<long long>(s->c),
       static_cast<long long>(s->h), static_cast<long long>(s->w));
  return false;
}

// g must be (n, c, p, q).
bool check_gradient(const char* kernel, const Array& g, const Array& grid, const SampleShape& s) {
  if (g.shape[0] == s.n && g.shape[1] == s.c && g.shape[2] == grid.shape[1] &&
      g.shape[3] == grid.shape[2]) {
    return true;
  }
  fail(PyExc_ValueError, "%s: g is %s for grid %s", kernel, describe(g).c_str(),
       describe(grid).c_str());
  return false;
}

double work(const SampleShape& s) {
  return kRead * (s.nearest ? 1 : 4) * static_cast<double>(s.n * s.points) *
         static_cast<double>(s.c + 4);
}

PyObject* new_like(const Array& a, const npy_intp* shape) {
  PyArray_Descr* descr = PyArray_DESCR(a.object);
  Py_INCREF(descr);
  return new_array(descr, 4, shape);
}

void* data_of(PyObject* array) { return PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)); }

// grid_sample(x, grid, padding, nearest, align): (n, c, p, q).
PyObject* grid_sample(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "grid_sample";
  Array x, grid;
  SampleShape s;
  if (!check_count(kernel, nargs, 5) || !read_operand(kernel, "x", args[0], &x) ||
      !read_operand(kernel, "grid", args[1], &grid) || !read_how(kernel, args + 2, &s) ||
      !read_sizes(kernel, x.shape, x.dtype, grid, &s)) {
    return nullptr;
  }
  const npy_intp shape[4] = {x.shape[0], x.shape[1], grid.shape[1], grid.shape[2]};
  PyObject* out = new_like(x, shape);
  if (!out) return nullptr;
  void* to = data_of(out);
  {
    KernelScope scope(work(s));
    const GridSampleKernels& k = kernels().grid_sample;
    if (x.dtype == DType::kFloat32) {
      k.f32.sample(static_cast<float*>(to), x.as<float>(), grid.as<float>(), s);
    } else {
      k.f64.sample(static_cast<double*>(to), x.as<double>(), grid.as<double>(), s);
    }
  }
  return out;
}

// grid_sample_planes(g, grid, h, w, padding, nearest, align): (n, c, h, w).
PyObject* grid_sample_planes(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "grid_sample_planes";
  Array g, grid;
  SampleShape s;
  int64_t h, w;
  if (!check_count(kernel, nargs, 7) || !read_operand(kernel, "g", args[0], &g) ||
      !read_operand(kernel, "grid", args[1], &grid) || !read_int(kernel, "h", args[2], &h) ||
      !read_int(kernel, "w", args[3], &w) || !read_how(kernel, args + 4, &s)) {
    return nullptr;
  }
  const npy_intp shape[4] = {g.shape[0], g.shape[1], static_cast<npy_intp>(h),
                             static_cast<npy_intp>(w)};
  if (!read_sizes(kernel, shape, g.dtype, grid, &s) || !check_gradient(kernel, g, grid, s)) {
    return nullptr;
  }
  PyObject* out = new_like(g, shape);
  if (!out) return nullptr;
  void* to = data_of(out);
  {
    KernelScope scope(work(s) + 0.1 * static_cast<double>(s.n * s.c) * static_cast<double>(h * w));
    const GridSampleKernels& k = kernels().grid_sample;
    if (g.dtype == DType::kFloat32) {
      k.f32.planes(static_cast<float*>(to), g.as<float>(), grid.as<float>(), s);
    } else {
      k.f64.planes(static_cast<double*>(to), g.as<double>(), grid.as<double>(), s);
    }
  }
  return out;
}

// grid_sample_points(g, x, grid, padding, nearest, align): like grid.
PyObject* grid_sample_points(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "grid_sample_points";
  Array g, x, grid;
  SampleShape s;
  if (!check_count(kernel, nargs, 6) || !read_operand(kernel, "g", args[0], &g) ||
      !read_operand(kernel, "x", args[1], &x) || !need_dtype(kernel, "g", g, x.dtype) ||
      !read_operand(kernel, "grid", args[2], &grid) || !read_how(kernel, args + 3, &s) ||
      !read_sizes(kernel, x.shape, x.dtype, grid, &s) || !check_gradient(kernel, g, grid, s)) {
    return nullptr;
  }
  PyObject* out = new_like(grid, grid.shape);
  if (!out) return nullptr;
  void* to = data_of(out);
  {
    KernelScope scope(work(s));
    const GridSampleKernels& k = kernels().grid_sample;
    if (x.dtype == DType::kFloat32) {
      k.f32.points_grad(static_cast<float*>(to), g.as<float>(), x.as<float>(), grid.as<float>(), s);
    } else {
      k.f64.points_grad(static_cast<double*>(to), g.as<double>(), x.as<double>(), grid.as<double>(),
                        s);
    }
  }
  return out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(grid_sample, "grid_sample(x, grid, padding, nearest, align): a new array (n, c, p, q)"),
    MG_FAST(grid_sample_planes,
            "grid_sample_planes(g, grid, h, w, padding, nearest, align): the gradient to x"),
    MG_FAST(grid_sample_points,
            "grid_sample_points(g, x, grid, padding, nearest, align): the gradient to grid"),
    MG_TABLE_END,
};

}  // namespace

void bind_grid_sample(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
