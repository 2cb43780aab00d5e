// Batch normalisation and its gradient: sums of channels in parts, then one pass over the elements.
#include "cuda/norm_core.cuh"

namespace mg::cuda {
namespace {

template <class T>
struct Channels {
  T *y, *dx;
  const T *x, *grad;
  Computed<T>*mean, *rstd, *dw, *db, *running_mean, *running_var;
  const void *w, *b;
  int64_t c, length, count, units;  // count: samples times positions; units: packs or elements
  double eps, momentum;
  bool training, wide_params;
  bool small;              // 32-bit numbers count the units
  Divider line, channels;  // units of a plane (length 1: of a sample), and c
};

// Mean and rstd from the parts, or from the running statistics; moves these in training.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    statistics_kernel(const Channels<T> a, const double* sums, int64_t parts) {
  using V = Computed<T>;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < a.c;
       i += step) {
    if (!a.training) {
      a.mean[i] = a.running_mean[i];
      a.rstd[i] = V(1) / sqrt(a.running_var[i] + static_cast<V>(a.eps));
      continue;
    }
    double first = 0, second = 0;
    for (int64_t part = 0; part < parts; ++part) {
      first += sums[part * 2 * a.c + i];
      second += sums[(part * 2 + 1) * a.c + i];
    }
    const double m = static_cast<double>(a.count), d = first / m;
    const double mean = static_cast<double>(widen(a.x[i * a.length])) + d;
    double variance = second / m - d * d;
    if (variance < 0) variance = 0;  // by a rounding
    a.mean[i] = static_cast<V>(mean);
    a.rstd[i] = static_cast<V>(1 / ::sqrt(variance + a.eps));
    if (a.running_mean) {
      a.running_mean[i] = static_cast<V>((1 - a.momentum) * static_cast<double>(a.running_mean[i]) +
                                         a.momentum * mean);
    }
    if (a.running_var) {
      a.running_var[i] = static_cast<V>((1 - a.momentum) * static_cast<double>(a.running_var[i]) +
                                        a.momentum * (variance * (m / (m - 1))));
    }
  }
}

// The channel of a pack's first element; packs lie in one channel, or for length 1 in neighbouring
// ones.
template <int N, class T>
MG_DEVICE int64_t channel_of(const Channels<T>& a, int64_t unit) {
  if (!a.small) return a.length == 1 ? unit * N % a.c : unit * N / a.length % a.c;
  const uint32_t u = static_cast<uint32_t>(unit), line = a.line(u);
  if (a.length == 1) return static_cast<int64_t>(u - line * a.line.by) * N;
  return line - a.channels(line) * a.channels.by;
}

template <class T, int N>
__global__ void __launch_bounds__(kBlockThreads) batch_norm_kernel(const Channels<T> a) {
  using V = Computed<T>;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t unit = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; unit < a.units;
       unit += step) {
    const int64_t at = unit * N, channel = channel_of<N>(a, unit);
    V v[N], y[N];
    load_pack<N>(v, a.x + at);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const int64_t j = a.length == 1 ? channel + i : channel;
      y[i] = (v[i] - a.mean[j]) * a.rstd[j] * param_at<T>(a.w, a.wide_params, j, V(1)) +
             param_at<T>(a.b, a.wide_params, j, V(0));
    }
    store_pack<N>(a.y + at, y);
  }
}

template <class T, int N>
__global__ void __launch_bounds__(kBlockThreads) batch_norm_backward_kernel(const Channels<T> a) {
  using V = Computed<T>;
  const V share = V(1) / static_cast<V>(a.count);
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t unit = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; unit < a.units;
       unit += step) {
    const int64_t at = unit * N, channel = channel_of<N>(a, unit);
    V g[N], v[N], d[N];
    load_pack<N>(g, a.grad + at);
    if (a.training) load_pack<N>(v, a.x + at);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const int64_t j = a.length == 1 ? channel + i : channel;
      const V rstd = a.rstd[j];
      d[i] = g[i];
      if (a.training) {
        const V h = (v[i] - a.mean[j]) * rstd;
        d[i] = g[i] - a.db[j] * share - h * (a.dw[j] * share);
      }
      d[i] *= rstd * param_at<T>(a.w, a.wide_params, j, V(1));
    }
    store_pack<N>(a.dx + at, d);
  }
}

