// Normalisation of rows (layer, group, instance, root mean square) and its gradient: a warp or a
// block takes a row and keeps it in registers, so that it is read once; rows too long for that are
// read twice.
#include "cuda/norm_core.cuh"

namespace mg::cuda {
namespace {

// Values of a row that a thread keeps; fewer where they come one by one, each with its addresses.
template <int N>
constexpr int kHeld = N == 1 ? 8 : 16;

template <class T>
struct Rows {
  T *y, *dx;
  const T *x, *grad;
  Computed<T>*mean, *rstd;
  const void *w, *b;
  int64_t rows, n, groups, params;  // params: of a group
  Divider run;
  double eps;
  bool centre, wide_params;
  bool own_params, same_params;  // those of a pack: side by side and aligned; one
};

// Calls body(k, at) for the packs of a row that a thread has; see softmax.cu.
template <int N, bool kFits, class Body>
MG_DEVICE void each_pack(const Team& team, int64_t n, Body body) {
  if constexpr (kFits) {
#pragma unroll
    for (int k = 0; k < kHeld<N> / N; ++k) {
      const int64_t at = (static_cast<int64_t>(k) * team.threads + team.lane) * N;
      if (at < n) body(k, at);
    }
  } else {
    for (int64_t at = static_cast<int64_t>(team.lane) * N; at < n; at += team.threads * N) {
      body(0, at);
    }
  }
}

// The parameters of N neighbouring elements of a row: side by side where each has its own, one
// where they lie in one run, else one by one. `otherwise` where there are none.
template <int N, class T>
MG_DEVICE void load_params(Computed<T> (&v)[N], const Rows<T>& a, const void* params, int64_t row,
                           int64_t at, Computed<T> otherwise) {
  using V = Computed<T>;
  const int64_t first = a.groups == 1 ? 0 : row % a.groups * a.params;
  if (params && a.own_params) {
    a.wide_params ? load_pack<N>(v, static_cast<const V*>(params) + first + at)
                  : load_pack<N>(v, static_cast<const T*>(params) + first + at);
    return;
  }
  const V one =
      param_at<T>(params, a.wide_params, first + a.run(static_cast<uint32_t>(at)), otherwise);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    v[i] = one;
    if (i > 0 && !a.same_params) {
      v[i] = param_at<T>(params, a.wide_params, first + a.run(static_cast<uint32_t>(at + i)),
                         otherwise);
    }
  }
}

template <class T, int N, bool kFits>
__global__ void __launch_bounds__(kBlockThreads, 2)
    row_norm_kernel(const Rows<T> a, bool whole_block) {
  using V = Computed<T>;
  MG_SHARED(Pair, pairs, [kBlockThreads / 32]);
  MG_SHARED(V, shared, [kBlockThreads / 32]);
  const Team team(whole_block);
  const V n = static_cast<V>(a.n);
  for (int64_t row = team.first; row < a.rows; row += team.step) {
    const T* x = a.x + row * a.n;
    V held[kFits ? kHeld<N> / N : 1][N];
    V mean = V(0), variance;
    if constexpr (kFits) {
      V sum = V(0);
      each_pack<N, kFits>(team, a.n, [&](int k, int64_t at) {
        load_pack<N>(held[k], x + at);
#pragma unroll
        for (int i = 0; i < N; ++i) sum += held[k][i];
      });
      if (a.centre) mean = combine_team(whole_block, sum, shared, AddValues()) / n;
      V square = V(0);
      each_pack<N, kFits>(team, a.n, [&](int k, int64_t) {
#pragma unroll
        for (int i = 0; i < N; ++i) {
          const V d = held[k][i] - mean;
          square = fma(d, d, square);
        }
      });
      variance = combine_team(whole_block, square, shared, AddValues()) / n;
    } else {  // deviations from a value of the row, in double: at most n 2^-53 are lost
      const double shift = a.centre ? static_cast<double>(widen(x[0])) : 0;
      Pair sum = {0, 0};
      each_pack<N, kFits>(team, a.n, [&](int k, int64_t at) {
        load_pack<N>(held[k], x + at);
#pragma unroll
        for (int i = 0; i < N; ++i) {
          const double d = static_cast<double>(held[k][i]) - shift;
          sum.a += d;
          sum.b = fma(d, d, sum.b);
        }
      });
      sum = combine_team(whole_block, sum, pairs, AddPairs());
      const double d = a.centre ? sum.a / static_cast<double>(a.n) : 0;
      mean = static_cast<V>(shift + d);
      const double v = sum.b / static_cast<double>(a.n) - d * d;
      variance = static_cast<V>(v < 0 ? 0 : v);
    }
    const V rstd = V(1) / sqrt(variance + static_cast<V>(a.eps));
    if (team.lane == 0) {
      if (a.centre) a.mean[row] = mean;
      a.rstd[row] = rstd;
    }
    each_pack<N, kFits>(team, a.n, [&](int k, int64_t at) {
      if (!kFits) load_pack<N>(held[k], x + at);
      V y[N], w[N], b[N];
      load_params(w, a, a.w, row, at, V(1));
      load_params(b, a, a.b, row, at, V(0));
#pragma unroll
      for (int i = 0; i < N; ++i) y[i] = (held[k][i] - mean) * rstd * w[i] + b[i];
      store_pack<N>(a.y + row * a.n + at, y);
    });
  }
}

template <class T, int N, bool kFits>
__global__ void __launch_bounds__(kBlockThreads, 2)
    row_norm_backward_kernel(const Rows<T> a, bool whole_block) {
  using V = Computed<T>;
  struct Two {
    V a, b;
  };
  const auto add = [](Two x, Two y) -> Two { return {x.a + y.a, x.b + y.b}; };
  MG_SHARED(Two, shared, [kBlockThreads / 32]);
  const Team team(whole_block);
  const V n = static_cast<V>(a.n);
  for (int64_t row = team.first; row < a.rows; row += team.step) {
    const int64_t start = row * a.n;
    const V mean = a.centre ? a.mean[row] : V(0), rstd = a.rstd[row];
    V u[kFits ? kHeld<N> / N : 1][N], h[kFits ? kHeld<N> / N : 1][N];
    const auto load = [&](int k, int64_t at) {
      load_pack<N>(u[k], a.grad + start + at);
      load_pack<N>(h[k], a.x + start + at);
      V w[N];
      load_params(w, a, a.w, row, at, V(1));
#pragma unroll
      for (int i = 0; i < N; ++i) {
        u[k][i] *= w[i];
        h[k][i] = (h[k][i] - mean) * rstd;
      }
    };
    Two sum = {V(0), V(0)};
    each_pack<N, kFits>(team, a.n, [&](int k, int64_t at) {
      load(k, at);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        sum.a += u[k][i];
        sum.b = fma(u[k][i], h[k][i], sum.b);
      }
    });
    sum = combine_team(whole_block, sum, shared, add);
    const V first = a.centre ? sum.a / n : V(0), second = sum.b / n;
    each_pack<N, kFits>(team, a.n, [&](int k, int64_t at) {
      if (!kFits) load(k, at);
      V d[N];
#pragma unroll
      for (int i = 0; i < N; ++i) d[i] = rstd * (u[k][i] - first - h[k][i] * second);
      store_pack<N>(a.dx + start + at, d);
    });
  }
}

