// Reductions over any dimensions: sums, extrema with their indices, products, norms, variances,
// log-sum-exp. Memory-bound: threads run along the memory whatever is reduced and every value is
// read once, in packs of 16 bytes where the layout allows it. What is added up goes from packs in
// float into doubles; long reductions are cut into parts by their size alone, whose results are
// combined in order: no atomics, and the same bits on every run.
#include "cuda/reduce_core.cuh"
#include "cuda/walk.cuh"

namespace mg::cuda {
namespace {

// What the kernels are told.
struct Plan {
  int op;
  Finish finish;
  void *out, *second;
  Fold* work;
  Spans<1> kept, reduced;      // in elements; reduced: in packs where those are loaded
  int64_t outputs, count;      // count: values of one output
  int64_t units, parts, each;  // units of the reduced dimensions, in parts of `each`
  int tail;                    // values behind the last unit (one reduced dimension only)
  int threads;                 // of a row: 32 or kBlockThreads
};

template <class T>
MG_DEVICE void write_result(const Plan& p, int64_t at, Fold f, double shift) {
  if (p.op >= kReduceArgMax) {
    if (p.out) static_cast<T*>(p.out)[at] = narrow<T>(static_cast<typename FoldedIn<T>::type>(f.a));
    static_cast<int64_t*>(p.second)[at] = static_cast<int64_t>(f.b);
    return;
  }
  double value = f.a;
  if (p.op == static_cast<int>(ReduceOp::kVar)) {
    const double n = static_cast<double>(p.count), mean = f.a / n;
    value = f.b - mean * f.a;
    value = value < 0 ? 0 : value;  // by a rounding
    if (p.second) static_cast<T*>(p.second)[at] = narrow<T>(shift + mean);
  } else if (p.op == static_cast<int>(ReduceOp::kLogSumExp)) {
    value = f.a + ::log(f.b);
  }
  value *= p.finish.scale;
  if (p.finish.root) value = ::sqrt(value);
  switch (p.finish.out) {
    case Finish::Out::kSame:
      static_cast<T*>(p.out)[at] = narrow<T>(static_cast<typename FoldedIn<T>::type>(value));
      break;
    case Finish::Out::kInt64:
      static_cast<int64_t*>(p.out)[at] = static_cast<int64_t>(value);
      break;
    case Finish::Out::kPositive:
      static_cast<uint8_t*>(p.out)[at] = value > 0;
      break;
    case Finish::Out::kAtLeast:
      static_cast<uint8_t*>(p.out)[at] = value >= p.finish.least;
      break;
  }
}

MG_DEVICE int64_t place_of(const Spans<1>& spans, int64_t unit) {
  if (spans.ndim == 1) return unit * spans.stride[0][0];
  int64_t at[1];
  find_places(at, spans, static_cast<uint32_t>(unit));
  return at[0];
}

// Neighbours are reduced: a warp or a block runs along every part of every output.
template <class T, int N>
__global__ void __launch_bounds__(kBlockThreads)
    reduce_rows_kernel(const T* __restrict__ x, const Plan p) {
  using V = typename FoldedIn<T>::type;
  MG_SHARED(Fold, warps, [kBlockThreads / 32]);
  const bool whole_block = p.threads > 32;
  const int lane = whole_block ? threadIdx.x : threadIdx.x % 32;
  const int64_t rows = whole_block ? 1 : kBlockThreads / 32;  // of a block
  const int64_t tasks = p.outputs * p.parts, step = gridDim.x * rows;
  for (int64_t task = blockIdx.x * rows + (whole_block ? 0 : threadIdx.x / 32); task < tasks;
       task += step) {
    const int64_t output = task / p.parts, part = task % p.parts;
    const T* row = x + place_of(p.kept, output);
    const double shift = p.count ? static_cast<double>(widen(*row)) : 0;
    const int64_t begin = part * p.each;
    const int64_t end = begin + p.each < p.units ? begin + p.each : p.units;
    Fold f = start_of(p.op);
    for (int64_t unit = begin + lane; unit < end; unit += p.threads) {
      V v[N];
      load_pack<N>(v, row + place_of(p.reduced, unit));
      fold_values(p.op, f, v, shift, static_cast<double>(unit * N), 1);
    }
    if (part == p.parts - 1 && lane < p.tail) {
      const int64_t i = p.units * N + lane;
      const V v[1] = {static_cast<V>(widen(row[i]))};
      fold_values(p.op, f, v, shift, static_cast<double>(i), 1);
    }
    const auto merge = [&](Fold a, Fold b) { return merge_folds(p.op, a, b); };
    f = combine_threads<32>(f, merge);
    if (whole_block) {
      __syncthreads();  // `warps` may still be read for the task before
      if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = f;
      __syncthreads();
      f = warps[0];
      for (int i = 1; i < kBlockThreads / 32; ++i) f = merge(f, warps[i]);
    }
    if (lane != 0) continue;
    if (p.parts == 1) {
      write_result<T>(p, output, f, shift);
    } else {
      p.work[task] = f;
    }
  }
}

constexpr int kColumnThreads = 32, kRowThreads = 8, kRowsAtOnce = 4;

// Neighbours are kept: a thread has N outputs side by side and runs down the reduced dimensions,
// kRowsAtOnce rows in flight; kRowThreads of them share the rows.
template <class T, int N>
__global__ void __launch_bounds__(kColumnThreads* kRowThreads)
    reduce_columns_kernel(const T* __restrict__ x, const Plan p) {
  using V = typename FoldedIn<T>::type;
  MG_SHARED(Fold, shared, [kRowThreads][kColumnThreads]);
  const int64_t packs = p.outputs / N, across = ceil_div(packs, kColumnThreads);
  for (int64_t block = blockIdx.x; block < across * p.parts; block += gridDim.x) {
    const int64_t pack = block / p.parts * kColumnThreads + threadIdx.x, part = block % p.parts;
    const bool inside = pack < packs;
    const T* column = x + (inside ? place_of(p.kept, pack) : 0);
    Fold f[N];
    V first[N];
    load_pack<N>(first, column);
#pragma unroll
    for (int i = 0; i < N; ++i) f[i] = start_of(p.op);
    const int64_t end = (part + 1) * p.each < p.units ? (part + 1) * p.each : p.units;
    int64_t row = part * p.each + threadIdx.y;
    for (; inside && row + (kRowsAtOnce - 1) * kRowThreads < end;
         row += kRowsAtOnce * kRowThreads) {
      V v[kRowsAtOnce][N];
#pragma unroll
      for (int k = 0; k < kRowsAtOnce; ++k) {
        load_pack<N>(v[k], column + place_of(p.reduced, row + k * kRowThreads));
      }
#pragma unroll
      for (int i = 0; i < N; ++i) {
        V down[kRowsAtOnce];
#pragma unroll
        for (int k = 0; k < kRowsAtOnce; ++k) down[k] = v[k][i];
        fold_values(p.op, f[i], down, static_cast<double>(first[i]), static_cast<double>(row),
                    kRowThreads);
      }
    }
    for (; inside && row < end; row += kRowThreads) {
      V v[N];
      load_pack<N>(v, column + place_of(p.reduced, row));
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const V down[1] = {v[i]};
        fold_values(p.op, f[i], down, static_cast<double>(first[i]), static_cast<double>(row), 1);
      }
    }
#pragma unroll
    for (int i = 0; i < N; ++i) {
      __syncthreads();  // `shared` may still be read for the column before
      shared[threadIdx.y][threadIdx.x] = f[i];
      __syncthreads();
      if (threadIdx.y != 0 || !inside) continue;
      Fold total = f[i];
      for (int k = 1; k < kRowThreads; ++k) {
        total = merge_folds(p.op, total, shared[k][threadIdx.x]);
      }
      const int64_t output = pack * N + i;
      if (p.parts == 1) {
        write_result<T>(p, output, total, static_cast<double>(first[i]));
      } else {
        p.work[output * p.parts + part] = total;
      }
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    reduce_parts_kernel(const T* __restrict__ x, const Plan p, int width) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t output = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       output < p.outputs; output += step) {
    const double shift =
        static_cast<double>(widen(x[place_of(p.kept, output / width) + output % width]));
    Fold f = p.work[output * p.parts];
    for (int64_t i = 1; i < p.parts; ++i) {
      f = merge_folds(p.op, f, p.work[output * p.parts + i]);
    }
    write_result<T>(p, output, f, shift);
  }
}

Spans<1> spans_of(const Dims& dims, int64_t width) {
  Spans<1> spans = {};
  spans.ndim = dims.ndim;
  for (int d = 0; d < dims.ndim; ++d) {
    const bool innermost = d == dims.ndim - 1;
    const int64_t extent = dims.shape[d] / (innermost ? width : 1);
    spans.extent[d] = divider(static_cast<uint32_t>(max_of(extent, 1)));
    spans.stride[0][d] = dims.stride[d] * (innermost ? width : 1);
  }
  return spans;
}

// Elements of a pack: 16 bytes, but 8 bools, whose folds need registers.
template <class T>
constexpr int kFoldPack = sizeof(T) == 1 ? 8 : kPack<T>;

bool along_rows(const ReduceCall& c) {
  const int64_t kept = c.kept.stride[c.kept.ndim - 1];
  return c.kept.size == 1 || c.reduced.size == 0 || c.reduced.stride[c.reduced.ndim - 1] <= kept;
}

// How the work is cut, which only sizes and layout decide.
struct Cuts {
  bool rows;
  int64_t width, units, parts, each;
};

Cuts cut(const ReduceCall& c, int64_t pack) {
  Cuts cuts;
  cuts.rows = along_rows(c);
  const Dims &line = cuts.rows ? c.reduced : c.kept, &other = cuts.rows ? c.kept : c.reduced;
  const int64_t item = c.type == DType::kBool ? 1 : item_size(c.type);
  const int64_t inner = line.shape[line.ndim - 1];
  bool wide = line.stride[line.ndim - 1] == 1 && aligned_to(c.x, pack * item) &&
              (inner % pack == 0 || (cuts.rows && line.ndim == 1));
  for (int d = 0; d + 1 < line.ndim; ++d) wide = wide && line.stride[d] % pack == 0;
  for (int d = 0; d < other.ndim; ++d) wide = wide && other.stride[d] % pack == 0;
  cuts.width = wide ? pack : 1;
  const int64_t enough = 1024;  // blocks
  if (cuts.rows) {
    cuts.units = c.reduced.size / cuts.width;
    const int64_t longest = kBlockThreads * 8;  // units worth a block
    const int64_t pieces = ceil_div(enough, c.kept.size);
    cuts.parts = min_of(ceil_div(cuts.units, longest), pieces);
  } else {
    cuts.units = c.reduced.size;
    const int64_t across = ceil_div(c.kept.size / cuts.width, kColumnThreads);
    const int64_t longest = kRowThreads * kRowsAtOnce * 4;
    cuts.parts = min_of(ceil_div(cuts.units, longest), ceil_div(enough, across));
  }
  cuts.parts = max_of(cuts.parts, 1);
  cuts.each = ceil_div(cuts.units, cuts.parts);
  cuts.parts = max_of(cuts.each ? ceil_div(cuts.units, cuts.each) : 1, 1);
  return cuts;
}

int64_t pack_of(DType type) {
  return type == DType::kBool ? kFoldPack<uint8_t> : 16 / item_size(type);
}

template <class T>
Error reduce_as(const ReduceCall& call, Stream stream) {
  if (call.kept.size == 0) return 0;
  constexpr int kWide = kFoldPack<T>;
  const Cuts cuts = cut(call, kWide);
  Plan p = {};
  p.op = call.op;
  p.finish = call.finish;
  p.out = call.out;
  p.second = call.second;
  p.work = static_cast<Fold*>(call.work);
  p.kept = spans_of(call.kept, cuts.rows ? 1 : cuts.width);
  p.reduced = spans_of(call.reduced, cuts.rows ? cuts.width : 1);
  p.outputs = call.kept.size;
  p.count = call.reduced.size;
  p.units = cuts.units;
  p.parts = cuts.parts;
  p.each = cuts.each;
  p.tail = cuts.rows ? static_cast<int>(p.count - cuts.units * cuts.width) : 0;
  p.threads = cuts.each > 32 * 8 ? kBlockThreads : 32;
  const T* x = static_cast<const T*>(call.x);
  Error error;
  if (cuts.rows) {
    const dim3 grid = blocks_for(p.outputs * p.parts, p.threads == 32 ? kBlockThreads / 32 : 1);
    error =
        cuts.width > 1
            ? MG_LAUNCH((reduce_rows_kernel<T, kWide>), grid, dim3(kBlockThreads), 0, stream, x, p)
            : MG_LAUNCH((reduce_rows_kernel<T, 1>), grid, dim3(kBlockThreads), 0, stream, x, p);
  } else {
    const dim3 grid = blocks_for(ceil_div(p.outputs / cuts.width, kColumnThreads) * p.parts, 1);
    const dim3 block(kColumnThreads, kRowThreads);
    error = cuts.width > 1
                ? MG_LAUNCH((reduce_columns_kernel<T, kWide>), grid, block, 0, stream, x, p)
                : MG_LAUNCH((reduce_columns_kernel<T, 1>), grid, block, 0, stream, x, p);
  }
  if (error || p.parts == 1) return error;
  return MG_LAUNCH((reduce_parts_kernel<T>), blocks_for(p.outputs, kBlockThreads),
                   dim3(kBlockThreads), 0, stream, x, p,
                   cuts.rows ? 1 : static_cast<int>(cuts.width));
}

}  // namespace

Error reduce(const ReduceCall& call, Stream stream) {
  switch (call.type) {
    case DType::kFloat32:
      return reduce_as<float>(call, stream);
    case DType::kFloat64:
      return reduce_as<double>(call, stream);
    case DType::kFloat16:
      return reduce_as<__half>(call, stream);
    case DType::kBFloat16:
      return reduce_as<__nv_bfloat16>(call, stream);
    default:
      return reduce_as<uint8_t>(call, stream);
  }
}

int64_t reduce_workspace(const ReduceCall& call) {
  if (call.kept.size == 0) return 0;
  const Cuts cuts = cut(call, pack_of(call.type));
  return cuts.parts > 1 ? call.kept.size * cuts.parts * static_cast<int64_t>(sizeof(Fold)) : 0;
}

}  // namespace mg::cuda
