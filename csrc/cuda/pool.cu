// Maxima and averages over windows of planes. Memory-bound: a thread for every element of the
// result, neighbours along the rows; in backward every element of the plane adds up what the
// windows that it lies in have for it, so that nothing is written twice and the order is fixed.
#include "cuda/kernels_pool.h"
#include "cuda/rows.cuh"
#include "cuda/walk.cuh"

namespace mg::cuda {
namespace {

// One direction of the windows; `kernel` 0: equal parts of the plane (adaptive).
struct Axis {
  int size, out, kernel, stride, pad, dilation;

  // Window i covers first, first + dilation ... below end, inside the plane.
  MG_DEVICE void window(int i, int* first, int* end) const {
    if (kernel == 0) {
      *first = static_cast<int>(static_cast<int64_t>(i) * size / out);
      *end = static_cast<int>(((static_cast<int64_t>(i) + 1) * size + out - 1) / out);
      return;
    }
    const int start = i * stride - pad, last = start + (kernel - 1) * dilation;
    *first = start >= 0 ? start : start + (-start + dilation - 1) / dilation * dilation;
    *end = last + 1 < size ? last + 1 : size;
  }
  // Windows from first to end (exclusive) may cover place y.
  MG_DEVICE void windows_of(int y, int* first, int* end) const {
    if (kernel == 0) {
      *first = static_cast<int>(static_cast<int64_t>(y) * out / size);
      *end = static_cast<int>(((static_cast<int64_t>(y) + 1) * out + size - 1) / size);
      return;
    }
    const int low = y + pad - (kernel - 1) * dilation;
    *first = low <= 0 ? 0 : (low + stride - 1) / stride;
    const int high = (y + pad) / stride + 1;
    *end = high < out ? high : out;
  }
  // Elements of window i, with padding but not with what lies behind it.
  MG_DEVICE int padded(int i) const {
    const int start = i * stride - pad, end = start + kernel;
    return (end < size + pad ? end : size + pad) - start;
  }
};

struct Windows {
  Axis down, across;
  int64_t units;  // elements of the result
  bool small;     // 32-bit numbers count them
  Divider row, plane;
  bool count_pad;
  int64_t divisor;
};

struct Place {
  int64_t plane;
  int y, x;
};

MG_DEVICE Place place_of(const Windows& w, int64_t unit) {
  if (w.small) {
    const uint32_t u = static_cast<uint32_t>(unit), plane = w.plane(u);
    const uint32_t rest = u - plane * w.plane.by, y = w.row(rest);
    return {static_cast<int64_t>(plane), static_cast<int>(y),
            static_cast<int>(rest - y * w.row.by)};
  }
  const int64_t plane = unit / w.plane.by, rest = unit % w.plane.by;
  return {plane, static_cast<int>(rest / w.row.by), static_cast<int>(rest % w.row.by)};
}

template <class T>
MG_DEVICE Computed<T> divisor_of(const Windows& w, int p, int q) {
  using V = Computed<T>;
  if (w.divisor) return static_cast<V>(w.divisor);
  if (w.count_pad) return static_cast<V>(w.down.padded(p)) * static_cast<V>(w.across.padded(q));
  int y0, y1, x0, x1;
  w.down.window(p, &y0, &y1);
  w.across.window(q, &x0, &x1);
  return static_cast<V>(y1 > y0 ? y1 - y0 : 0) * static_cast<V>(x1 > x0 ? x1 - x0 : 0);
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    max_pool_kernel(T* __restrict__ out, int32_t* __restrict__ index, const T* __restrict__ x,
                    const Windows w) {
  using V = Computed<T>;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t unit = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; unit < w.units;
       unit += step) {
    const Place at = place_of(w, unit);
    const T* plane = x + at.plane * w.down.size * w.across.size;
    int y0, y1, x0, x1;
    w.down.window(at.y, &y0, &y1);
    w.across.window(at.x, &x0, &x1);
    V best = V(-INFINITY);
    int where = 0;
    bool first = true;
    for (int r = y0; r < y1; r += w.down.dilation) {
      for (int c = x0; c < x1; c += w.across.dilation) {
        const V v = widen(plane[r * w.across.size + c]);
        if (first || v > best || v != v) {
          best = v;
          where = r * w.across.size + c;
          first = false;
        }
      }
    }
    out[unit] = narrow<T>(best);
    if (index) index[unit] = where;
  }
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    max_pool_backward_kernel(T* __restrict__ out, const T* __restrict__ grad,
                             const int32_t* __restrict__ index, const Windows w) {
  using V = Computed<T>;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t unit = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; unit < w.units;
       unit += step) {
    const Place at = place_of(w, unit);
    const int64_t plane = at.plane * w.down.out * w.across.out;
    const int here = at.y * w.across.size + at.x;
    int p0, p1, q0, q1;
    w.down.windows_of(at.y, &p0, &p1);
    w.across.windows_of(at.x, &q0, &q1);
    V sum = V(0);
    for (int p = p0; p < p1; ++p) {
      for (int q = q0; q < q1; ++q) {
        const int64_t i = plane + p * w.across.out + q;
        if (index[i] == here) sum += widen(grad[i]);
      }
    }
    out[unit] = narrow<T>(sum);
  }
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    avg_pool_kernel(T* __restrict__ out, const T* __restrict__ x, const Windows w) {
  using V = Computed<T>;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t unit = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; unit < w.units;
       unit += step) {
    const Place at = place_of(w, unit);
    const T* plane = x + at.plane * w.down.size * w.across.size;
    int y0, y1, x0, x1;
    w.down.window(at.y, &y0, &y1);
    w.across.window(at.x, &x0, &x1);
    V sum = V(0);
    for (int r = y0; r < y1; ++r) {
      for (int c = x0; c < x1; ++c) sum += widen(plane[r * w.across.size + c]);
    }
    out[unit] = narrow<T>(sum / divisor_of<T>(w, at.y, at.x));
  }
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    avg_pool_backward_kernel(T* __restrict__ out, const T* __restrict__ grad, const Windows w) {
  using V = Computed<T>;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t unit = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; unit < w.units;
       unit += step) {
    const Place at = place_of(w, unit);
    const int64_t plane = at.plane * w.down.out * w.across.out;
    int p0, p1, q0, q1;
    w.down.windows_of(at.y, &p0, &p1);
    w.across.windows_of(at.x, &q0, &q1);
    V sum = V(0);
    for (int p = p0; p < p1; ++p) {
      for (int q = q0; q < q1; ++q) {
        sum += widen(grad[plane + p * w.across.out + q]) / divisor_of<T>(w, p, q);
      }
    }
    out[unit] = narrow<T>(sum);
  }
}

// `backward`: the result is the plane.
Windows windows_of(const PoolShape& s, bool adaptive, bool backward) {
  const auto axis = [&](int64_t size, int64_t out, int64_t kernel, int64_t stride, int64_t pad,
                        int64_t dilation) -> Axis {
    if (adaptive) kernel = 0, dilation = 1;
    return {int(size), int(out), int(kernel), int(stride), int(pad), int(dilation)};
  };
  Windows w = {};
  w.down = axis(s.h, s.p, s.kernel_h, s.stride_h, s.pad_h, s.dilation_h);
  w.across = axis(s.w, s.q, s.kernel_w, s.stride_w, s.pad_w, s.dilation_w);
  const int64_t height = backward ? s.h : s.p, width = backward ? s.w : s.q;
  w.units = s.planes * height * width;
  w.small = w.units < INT64_C(1) << 30;
  w.row = divider(static_cast<uint32_t>(max_of(width, 1)));
  w.plane = divider(static_cast<uint32_t>(max_of(height * width, 1)));
  return w;
}

// Calls run(T{}) for the type.
template <class Run>
Error by_type(DType type, const Windows& w, const Run& run) {
  if (w.units == 0) return 0;
  switch (type) {
    case DType::kFloat64:
      return run(static_cast<double*>(nullptr));
    case DType::kFloat16:
      return run(static_cast<__half*>(nullptr));
    case DType::kBFloat16:
      return run(static_cast<__nv_bfloat16*>(nullptr));
    default:
      return run(static_cast<float*>(nullptr));
  }
}

template <class T>
Error run_max(T* out, int32_t* index, const void* x, const Windows& w, Stream stream) {
  return MG_LAUNCH((max_pool_kernel<T>), blocks_for(w.units, kBlockThreads), dim3(kBlockThreads), 0,
                   stream, out, index, static_cast<const T*>(x), w);
}
template <class T>
Error run_avg(T* out, const void* x, const Windows& w, Stream stream) {
  return MG_LAUNCH((avg_pool_kernel<T>), blocks_for(w.units, kBlockThreads), dim3(kBlockThreads), 0,
                   stream, out, static_cast<const T*>(x), w);
}
template <class T>
Error run_avg_backward(T* out, const void* grad, const Windows& w, Stream stream) {
  return MG_LAUNCH((avg_pool_backward_kernel<T>), blocks_for(w.units, kBlockThreads),
                   dim3(kBlockThreads), 0, stream, out, static_cast<const T*>(grad), w);
}

template <class T>
T* typed(void* array, T*) {
  return static_cast<T*>(array);
}

}  // namespace

Error max_pool(void* out, int32_t* index, const void* x, DType type, const PoolShape& shape,
               Stream stream) {
  const Windows w = windows_of(shape, false, false);
  return by_type(
      type, w, [&](auto like) -> Error { return run_max(typed(out, like), index, x, w, stream); });
}
Error max_pool_backward(void* out, const void* grad, const int32_t* index, DType type,
                        const PoolShape& shape, Stream stream) {
  const Windows w = windows_of(shape, shape.kernel_h == 0, true);
  return by_type(type, w, [&](auto like) -> Error {
    using T = std::remove_pointer_t<decltype(like)>;
    return MG_LAUNCH((max_pool_backward_kernel<T>), blocks_for(w.units, kBlockThreads),
                     dim3(kBlockThreads), 0, stream, static_cast<T*>(out),
                     static_cast<const T*>(grad), index, w);
  });
}
Error avg_pool(void* out, const void* x, DType type, const PoolShape& shape, bool count_pad,
               int64_t divisor, Stream stream) {
  Windows w = windows_of(shape, false, false);
  w.count_pad = count_pad;
  w.divisor = divisor;
  return by_type(type, w,
                 [&](auto like) -> Error { return run_avg(typed(out, like), x, w, stream); });
}
Error avg_pool_backward(void* out, const void* grad, DType type, const PoolShape& shape,
                        bool count_pad, int64_t divisor, Stream stream) {
  Windows w = windows_of(shape, false, true);
  w.count_pad = count_pad;
  w.divisor = divisor;
  return by_type(type, w, [&](auto like) -> Error {
    return run_avg_backward(typed(out, like), grad, w, stream);
  });
}
Error adaptive_avg_pool(void* out, const void* x, DType type, const PoolShape& shape,
                        Stream stream) {
  const Windows w = windows_of(shape, true, false);
  return by_type(type, w,
                 [&](auto like) -> Error { return run_avg(typed(out, like), x, w, stream); });
}
Error adaptive_avg_pool_backward(void* out, const void* grad, DType type, const PoolShape& shape,
                                 Stream stream) {
  const Windows w = windows_of(shape, true, true);
  return by_type(type, w, [&](auto like) -> Error {
    return run_avg_backward(typed(out, like), grad, w, stream);
  });
}
Error adaptive_max_pool(void* out, int32_t* index, const void* x, DType type,
                        const PoolShape& shape, Stream stream) {
  const Windows w = windows_of(shape, true, false);
  return by_type(
      type, w, [&](auto like) -> Error { return run_max(typed(out, like), index, x, w, stream); });
}

}  // namespace mg::cuda