template <class T>
Rows<T> rows_of(const RowNormCall& c) {
  using V = Computed<T>;
  Rows<T> a = {};
  a.y = static_cast<T*>(c.y);
  a.dx = static_cast<T*>(c.dx);
  a.x = static_cast<const T*>(c.x);
  a.grad = static_cast<const T*>(c.grad);
  a.mean = static_cast<V*>(c.mean);
  a.rstd = static_cast<V*>(c.rstd);
  a.w = c.w;
  a.b = c.b;
  a.rows = c.shape.rows;
  a.n = c.shape.n;
  a.groups = c.shape.groups;
  a.params = c.shape.n / c.shape.run;
  a.run = divider(static_cast<uint32_t>(c.shape.run));
  a.eps = c.eps;
  a.centre = c.centre;
  a.wide_params = c.wide_params;
  return a;
}

// Runs the form of a kernel that the rows allow: pick(wide, fits) gives it.
template <class T, class Pick>
Error launch_rows(Rows<T> a, bool aligned, const Pick& pick, Stream stream) {
  const bool wide = aligned && a.n % kPack<T> == 0;
  const int64_t held = wide ? kHeld<kPack<T>> : kHeld<1>;
  const bool whole_block = a.n > 32 * held, fits = a.n <= kBlockThreads * held;
  a.own_params = a.run.by == 1 && (!wide || (aligned_to(a.w, 16) && aligned_to(a.b, 16)));
  a.same_params = !wide || a.run.by % kPack<T> == 0;
  void (*kernel)(Rows<T>, bool) = pick(wide, fits);
  return MG_LAUNCH(kernel, blocks_for_teams(a.rows, whole_block), dim3(kBlockThreads), 0, stream, a,
                   whole_block);
}

