// Losses of pairs of elements, summed in the pass that computes them (chunks of kLossChunk, added
// up in order), and their slopes times the gradient in one pass each.
#include "cuda/kernels_loss.h"
#include "cuda/rows.cuh"
#include "cuda/vmath.cuh"

namespace mg::cuda {
namespace {

template <class V>
MG_DEVICE V limit(V x, V low, V high) {  // NaN stays
  return x < low ? low : x > high ? high : x;
}

struct Mse {
  template <class V>
  static MG_DEVICE V value(V x, V t, V) {
    return (x - t) * (x - t);
  }
  template <class V>
  static MG_DEVICE V slope(V x, V t, V) {
    return (x - t) + (x - t);
  }
};

struct L1 {
  template <class V>
  static MG_DEVICE V value(V x, V t, V) {
    return abs(x - t);
  }
  template <class V>
  static MG_DEVICE V slope(V x, V t, V) {
    const V d = x - t;
    return d > V(0) ? V(1) : d < V(0) ? V(-1) : d;
  }
};

struct SmoothL1 {
  template <class V>
  static MG_DEVICE V value(V x, V t, V beta) {
    const V d = abs(x - t);
    return d < beta ? d * d * (V(0.5) / beta) : d - V(0.5) * beta;
  }
  template <class V>
  static MG_DEVICE V slope(V x, V t, V beta) {
    return limit((x - t) / beta, V(-1), V(1));
  }
};

struct Huber {
  template <class V>
  static MG_DEVICE V value(V x, V t, V delta) {
    const V d = abs(x - t);
    return d < delta ? d * d * V(0.5) : delta * (d - V(0.5) * delta);
  }
  template <class V>
  static MG_DEVICE V slope(V x, V t, V delta) {
    return limit(x - t, -delta, delta);
  }
};

struct Bce {
  template <class V>
  static MG_DEVICE V log_of(V x) {
    const V l = log(x);
    return l < V(-100) ? V(-100) : l;
  }
  template <class V>
  static MG_DEVICE V log_rest(V x) {
    const V l = log1p(-x);
    return l < V(-100) ? V(-100) : l;
  }
  template <class V>
  static MG_DEVICE V value(V x, V t, V) {
    if (!(x >= V(0) && x <= V(1) && t >= V(0) && t <= V(1))) return V(NAN);
    return (t - V(1)) * log_rest(x) - t * log_of(x);
  }
  template <class V>
  static MG_DEVICE V slope(V x, V t, V) {
    const V spread = (V(1) - x) * x;
    return (x - t) / (spread < V(1e-12) ? V(1e-12) : spread);
  }
  template <class V>
  static MG_DEVICE V target_slope(V x, V, V) {
    return log_rest(x) - log_of(x);
  }
};

struct BceLogits {
  template <class V>
  static MG_DEVICE V value(V x, V t, V) {
    return (V(1) - t) * x + (log1p(exp(-abs(x))) + (x < V(0) ? -x : V(0)));
  }
  template <class V>
  static MG_DEVICE V slope(V x, V t, V) {
    return sigmoid(x) - t;
  }
  template <class V>
  static MG_DEVICE V target_slope(V x, V, V) {
    return -x;
  }
};

struct Kl {
  template <class V>
  static MG_DEVICE V value(V x, V t, V) {
    return (t == V(0) ? V(0) : t * log(t)) - t * x;
  }
  template <class V>
  static MG_DEVICE V slope(V, V t, V) {
    return -t;
  }
  template <class V>
  static MG_DEVICE V target_slope(V x, V t, V) {
    return log(t) + V(1) - x;
  }
};

struct KlLog {
  template <class V>
  static MG_DEVICE V value(V x, V t, V) {
    return exp(t) * (t - x);
  }
  template <class V>
  static MG_DEVICE V slope(V, V t, V) {
    return -exp(t);
  }
  template <class V>
  static MG_DEVICE V target_slope(V x, V t, V) {
    return exp(t) * (t - x + V(1));
  }
};

template <class V>
MG_DEVICE V value_of(PairLoss loss, V x, V t, V p) {
  switch (loss) {
    case PairLoss::kMse:
      return Mse::value(x, t, p);
    case PairLoss::kL1:
      return L1::value(x, t, p);
    case PairLoss::kSmoothL1:
      return SmoothL1::value(x, t, p);
    case PairLoss::kHuber:
      return Huber::value(x, t, p);
    case PairLoss::kBce:
      return Bce::value(x, t, p);
    case PairLoss::kBceLogits:
      return BceLogits::value(x, t, p);
    case PairLoss::kKl:
      return Kl::value(x, t, p);
    default:
      return KlLog::value(x, t, p);
  }
}

template <class V>
MG_DEVICE V slope_of(PairLoss loss, V x, V t, V p) {
  switch (loss) {
    case PairLoss::kMse:
      return Mse::slope(x, t, p);
    case PairLoss::kL1:
      return L1::slope(x, t, p);
    case PairLoss::kSmoothL1:
      return SmoothL1::slope(x, t, p);
    case PairLoss::kHuber:
      return Huber::slope(x, t, p);
    case PairLoss::kBce:
      return Bce::slope(x, t, p);
    case PairLoss::kBceLogits:
      return BceLogits::slope(x, t, p);
    case PairLoss::kKl:
      return Kl::slope(x, t, p);
    default:
      return KlLog::slope(x, t, p);
  }
}

// The negative of the slope, where a loss has no slope of its own for the target.
template <class V>
MG_DEVICE V target_slope_of(PairLoss loss, V x, V t, V p) {
  switch (loss) {
    case PairLoss::kBce:
      return Bce::target_slope(x, t, p);
    case PairLoss::kBceLogits:
      return BceLogits::target_slope(x, t, p);
    case PairLoss::kKl:
      return Kl::target_slope(x, t, p);
    case PairLoss::kKlLog:
      return KlLog::target_slope(x, t, p);
    default:
      return -slope_of(loss, x, t, p);
  }
}

constexpr int kItems = 4;  // elements of a thread and step

// `out` gets each loss, or `sums` the sum of each chunk. `wide`: the arrays are aligned for packs.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    pair_loss_kernel(T* out, double* sums, const PairCall c, bool wide) {
  using V = Computed<T>;
  const T *x = static_cast<const T*>(c.x), *t = static_cast<const T*>(c.t);
  const V p = static_cast<V>(c.number);
  for (int64_t chunk = blockIdx.x; chunk * kLossChunk < c.n; chunk += gridDim.x) {
    const int64_t begin = chunk * kLossChunk;
    const int64_t end = begin + kLossChunk < c.n ? begin + kLossChunk : c.n;
    double sum = 0;
    for (int64_t at = begin + threadIdx.x * kItems; at < end; at += kBlockThreads * kItems) {
      const int n = end - at < kItems ? static_cast<int>(end - at) : kItems;
      const bool whole = wide && n == kItems;
      V a[kItems], b[kItems], v[kItems], part = V(0);
      whole ? load_pack<kItems>(a, x + at) : load_some<kItems>(a, x + at, n, V(0));
      whole ? load_pack<kItems>(b, t + at) : load_some<kItems>(b, t + at, n, V(0));
#pragma unroll
      for (int i = 0; i < kItems; ++i) {
        v[i] = value_of(c.loss, a[i], b[i], p);
        if (i < n) part += v[i];
      }
      sum += static_cast<double>(part);
      if (!out) continue;
      whole ? store_pack<kItems>(out + at, v) : store_some<kItems>(out + at, v, n);
    }
    if (!sums) continue;
    sum = sum_threads<kBlockThreads>(sum);
    if (threadIdx.x == 0) sums[chunk] = sum;
  }
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    add_chunks_kernel(T* out, const double* sums, int64_t chunks, double scale) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < chunks; i += kBlockThreads) sum += sums[i];
  sum = sum_threads<kBlockThreads>(sum);
  if (threadIdx.x == 0) *out = narrow<T>(static_cast<Computed<T>>(sum * scale));
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    pair_loss_backward_kernel(T* out, const T* grad, const PairCall c, bool target, bool wide) {
  using V = Computed<T>;
  const T *x = static_cast<const T*>(c.x), *t = static_cast<const T*>(c.t);
  const V p = static_cast<V>(c.number);
  const bool single = c.reduction != Reduction::kNone;
  V scale = single ? widen(*grad) : V(1);
  if (c.reduction == Reduction::kMean) scale /= static_cast<V>(c.n);
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x * kItems;
  for (int64_t at = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kItems;
       at < c.n; at += step) {
    const int n = c.n - at < kItems ? static_cast<int>(c.n - at) : kItems;
    const bool whole = wide && n == kItems;
    V a[kItems], b[kItems], g[kItems];
    whole ? load_pack<kItems>(a, x + at) : load_some<kItems>(a, x + at, n, V(0));
    whole ? load_pack<kItems>(b, t + at) : load_some<kItems>(b, t + at, n, V(0));
#pragma unroll
    for (int i = 0; i < kItems; ++i) g[i] = scale;
    if (!single) {
      whole ? load_pack<kItems>(g, grad + at) : load_some<kItems>(g, grad + at, n, V(0));
    }
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      g[i] *= target ? target_slope_of(c.loss, a[i], b[i], p) : slope_of(c.loss, a[i], b[i], p);
    }
    whole ? store_pack<kItems>(out + at, g) : store_some<kItems>(out + at, g, n);
  }
}

