// _C.im2col and _C.col2im: images as the columns of their windows, and back, as new arrays.
#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"

namespace mg {
namespace {

constexpr double kMove = 0.3;  // nanoseconds for one element of the columns, roughly

// kernel, stride, padding, dilation: a pair of numbers each.
bool read_pair(const char* kernel, const char* name, PyObject* pair, int64_t least, int64_t* a,
               int64_t* b) {
  if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2) {
    fail(PyExc_TypeError, "%s: %s must be a tuple of two numbers", kernel, name);
    return false;
  }
  return read_step(kernel, name, PyTuple_GET_ITEM(pair, 0), least, a) &&
         read_step(kernel, name, PyTuple_GET_ITEM(pair, 1), least, b);
}

bool read_window(const char* kernel, PyObject* const* args, PatchShape* s) {
  return read_pair(kernel, "kernel", args[0], 1, &s->kernel_h, &s->kernel_w) &&
         read_pair(kernel, "stride", args[1], 1, &s->stride_h, &s->stride_w) &&
         read_pair(kernel, "padding", args[2], 0, &s->pad_h, &s->pad_w) &&
         read_pair(kernel, "dilation", args[3], 1, &s->dilation_h, &s->dilation_w);
}

// How many windows fit; at least one along each dimension.
bool count_windows(const char* kernel, PatchShape* s) {
  const int64_t a = s->h + 2 * s->pad_h - s->dilation_h * (s->kernel_h - 1) - 1;
  const int64_t b = s->w + 2 * s->pad_w - s->dilation_w * (s->kernel_w - 1) - 1;
  s->p = a / s->stride_h + 1, s->q = b / s->stride_w + 1;
  if (a >= 0 && b >= 0) return true;
  fail(PyExc_ValueError, "%s: no window of (%lld, %lld) fits into (%lld, %lld)", kernel,
       static_cast<long long>(s->kernel_h), static_cast<long long>(s->kernel_w),
       static_cast<long long>(s->h), static_cast<long long>(s->w));
  return false;
}

double work(const PatchShape& s) {
  return kMove * static_cast<double>(s.planes * s.p * s.q) *
         static_cast<double>(s.kernel_h * s.kernel_w);
}

// im2col(x, kernel, stride, padding, dilation): (n, c * r * s, p * q), for any type of 1 to 8
// bytes.
PyObject* im2col(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "im2col";
  Array x;
  PatchShape s;
  if (!check_count(kernel, nargs, 5) || !read_array(kernel, "x", args[0], &x) ||
      !read_window(kernel, args + 1, &s) || !need_contiguous(kernel, "x", x) ||
      !need_planes(kernel, "x", x)) {
    return nullptr;
  }
  PyArray_Descr* descr = PyArray_DESCR(x.object);
  const int64_t bytes = PyArray_ITEMSIZE(x.object);
  if (PyDataType_REFCHK(descr) || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)) {
    return fail(PyExc_TypeError, "im2col: x is %s; needed: elements of 1, 2, 4 or 8 bytes",
                describe(x).c_str());
  }
  s.planes = x.shape[0] * x.shape[1], s.h = x.shape[2], s.w = x.shape[3];
  if (!count_windows(kernel, &s)) return nullptr;
  const npy_intp shape[3] = {x.shape[0],
                             static_cast<npy_intp>(x.shape[1] * s.kernel_h * s.kernel_w),
                             static_cast<npy_intp>(s.p * s.q)};
  Py_INCREF(descr);
  PyObject* out = new_array(descr, 3, shape);
  if (!out) return nullptr;
  void* to = PyArray_DATA(reinterpret_cast<PyArrayObject*>(out));
  {
    KernelScope scope(work(s));
    kernels().patches.cut(to, x.data, bytes, s);
  }
  return out;
}

// col2im(columns (n, c * r * s, p * q), size, kernel, stride, padding, dilation): (n, c, *size).
PyObject* col2im(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* kernel = "col2im";
  Array x;
  PatchShape s;
  if (!check_count(kernel, nargs, 6) || !read_array(kernel, "columns", args[0], &x) ||
      !read_pair(kernel, "size", args[1], 1, &s.h, &s.w) || !read_window(kernel, args + 2, &s) ||
      !need_contiguous(kernel, "columns", x) || !count_windows(kernel, &s)) {
    return nullptr;
  }
  const int64_t area = s.kernel_h * s.kernel_w;
  if ((x.dtype != DType::kFloat32 && x.dtype != DType::kFloat64) || x.ndim != 3 ||
      x.shape[1] % area != 0 || x.shape[2] != s.p * s.q) {
    return fail(
        PyExc_ValueError, "col2im: columns are %s; needed: float32 or float64 (n, c * %lld, %lld)",
        describe(x).c_str(), static_cast<long long>(area), static_cast<long long>(s.p * s.q));
  }
  const npy_intp shape[4] = {x.shape[0], static_cast<npy_intp>(x.shape[1] / area),
                             static_cast<npy_intp>(s.h), static_cast<npy_intp>(s.w)};
  s.planes = shape[0] * shape[1];
  PyArray_Descr* descr = PyArray_DESCR(x.object);
  Py_INCREF(descr);
  PyObject* out = new_array(descr, 4, shape);
  if (!out) return nullptr;
  void* to = PyArray_DATA(reinterpret_cast<PyArrayObject*>(out));
  {
    KernelScope scope(work(s));
    const PatchKernels& k = kernels().patches;
    if (x.dtype == DType::kFloat32) {
      k.add_f32(static_cast<float*>(to), x.as<float>(), s);
    } else {
      k.add_f64(static_cast<double*>(to), x.as<double>(), s);
    }
  }
  return out;
}

PyMethodDef kFunctions[] = {
    MG_FAST(im2col, "im2col(x, kernel, stride, padding, dilation): (n, c * r * s, p * q)"),
    MG_FAST(col2im, "col2im(columns, size, kernel, stride, padding, dilation): (n, c, *size)"),
    MG_TABLE_END,
};

}  // namespace

void bind_patches(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