template <class T>
Error row_norm_as(const RowNormCall& call, Stream stream) {
  if (call.shape.rows == 0) return 0;
  const auto pick = [](bool wide, bool fits) -> void (*)(Rows<T>, bool) {
    if (wide)
      return fits ? row_norm_kernel<T, kPack<T>, true> : row_norm_kernel<T, kPack<T>, false>;
    return fits ? row_norm_kernel<T, 1, true> : row_norm_kernel<T, 1, false>;
  };
  const bool aligned = aligned_to(call.x, 16) && aligned_to(call.y, 16);
  return launch_rows<T>(rows_of<T>(call), aligned, pick, stream);
}

template <class T>
Error row_norm_backward_as(const RowNormCall& call, Stream stream) {
  using V = Computed<T>;
  const RowShape& shape = call.shape;
  const Rows<T> a = rows_of<T>(call);
  if (call.dx && shape.rows > 0) {
    const auto pick = [](bool wide, bool fits) -> void (*)(Rows<T>, bool) {
      if (wide) {
        return fits ? row_norm_backward_kernel<T, kPack<T>, true>
                    : row_norm_backward_kernel<T, kPack<T>, false>;
      }
      return fits ? row_norm_backward_kernel<T, 1, true> : row_norm_backward_kernel<T, 1, false>;
    };
    const bool aligned =
        aligned_to(call.x, 16) && aligned_to(call.grad, 16) && aligned_to(call.dx, 16);
    if (const Error error = launch_rows<T>(a, aligned, pick, stream)) return error;
  }
  if (!call.dw && !call.db) return 0;
  ChannelSums<T> s = {};
  s.x = a.x;
  s.grad = a.grad;
  s.mean = call.centre ? a.mean : nullptr;
  s.rstd = a.rstd;
  s.groups = shape.groups;
  s.n = shape.rows / shape.groups;
  s.c = row_params(shape);
  s.length = shape.run;
  s.sums = static_cast<double*>(call.work);
  if (s.n > 0) {
    if (const Error error = sum_channels(s, stream)) return error;
  }
  return MG_LAUNCH((add_parts_kernel<V>), blocks_for(s.c, kBlockThreads), dim3(kBlockThreads), 0,
                   stream, static_cast<V*>(call.dw), static_cast<V*>(call.db), s.sums, s.c,
                   s.parts);
}

}  // namespace

Error row_norm(const RowNormCall& call, Stream stream) {
  switch (call.type) {
    case DType::kFloat64:
      return row_norm_as<double>(call, stream);
    case DType::kFloat16:
      return row_norm_as<__half>(call, stream);
    case DType::kBFloat16:
      return row_norm_as<__nv_bfloat16>(call, stream);
    default:
      return row_norm_as<float>(call, stream);
  }
}
Error row_norm_backward(const RowNormCall& call, Stream stream) {
  switch (call.type) {
    case DType::kFloat64:
      return row_norm_backward_as<double>(call, stream);
    case DType::kFloat16:
      return row_norm_backward_as<__half>(call, stream);
    case DType::kBFloat16:
      return row_norm_backward_as<__nv_bfloat16>(call, stream);
    default:
      return row_norm_backward_as<float>(call, stream);
  }
}
int64_t row_norm_workspace(const RowNormCall& call) {
  const RowShape& s = call.shape;
  return channel_sums_bytes(s.rows / s.groups, row_params(s), s.run);
}

}  // namespace mg::cuda