template <class T>
Error pair_loss_as(void* out, const PairCall& c, void* work, Stream stream) {
  const bool none = c.reduction == Reduction::kNone;
  const int64_t chunks = ceil_div(c.n, kLossChunk);
  double* sums = none ? nullptr : static_cast<double*>(work);
  T* result = static_cast<T*>(out);
  T* each = none ? result : nullptr;
  const bool wide = aligned_to(c.x, 16) && aligned_to(c.t, 16) && (!none || aligned_to(out, 16));
  if (c.n > 0) {
    const Error error = MG_LAUNCH((pair_loss_kernel<T>), blocks_for(chunks, 1), dim3(kBlockThreads),
                                  0, stream, each, sums, c, wide);
    if (error) return error;
  }
  if (none) return 0;
  const double scale = c.reduction == Reduction::kMean ? 1 / static_cast<double>(c.n) : 1;
  return MG_LAUNCH((add_chunks_kernel<T>), dim3(1), dim3(kBlockThreads), 0, stream, result, sums,
                   chunks, scale);
}

template <class T>
Error pair_loss_backward_as(void* out, const void* grad, const PairCall& c, bool target,
                            Stream stream) {
  if (c.n == 0) return 0;
  const bool wide = aligned_to(c.x, 16) && aligned_to(c.t, 16) && aligned_to(out, 16) &&
                    (c.reduction != Reduction::kNone || aligned_to(grad, 16));
  return MG_LAUNCH((pair_loss_backward_kernel<T>), blocks_for(c.n, kBlockThreads * kItems),
                   dim3(kBlockThreads), 0, stream, static_cast<T*>(out),
                   static_cast<const T*>(grad), c, target, wide);
}

}  // namespace

