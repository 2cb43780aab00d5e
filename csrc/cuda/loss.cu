// Cross-entropy of class scores and its gradient. The scores are read once: each thread keeps its
// maximum so far and rescales its sum of exponentials when a pack of them raises it.
#include "cuda/kernels_loss.h"
#include "cuda/rows.cuh"
#include "cuda/vmath.cuh"

namespace mg::cuda {
namespace {

// What is known of the scores of one sample: their maximum, the sum of e^(x - maximum), and for
// smoothing the sums of w and w x.
template <class V>
struct Scores {
  V top, sum, weights, weighted;
};

template <class V>
MG_DEVICE V base_of(V top) {
  return top == V(-INFINITY) ? V(0) : top;
}

struct JoinScores {
  template <class V>
  MG_DEVICE Scores<V> operator()(const Scores<V>& a, const Scores<V>& b) const {
    const V top = LargerValue()(a.top, b.top), base = base_of(top);
    return {top, a.sum * exp(a.top - base) + b.sum * exp(b.top - base), a.weights + b.weights,
            a.weighted + b.weighted};
  }
};

template <class V>
MG_DEVICE Scores<V> no_scores() {
  return {V(-INFINITY), V(0), V(0), V(0)};
}

template <class T, int N, class V>
MG_DEVICE void take_in(Scores<V>& s, const V (&x)[N], const T* weight, int64_t at, bool smooth) {
  V top = s.top;
#pragma unroll
  for (int i = 0; i < N; ++i) top = LargerValue()(top, x[i]);
  const V base = base_of(top);
  s.sum *= exp(s.top - base);
  s.top = top;
#pragma unroll
  for (int i = 0; i < N; ++i) s.sum += exp(x[i] - base);
  if (!smooth) return;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const V w = weight ? widen(weight[at + i]) : V(1);
    s.weights += w;
    s.weighted += w * x[i];
  }
}

// Writes what becomes of one sample. each: the loss in the computing type; `share`: its weight.
template <class T, class V>
MG_DEVICE void finish_sample(const CrossEntropy& c, const Scores<V>& s, const T* scores,
                             int64_t sample, V* each, V* share, V* lse, T* loss) {
  const V log_sum = s.top + log(s.sum);
  lse[sample] = log_sum;
  const int64_t t = c.target[sample];
  V value = V(0), w = V(0);
  if (t != c.ignored) {
    if (t < 0 || t >= c.columns) {
      value = w = V(NAN);
    } else {
      const V smoothing = static_cast<V>(c.smoothing);
      w = c.weight ? widen(static_cast<const T*>(c.weight)[t]) : V(1);
      value = (V(1) - smoothing) * w * (log_sum - widen(scores[t * c.length]));
      if (c.smoothing != 0) {
        value += smoothing / static_cast<V>(c.columns) * (s.weights * log_sum - s.weighted);
      }
    }
  }
  if (each) {
    each[sample] = value;
  } else {
    loss[sample] = narrow<T>(value);
  }
  if (share) share[sample] = w;
}

// length = 1: a warp or a block for every sample.
template <class T, int N>
__global__ void __launch_bounds__(kBlockThreads)
    cross_entropy_kernel(T* loss, Computed<T>* lse, Computed<T>* each, Computed<T>* share,
                         const CrossEntropy c, bool whole_block) {
  using V = Computed<T>;
  MG_SHARED(Scores<V>, shared, [kBlockThreads / 32]);
  const Team team(whole_block);
  for (int64_t row = team.first; row < c.rows; row += team.step) {
    const T* x = static_cast<const T*>(c.x) + row * c.columns;
    Scores<V> s = no_scores<V>();
    for (int64_t at = static_cast<int64_t>(team.lane) * N; at < c.columns; at += team.threads * N) {
      V v[N];
      load_pack<N>(v, x + at);
      take_in(s, v, static_cast<const T*>(c.weight), at, c.smoothing != 0);
    }
    s = combine_team(whole_block, s, shared, JoinScores());
    if (team.lane == 0) finish_sample(c, s, x, row, each, share, lse, loss);
  }
}

// Classes in the middle: a thread for every sample, neighbours along the memory.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    cross_entropy_columns_kernel(T* loss, Computed<T>* lse, Computed<T>* each, Computed<T>* share,
                                 const CrossEntropy c) {
  using V = Computed<T>;
  const int64_t samples = c.rows * c.length, step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t sample = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       sample < samples; sample += step) {
    const T* x =
        static_cast<const T*>(c.x) + sample / c.length * c.columns * c.length + sample % c.length;
    Scores<V> s = no_scores<V>();
    for (int64_t k = 0; k < c.columns; ++k) {
      const V v[1] = {widen(x[k * c.length])};
      take_in(s, v, static_cast<const T*>(c.weight), k, c.smoothing != 0);
    }
    finish_sample(c, s, x, sample, each, share, lse, loss);
  }
}

