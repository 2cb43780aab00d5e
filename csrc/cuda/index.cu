// Elements taken from, written to and added at numbered places of one dimension of a table.
// Memory-bound: rows that lie densely move in packs of 16 bytes.
#include "cuda/kernels_index.h"
#include "cuda/walk.cuh"

namespace mg::cuda {
namespace {

struct Moved {
  const int64_t* index;
  int64_t step, count, low;
  int32_t* bad;
};

// The place of the table that an index names; -1 if it is out of range.
MG_DEVICE int64_t place_in(const Moved& m, int64_t index_at) {
  const int64_t i = m.index[index_at];
  if (i >= m.low && i < m.count) return (i < 0 ? i + m.count : i) * m.step;
  if (m.bad) atomicExch(m.bad, 1);
  return -1;
}

template <class T, int N>
__global__ void __launch_bounds__(kBlockThreads)
    take_kernel(T* other, const T* table, const Moved m, const Spans<3> spans) {
  const uint32_t step = gridDim.x * blockDim.x;
  for (uint32_t unit = blockIdx.x * blockDim.x + threadIdx.x; unit < spans.units; unit += step) {
    int64_t at[3];
    find_places(at, spans, unit);
    const int64_t place = place_in(m, at[2]);
    T v[N];
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = static_cast<T>(~T{0});
    if (place >= 0) load_raw<N>(v, table + at[1] + place);
    store_raw<N>(other + at[0], v);
  }
}

template <class T, int N>
__global__ void __launch_bounds__(kBlockThreads)
    put_kernel(T* table, const T* other, const Moved m, const Spans<3> spans) {
  const uint32_t step = gridDim.x * blockDim.x;
  for (uint32_t unit = blockIdx.x * blockDim.x + threadIdx.x; unit < spans.units; unit += step) {
    int64_t at[3];
    find_places(at, spans, unit);
    const int64_t place = place_in(m, at[2]);
    if (place < 0) continue;
    T v[N];
    load_raw<N>(v, other + at[0]);
    store_raw<N>(table + at[1] + place, v);
  }
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    add_kernel(T* table, const T* other, const Moved m, const Spans<3> spans) {
  const uint32_t step = gridDim.x * blockDim.x;
  for (uint32_t unit = blockIdx.x * blockDim.x + threadIdx.x; unit < spans.units; unit += step) {
    int64_t at[3];
    find_places(at, spans, unit);
    const int64_t place = place_in(m, at[2]);
    if (place >= 0) atomicAdd(table + at[1] + place, other[at[0]]);
  }
}

// A team for every number that occurs: it begins where the sorted numbers change, and adds up its
// rows in their order.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    add_sorted_kernel(const SortedRows s, bool whole_block) {
  using V = Computed<T>;
  const Team team(whole_block);
  T* table = static_cast<T*>(s.table);
  const T* rows = static_cast<const T*>(s.rows);
  for (int64_t first = team.first; first < s.n; first += team.step) {
    const int64_t number = s.index[s.order[first]];
    if (number == s.skip || (first > 0 && s.index[s.order[first - 1]] == number)) continue;
    if (number < 0 || number >= s.count) {
      if (s.bad) atomicExch(s.bad, 1);
      continue;
    }
    for (int64_t column = team.lane; column < s.width; column += team.threads) {
      V sum = widen(table[number * s.width + column]);
      for (int64_t i = first; i < s.n; ++i) {
        const int64_t row = s.order[i];
        if (s.index[row] != number) break;
        sum += widen(rows[row * s.width + column]);
      }
      table[number * s.width + column] = narrow<T>(sum);
    }
  }
}

// Elements that can move at once: the innermost dimension is dense in both arrays, and one number
// serves all of it.
int64_t width_of(const IndexCall& call, int64_t item) {
  const StridedWalk<3>& w = call.walk;
  const int last = w.ndim - 1;
  const int64_t most = 16 / item;
  if (w.stride[0][last] != 1 || w.stride[1][last] != 1 || w.stride[2][last] != 0) return 1;
  bool wide = w.shape[last] % most == 0 && call.step % most == 0 && aligned_to(call.other, 16) &&
              aligned_to(call.table, 16);
  for (int d = 0; d < last; ++d) {
    wide = wide && w.stride[0][d] % most == 0 && w.stride[1][d] % most == 0;
  }
  return wide ? most : 1;
}

// Calls run(other, table, moved, spans, grid) for the parts of a walk.
template <class T, class Run>
Error run_parts(const IndexCall& call, int64_t width, const Run& run) {
  if (call.walk.size == 0) return 0;
  return walk_parts<3>(call.walk, width, [&](const Spans<3>& spans, const int64_t* at) -> Error {
    const Moved moved = {call.index + at[2], call.step, call.count, call.wrap ? -call.count : 0,
                         call.bad};
    return run(static_cast<T*>(call.other) + at[0], static_cast<T*>(call.table) + at[1], moved,
               spans, blocks_for(spans.units, kBlockThreads));
  });
}

template <class T>
Error take_items(const IndexCall& call, Stream stream) {
  constexpr int kWide = 16 / static_cast<int>(sizeof(T));
  const int64_t width = width_of(call, sizeof(T));
  return run_parts<T>(
      call, width,
      [&](T* other, T* table, const Moved& moved, const Spans<3>& spans, dim3 grid) -> Error {
        const T* from = table;
        return width > 1 ? MG_LAUNCH((take_kernel<T, kWide>), grid, dim3(kBlockThreads), 0, stream,
                                     other, from, moved, spans)
                         : MG_LAUNCH((take_kernel<T, 1>), grid, dim3(kBlockThreads), 0, stream,
                                     other, from, moved, spans);
      });
}

template <class T>
Error put_items(const IndexCall& call, Stream stream) {
  constexpr int kWide = 16 / static_cast<int>(sizeof(T));
  const int64_t width = width_of(call, sizeof(T));
  return run_parts<T>(
      call, width,
      [&](T* other, T* table, const Moved& moved, const Spans<3>& spans, dim3 grid) -> Error {
        const T* from = other;
        return width > 1 ? MG_LAUNCH((put_kernel<T, kWide>), grid, dim3(kBlockThreads), 0, stream,
                                     table, from, moved, spans)
                         : MG_LAUNCH((put_kernel<T, 1>), grid, dim3(kBlockThreads), 0, stream,
                                     table, from, moved, spans);
      });
}

template <class T>
Error add_items(const IndexCall& call, Stream stream) {
  return run_parts<T>(
      call, 1,
      [&](T* other, T* table, const Moved& moved, const Spans<3>& spans, dim3 grid) -> Error {
        const T* from = other;
        return MG_LAUNCH((add_kernel<T>), grid, dim3(kBlockThreads), 0, stream, table, from, moved,
                         spans);
      });
}

template <class T>
Error add_sorted_as(const SortedRows& call, Stream stream) {
  if (call.n * call.width == 0) return 0;
  const bool whole_block = call.width > 64;
  return MG_LAUNCH((add_sorted_kernel<T>), blocks_for_teams(call.n, whole_block),
                   dim3(kBlockThreads), 0, stream, call, whole_block);
}

}  // namespace

Error take(int64_t item, const IndexCall& call, Stream stream) {
  switch (item) {
    case 1:
      return take_items<uint8_t>(call, stream);
    case 2:
      return take_items<uint16_t>(call, stream);
    case 4:
      return take_items<uint32_t>(call, stream);
    default:
      return take_items<uint64_t>(call, stream);
  }
}
Error put(int64_t item, const IndexCall& call, Stream stream) {
  switch (item) {
    case 1:
      return put_items<uint8_t>(call, stream);
    case 2:
      return put_items<uint16_t>(call, stream);
    case 4:
      return put_items<uint32_t>(call, stream);
    default:
      return put_items<uint64_t>(call, stream);
  }
}
Error add(bool twice, const IndexCall& call, Stream stream) {
  return twice ? add_items<double>(call, stream) : add_items<float>(call, stream);
}
Error add_sorted(const SortedRows& call, Stream stream) {
  switch (call.type) {
    case DType::kFloat64:
      return add_sorted_as<double>(call, stream);
    case DType::kFloat16:
      return add_sorted_as<__half>(call, stream);
    case DType::kBFloat16:
      return add_sorted_as<__nv_bfloat16>(call, stream);
    default:
      return add_sorted_as<float>(call, stream);
  }
}

}  // namespace mg::cuda