Error pair_loss(void* out, const PairCall& call, void* work, Stream stream) {
  switch (call.type) {
    case DType::kFloat64:
      return pair_loss_as<double>(out, call, work, stream);
    case DType::kFloat16:
      return pair_loss_as<__half>(out, call, work, stream);
    case DType::kBFloat16:
      return pair_loss_as<__nv_bfloat16>(out, call, work, stream);
    default:
      return pair_loss_as<float>(out, call, work, stream);
  }
}
Error pair_loss_backward(void* out, const void* grad, const PairCall& call, bool target,
                         Stream stream) {
  switch (call.type) {
    case DType::kFloat64:
      return pair_loss_backward_as<double>(out, grad, call, target, stream);
    case DType::kFloat16:
      return pair_loss_backward_as<__half>(out, grad, call, target, stream);
    case DType::kBFloat16:
      return pair_loss_backward_as<__nv_bfloat16>(out, grad, call, target, stream);
    default:
      return pair_loss_backward_as<float>(out, grad, call, target, stream);
  }
}
int64_t pair_loss_workspace(const PairCall& call) {
  if (call.reduction == Reduction::kNone) return 0;
  return ceil_div(call.n, kLossChunk) * static_cast<int64_t>(sizeof(double));
}

}  // namespace mg::cuda