constexpr int kFinishThreads = 1024;

// The sums over the samples, in a fixed order, by one block.
template <class T>
__global__ void __launch_bounds__(kFinishThreads)
    finish_kernel(T* loss, Computed<T>* denominator, const Computed<T>* each,
                  const Computed<T>* share, int64_t samples, Reduction reduction) {
  double sum = 0, weights = 0;
  for (int64_t i = threadIdx.x; i < samples; i += kFinishThreads) {
    if (each) sum += static_cast<double>(each[i]);
    weights += static_cast<double>(share[i]);
  }
  sum = sum_threads<kFinishThreads>(sum);
  weights = sum_threads<kFinishThreads>(weights);
  if (threadIdx.x != 0) return;
  *denominator = static_cast<Computed<T>>(weights);
  if (each) {
    const double value = reduction == Reduction::kMean ? sum / weights : sum;
    *loss = narrow<T>(static_cast<Computed<T>>(value));
  }
}

// What the scores of one sample share in the gradient.
template <class V>
struct Slopes {
  V scale;            // of the gradient; 0 where ignored
  V of_p, of_target;  // a and (1 - s) w[t]
  V of_weight;        // s / columns
  int64_t target;
};

template <class T, class V>
MG_DEVICE Slopes<V> slopes_of(const CrossEntropy& c, int64_t sample, const T* grad,
                              const V* denominator, V weights) {
  const int64_t t = c.target[sample];
  if (t == c.ignored) return {V(0), V(0), V(0), V(0), -1};
  if (t < 0 || t >= c.columns) return {V(NAN), V(1), V(0), V(0), -1};
  const V smoothing = static_cast<V>(c.smoothing);
  const V w = c.weight ? widen(static_cast<const T*>(c.weight)[t]) : V(1);
  V scale = widen(grad[c.reduction == Reduction::kNone ? sample : 0]);
  if (c.reduction == Reduction::kMean) scale /= *denominator;
  const V own = (V(1) - smoothing) * w, other = smoothing / static_cast<V>(c.columns);
  return {scale, own + other * weights, own, other, t};
}

template <class T, class V>
MG_DEVICE V slope_at(const CrossEntropy& c, const Slopes<V>& s, V x, V lse, int64_t k) {
  V d = s.of_p * exp(x - lse);
  if (k == s.target) d -= s.of_target;
  if (s.of_weight != V(0)) {
    d -= s.of_weight * (c.weight ? widen(static_cast<const T*>(c.weight)[k]) : V(1));
  }
  return s.scale == V(0) ? V(0) : s.scale * d;
}

// The sum of the weights of all classes, where smoothing needs it.
template <class T, class V>
MG_DEVICE V all_weights(const CrossEntropy& c, const Team& team, V* shared) {
  if (c.smoothing == 0 || !c.weight) return static_cast<V>(c.columns);
  V sum = V(0);
  for (int64_t k = team.lane; k < c.columns; k += team.threads) {
    sum += widen(static_cast<const T*>(c.weight)[k]);
  }
  return combine_team(team.whole_block, sum, shared, AddValues());
}