template <class T>
Channels<T> channels_of(const BatchNormCall& c) {
  using V = Computed<T>;
  Channels<T> a = {};
  a.y = static_cast<T*>(c.y);
  a.dx = static_cast<T*>(c.dx);
  a.x = static_cast<const T*>(c.x);
  a.grad = static_cast<const T*>(c.grad);
  a.mean = static_cast<V*>(c.mean);
  a.rstd = static_cast<V*>(c.rstd);
  a.dw = static_cast<V*>(c.dw);
  a.db = static_cast<V*>(c.db);
  a.running_mean = static_cast<V*>(c.running_mean);
  a.running_var = static_cast<V*>(c.running_var);
  a.w = c.w;
  a.b = c.b;
  a.c = c.c;
  a.length = c.length;
  a.count = c.n * c.length;
  a.units = c.n * c.c * c.length;
  a.eps = c.eps;
  a.momentum = c.momentum;
  a.training = c.training;
  a.wide_params = c.wide_params;
  return a;
}

template <class T>
void count_in(Channels<T>& a, int64_t width) {
  a.units /= width;
  a.small = a.units < INT64_C(1) << 30;
  a.line = divider(static_cast<uint32_t>((a.length == 1 ? a.c : a.length) / width));
  a.channels = divider(static_cast<uint32_t>(a.c));
}

template <class T>
ChannelSums<T> sums_of(const BatchNormCall& c) {
  ChannelSums<T> s = {};
  s.x = static_cast<const T*>(c.x);
  s.n = c.n;
  s.c = c.c;
  s.length = c.length;
  s.sums = static_cast<double*>(c.work);
  return s;
}

template <class T>
bool in_packs(const BatchNormCall& c) {
  return (c.length == 1 ? c.c : c.length) % kPack<T> == 0 && aligned_to(c.x, 16);
}

template <class T>
Error batch_norm_as(const BatchNormCall& call, Stream stream) {
  if (call.n * call.c * call.length == 0) return 0;
  Channels<T> a = channels_of<T>(call);
  ChannelSums<T> s = sums_of<T>(call);
  if (call.training) {
    if (const Error error = sum_channels(s, stream)) return error;
  }
  if (const Error error = MG_LAUNCH((statistics_kernel<T>), blocks_for(call.c, kBlockThreads),
                                    dim3(kBlockThreads), 0, stream, a, s.sums, s.parts)) {
    return error;
  }
  const bool wide = in_packs<T>(call) && aligned_to(call.y, 16);
  count_in(a, wide ? kPack<T> : 1);
  const dim3 grid = blocks_for(a.units, kBlockThreads);
  return wide ? MG_LAUNCH((batch_norm_kernel<T, kPack<T>>), grid, dim3(kBlockThreads), 0, stream, a)
              : MG_LAUNCH((batch_norm_kernel<T, 1>), grid, dim3(kBlockThreads), 0, stream, a);
}

template <class T>
Error batch_norm_backward_as(const BatchNormCall& call, Stream stream) {
  using V = Computed<T>;
  if (call.n * call.c * call.length == 0) return 0;
  Channels<T> a = channels_of<T>(call);
  ChannelSums<T> s = sums_of<T>(call);
  s.grad = a.grad;
  s.mean = a.mean;
  s.rstd = a.rstd;
  if (const Error error = sum_channels(s, stream)) return error;
  const Error error = MG_LAUNCH((add_parts_kernel<V>), blocks_for(s.c, kBlockThreads),
                                dim3(kBlockThreads), 0, stream, a.dw, a.db, s.sums, s.c, s.parts);
  if (error || !call.dx) return error;
  const bool wide = in_packs<T>(call) && aligned_to(call.grad, 16) && aligned_to(call.dx, 16);
  count_in(a, wide ? kPack<T> : 1);
  const dim3 grid = blocks_for(a.units, kBlockThreads);
  return wide ? MG_LAUNCH((batch_norm_backward_kernel<T, kPack<T>>), grid, dim3(kBlockThreads), 0,
                          stream, a)
              : MG_LAUNCH((batch_norm_backward_kernel<T, 1>), grid, dim3(kBlockThreads), 0, stream,
                          a);
}

}  // namespace

Error batch_norm(const BatchNormCall& call, Stream stream) {
  switch (call.type) {
    case DType::kFloat64:
      return batch_norm_as<double>(call, stream);
    case DType::kFloat16:
      return batch_norm_as<__half>(call, stream);
    case DType::kBFloat16:
      return batch_norm_as<__nv_bfloat16>(call, stream);
    default:
      return batch_norm_as<float>(call, stream);
  }
}
Error batch_norm_backward(const BatchNormCall& call, Stream stream) {
  switch (call.type) {
    case DType::kFloat64:
      return batch_norm_backward_as<double>(call, stream);
    case DType::kFloat16:
      return batch_norm_backward_as<__half>(call, stream);
    case DType::kBFloat16:
      return batch_norm_backward_as<__nv_bfloat16>(call, stream);
    default:
      return batch_norm_backward_as<float>(call, stream);
  }
}
int64_t batch_norm_workspace(const BatchNormCall& call) {
  return channel_sums_bytes(call.n, call.c, call.length);
}

}  // namespace mg::cuda