template <class T, int N>
__global__ void __launch_bounds__(kBlockThreads)
    cross_entropy_backward_kernel(T* out, const T* grad, const Computed<T>* lse,
                                  const Computed<T>* denominator, const CrossEntropy c,
                                  bool whole_block) {
  using V = Computed<T>;
  MG_SHARED(V, shared, [kBlockThreads / 32]);
  const Team team(whole_block);
  const V weights = all_weights<T>(c, team, shared);
  for (int64_t row = team.first; row < c.rows; row += team.step) {
    const T* x = static_cast<const T*>(c.x) + row * c.columns;
    const Slopes<V> s = slopes_of(c, row, grad, denominator, weights);
    const V log_sum = lse[row];
    for (int64_t at = static_cast<int64_t>(team.lane) * N; at < c.columns; at += team.threads * N) {
      V v[N], d[N];
      load_pack<N>(v, x + at);
#pragma unroll
      for (int i = 0; i < N; ++i) d[i] = slope_at<T>(c, s, v[i], log_sum, at + i);
      store_pack<N>(out + row * c.columns + at, d);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    cross_entropy_backward_columns_kernel(T* out, const T* grad, const Computed<T>* lse,
                                          const Computed<T>* denominator, const CrossEntropy c) {
  using V = Computed<T>;
  MG_SHARED(V, shared, [kBlockThreads / 32]);
  const V weights = all_weights<T>(c, Team(true), shared);
  const int64_t samples = c.rows * c.length, step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t sample = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       sample < samples; sample += step) {
    const int64_t start = sample / c.length * c.columns * c.length + sample % c.length;
    const Slopes<V> s = slopes_of(c, sample, grad, denominator, weights);
    const V log_sum = lse[sample];
    for (int64_t k = 0; k < c.columns; ++k) {
      const int64_t at = start + k * c.length;
      const V x = widen(static_cast<const T*>(c.x)[at]);
      out[at] = narrow<T>(slope_at<T>(c, s, x, log_sum, k));
    }
  }
}

constexpr int64_t kLongRow = 1024;  // scores that are worth a block

template <class T>
Error cross_entropy_as(void* loss, void* lse, void* denominator, const CrossEntropy& c, void* work,
                       Stream stream) {
  using V = Computed<T>;
  const int64_t samples = c.rows * c.length;
  V* share = static_cast<V*>(work);
  V* each = c.reduction == Reduction::kNone ? nullptr : share + samples;
  T* result = static_cast<T*>(loss);
  V* logs = static_cast<V*>(lse);
  Error error = 0;
  if (samples > 0 && c.length > 1) {
    error = MG_LAUNCH((cross_entropy_columns_kernel<T>), blocks_for(samples, kBlockThreads),
                      dim3(kBlockThreads), 0, stream, result, logs, each, share, c);
  } else if (samples > 0) {
    const bool whole_block = c.columns > kLongRow;
    const bool wide = c.columns % kPack<T> == 0 && aligned_to(c.x, 16);
    const dim3 grid = blocks_for_teams(c.rows, whole_block);
    error = wide ? MG_LAUNCH((cross_entropy_kernel<T, kPack<T>>), grid, dim3(kBlockThreads), 0,
                             stream, result, logs, each, share, c, whole_block)
                 : MG_LAUNCH((cross_entropy_kernel<T, 1>), grid, dim3(kBlockThreads), 0, stream,
                             result, logs, each, share, c, whole_block);
  }
  if (error) return error;
  return MG_LAUNCH((finish_kernel<T>), dim3(1), dim3(kFinishThreads), 0, stream, result,
                   static_cast<V*>(denominator), each, share, samples, c.reduction);
}

template <class T>
Error cross_entropy_backward_as(void* out, const void* grad, const void* lse,
                                const void* denominator, const CrossEntropy& c, Stream stream) {
  using V = Computed<T>;
  const int64_t samples = c.rows * c.length;
  if (samples == 0) return 0;
  T* to = static_cast<T*>(out);
  const T* g = static_cast<const T*>(grad);
  const V *logs = static_cast<const V*>(lse), *sum = static_cast<const V*>(denominator);
  if (c.length > 1) {
    return MG_LAUNCH((cross_entropy_backward_columns_kernel<T>), blocks_for(samples, kBlockThreads),
                     dim3(kBlockThreads), 0, stream, to, g, logs, sum, c);
  }
  const bool whole_block = c.columns > kLongRow;
  const bool wide = c.columns % kPack<T> == 0 && aligned_to(c.x, 16) && aligned_to(out, 16);
  const dim3 grid = blocks_for_teams(c.rows, whole_block);
  return wide ? MG_LAUNCH((cross_entropy_backward_kernel<T, kPack<T>>), grid, dim3(kBlockThreads),
                          0, stream, to, g, logs, sum, c, whole_block)
              : MG_LAUNCH((cross_entropy_backward_kernel<T, 1>), grid, dim3(kBlockThreads), 0,
                          stream, to, g, logs, sum, c, whole_block);
}

}  // namespace

Error cross_entropy(void* loss, void* lse, void* denominator, const CrossEntropy& c, void* work,
                    Stream stream) {
  switch (c.type) {
    case DType::kFloat64:
      return cross_entropy_as<double>(loss, lse, denominator, c, work, stream);
    case DType::kFloat16:
      return cross_entropy_as<__half>(loss, lse, denominator, c, work, stream);
    case DType::kBFloat16:
      return cross_entropy_as<__nv_bfloat16>(loss, lse, denominator, c, work, stream);
    default:
      return cross_entropy_as<float>(loss, lse, denominator, c, work, stream);
  }
}
Error cross_entropy_backward(void* out, const void* grad, const void* lse, const void* denominator,
                             const CrossEntropy& c, Stream stream) {
  switch (c.type) {
    case DType::kFloat64:
      return cross_entropy_backward_as<double>(out, grad, lse, denominator, c, stream);
    case DType::kFloat16:
      return cross_entropy_backward_as<__half>(out, grad, lse, denominator, c, stream);
    case DType::kBFloat16:
      return cross_entropy_backward_as<__nv_bfloat16>(out, grad, lse, denominator, c, stream);
    default:
      return cross_entropy_backward_as<float>(out, grad, lse, denominator, c, stream);
  }
}
int64_t cross_entropy_workspace(const CrossEntropy& c) {
  const int64_t item = c.type == DType::kFloat64 ? 8 : 4;
  return (c.reduction == Reduction::kNone ? 1 : 2) * c.rows * c.length * item;
}

}  // namespace mg::cuda
