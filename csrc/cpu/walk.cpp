// Runs the rows of an elementwise operation over operands of any strides, and copies between
// layouts. Dense and repeated operands are read in place; a transposed one is turned tile by tile
// in the cache, so that every line of memory is fetched once; the rest is gathered into short
// buffers.
#include "walk.h"

#include "kernels/elementwise.h"
#include "runs.h"
#include "runtime/threads.h"
#include "transpose.h"

namespace mg::MG_ISA {
namespace {

// Elements in a chunk, and the least work that is worth a second thread: some ten microseconds.
constexpr int64_t kGrain = 1 << 14;
constexpr int64_t kLong = 1 << 20;  // from here on longer chunks: memory likes long runs
constexpr int64_t kAlone = 1 << 16;
constexpr int64_t kBlock = 512;    // elements gathered at a time
constexpr int64_t kTile = 64;      // extent of a tile: 256 bytes of float32, four cache lines
constexpr int64_t kCopyTile = 32;  // of a transposition, which needs no rows to work on
constexpr int64_t kShortRow = 16;  // rows this short are cheaper to gather

struct Plan {
  Row row;
  char* out;
  int64_t out_item;
  const char* in[kWalkOperands];
  int64_t item[kWalkOperands];             // bytes
  int64_t step[kWalkOperands][kWalkDims];  // bytes
  int64_t out_step[kWalkDims];             // bytes
  Unit unit[kWalkOperands];                // of the innermost dimension
  const Walk* walk;
  const double* params;
  bool stream;
};

void gather(void* out, const char* in, int64_t step, int64_t n, int64_t item) {
  switch (item) {
    case 1:
      return gather_run(static_cast<uint8_t*>(out), in, step, n);
    case 2:
      return gather_run(static_cast<uint16_t*>(out), in, step, n);
    case 4:
      return gather_run(static_cast<uint32_t*>(out), in, step, n);
    default:
      return gather_run(static_cast<uint64_t*>(out), in, step, n);
  }
}

// Where the walk stands, and the address of each operand there.
struct Position {
  int64_t index[kWalkDims];
  const char* at[kWalkOperands];
};

Position seek(const Plan& plan, int64_t element) {
  const Walk& w = *plan.walk;
  Position p;
  for (int k = 0; k < w.operands; ++k) p.at[k] = plan.in[k];
  for (int d = w.ndim - 1; d >= 0; --d) {
    p.index[d] = element % w.shape[d];
    element /= w.shape[d];
    for (int k = 0; k < w.operands; ++k) p.at[k] += p.index[d] * plan.step[k][d];
  }
  return p;
}

// Goes n elements on; n does not lead past the end of the innermost dimension.
MG_INLINE void advance(const Plan& plan, Position* p, int64_t n) {
  const Walk& w = *plan.walk;
  int d = w.ndim - 1;
  p->index[d] += n;
  for (int k = 0; k < w.operands; ++k) p->at[k] += n * plan.step[k][d];
  while (d > 0 && p->index[d] == w.shape[d]) {
    for (int k = 0; k < w.operands; ++k) {
      p->at[k] += plan.step[k][d - 1] - w.shape[d] * plan.step[k][d];
    }
    p->index[d] = 0;
    ++p->index[--d];
  }
}

void in_rows(const Plan& plan, int64_t begin, int64_t end) {
  const Walk& w = *plan.walk;
  const int64_t inner = w.shape[w.ndim - 1];
  Position p = seek(plan, begin);
  while (begin < end) {
    const int64_t n = min_of(inner - p.index[w.ndim - 1], end - begin);
    plan.row(plan.out + begin * plan.out_item, reinterpret_cast<const void* const*>(p.at),
             plan.unit, n, plan.params, plan.stream);
    advance(plan, &p, n);
    begin += n;
  }
  if (plan.stream) stream_fence();
}

// Every operand that repeats nowhere is gathered in blocks, whatever its strides are.
void in_blocks(const Plan& plan, int64_t begin, int64_t end) {
  const Walk& w = *plan.walk;
  alignas(64) char buffer[kWalkOperands][kBlock * 8];
  const int64_t inner = w.shape[w.ndim - 1];
  Unit unit[kWalkOperands];
  const void* from[kWalkOperands];
  for (int k = 0; k < w.operands; ++k) {
    unit[k] = w.number[k] ? Unit::kSame : Unit::kDense;
    from[k] = w.number[k] ? static_cast<const void*>(plan.in[k]) : buffer[k];
  }
  Position p = seek(plan, begin);
  while (begin < end) {
    const int64_t count = min_of(kBlock, end - begin);
    for (int64_t done = 0; done < count;) {
      const int64_t n = min_of(inner - p.index[w.ndim - 1], count - done);
      for (int k = 0; k < w.operands; ++k) {
        if (w.number[k]) continue;
        gather(buffer[k] + done * plan.item[k], p.at[k], plan.step[k][w.ndim - 1], n, plan.item[k]);
      }
      advance(plan, &p, n);
      done += n;
    }
    plan.row(plan.out + begin * plan.out_item, from, unit, count, plan.params, false);
    begin += count;
  }
}

template <class T>
void widen_row(float* out, const T* in, int64_t n) {
  int64_t i = 0;
  for (; i + kF <= n; i += kF) store(out + i, load(in + i));
  if (i < n) store_partial(out + i, load_partial(in + i, n - i), n - i);
}

template <class T>
void narrow_row(T* out, const float* in, int64_t n) {
  int64_t i = 0;
  for (; i + kF <= n; i += kF) store(out + i, load(in + i));
  if (i < n) store_partial(out + i, load_partial(in + i, n - i), n - i);
}

// The same for a 16-bit type T: blocks are widened to float32, and the result is rounded once.
template <class T>
void in_wide_blocks(const Plan& plan, int64_t begin, int64_t end) {
  const Walk& w = *plan.walk;
  alignas(64) float buffer[kWalkOperands][kBlock];
  alignas(64) float result[kBlock];
  alignas(64) T narrow[kBlock];
  const int inner = w.ndim - 1;
  Unit unit[kWalkOperands];
  const void* from[kWalkOperands];
  for (int k = 0; k < w.operands; ++k) {
    unit[k] = w.number[k] ? Unit::kSame : Unit::kDense;
    from[k] = w.number[k] ? static_cast<const void*>(plan.in[k]) : buffer[k];
  }
  Position p = seek(plan, begin);
  while (begin < end) {
    const int64_t count = min_of(kBlock, end - begin);
    for (int64_t done = 0; done < count;) {
      const int64_t n = min_of(w.shape[inner] - p.index[inner], count - done);
      for (int k = 0; k < w.operands; ++k) {
        if (w.number[k]) continue;
        if (plan.item[k] == 1) {  // a mask
          gather_run(reinterpret_cast<uint8_t*>(buffer[k]) + done, p.at[k], plan.step[k][inner], n);
        } else if (w.stride[k][inner] == 1) {
          widen_row(buffer[k] + done, reinterpret_cast<const T*>(p.at[k]), n);
        } else {
          gather_run(reinterpret_cast<uint16_t*>(narrow), p.at[k], plan.step[k][inner], n);
          widen_row(buffer[k] + done, narrow, n);
        }
      }
      advance(plan, &p, n);
      done += n;
    }
    char* out = plan.out + begin * plan.out_item;
    if (plan.out_item == 1) {  // a comparison
      plan.row(out, from, unit, count, plan.params, false);
    } else {
      plan.row(result, from, unit, count, plan.params, false);
      narrow_row(reinterpret_cast<T*>(out), result, count);
    }
    begin += count;
  }
}

// ---- tiles: the innermost dimension `i` and another one, `j`, along which an operand is dense
// ----

struct Tiles {
  int64_t extent;
  int j;
  int outer_dims[kWalkDims];
  int outer_count;
  int64_t down, across, total;  // tiles along j and i; with the outer dimensions
};

// Whether operand k is dense along some dimension but not along the innermost.
int dense_elsewhere(const Walk& w, int k) {
  const int inner = w.ndim - 1;
  if (w.number[k] || w.stride[k][inner] == 0 || w.stride[k][inner] == 1) return -1;
  for (int d = 0; d < inner; ++d) {
    if (w.stride[k][d] == 1 && w.shape[d] >= 8 && w.shape[inner] >= 8) return d;
  }
  return -1;
}

bool find_tiles(const Walk& w, int64_t extent, Tiles* tiles) {
  tiles->extent = extent;
  tiles->j = -1;
  for (int k = 0; k < w.operands && tiles->j < 0; ++k) tiles->j = dense_elsewhere(w, k);
  if (tiles->j < 0) return false;
  tiles->outer_count = 0;
  tiles->down = ceil_div(w.shape[tiles->j], extent);
  tiles->across = ceil_div(w.shape[w.ndim - 1], extent);
  tiles->total = tiles->down * tiles->across;
  for (int d = 0; d < w.ndim - 1; ++d) {
    if (d == tiles->j) continue;
    tiles->outer_dims[tiles->outer_count++] = d;
    tiles->total *= w.shape[d];
  }
  return true;
}

struct Tile {
  int64_t rows, columns;  // extents along j and i
  const char* at[kWalkOperands];
  char* out;
};

// Tiles next to each other go down j: the reads of a transposed operand are then neighbours.
Tile tile_at(const Plan& plan, const Tiles& tiles, int64_t number) {
  const Walk& w = *plan.walk;
  const int inner = w.ndim - 1;
  Tile t;
  int64_t offsets[kWalkOperands] = {};
  int64_t out = 0;
  const int64_t j = number % tiles.down * tiles.extent;
  number /= tiles.down;
  const int64_t i = number % tiles.across * tiles.extent;
  number /= tiles.across;
  t.rows = min_of(tiles.extent, w.shape[tiles.j] - j);
  t.columns = min_of(tiles.extent, w.shape[inner] - i);
  const auto move = [&](int d, int64_t index) {
    for (int k = 0; k < w.operands; ++k) offsets[k] += index * plan.step[k][d];
    out += index * plan.out_step[d];
  };
  move(tiles.j, j);
  move(inner, i);
  for (int o = tiles.outer_count - 1; o >= 0; --o) {
    const int d = tiles.outer_dims[o];
    move(d, number % w.shape[d]);
    number /= w.shape[d];
  }
  for (int k = 0; k < w.operands; ++k) t.at[k] = plan.in[k] + offsets[k];
  t.out = plan.out + out;
  return t;
}

void in_tiles(const Plan& plan, const Tiles& tiles, int64_t begin, int64_t end) {
  const Walk& w = *plan.walk;
  const int inner = w.ndim - 1;
  alignas(64) char buffer[kWalkOperands][kTile * kTile * 8];
  for (int64_t number = begin; number < end; ++number) {
    const Tile t = tile_at(plan, tiles, number);
    int64_t step[kWalkOperands];
    const char* from[kWalkOperands];
    Unit unit[kWalkOperands];
    for (int k = 0; k < w.operands; ++k) {
      const int64_t item = plan.item[k];
      from[k] = t.at[k];
      step[k] = plan.step[k][tiles.j];
      unit[k] = plan.unit[k];
      if (w.number[k] || w.stride[k][inner] == 0 || w.stride[k][inner] == 1) continue;
      if (w.stride[k][tiles.j] == 1) {
        transpose(buffer[k], kTile * item, t.at[k], plan.step[k][inner], t.rows, t.columns, item,
                  false);
      } else {
        for (int64_t r = 0; r < t.rows; ++r) {
          gather(buffer[k] + r * kTile * item, t.at[k] + r * step[k], plan.step[k][inner],
                 t.columns, item);
        }
      }
      from[k] = buffer[k];
      step[k] = kTile * item;
      unit[k] = Unit::kDense;
    }
    for (int64_t r = 0; r < t.rows; ++r) {
      const void* row[kWalkOperands];
      for (int k = 0; k < w.operands; ++k) row[k] = from[k] + r * step[k];
      plan.row(t.out + r * plan.out_step[tiles.j], row, unit, t.columns, plan.params, plan.stream);
    }
  }
  if (plan.stream) stream_fence();
}

Plan make_plan(Row row, void* out, const void* const* in, const int64_t* item, const Walk& w,
               const double* params) {
  const int64_t out_item = item[0];
  const int64_t* in_item = item + 1;
  Plan plan;
  plan.row = row;
  plan.out = static_cast<char*>(out);
  plan.out_item = out_item;
  plan.walk = &w;
  plan.params = params;
  plan.stream = w.size * out_item >= kStreamBytes;
  for (int k = 0; k < w.operands; ++k) plan.stream &= in[k] != out;  // what is read is cached
  int64_t step = out_item;
  for (int d = w.ndim - 1; d >= 0; --d) {
    plan.out_step[d] = step;
    step *= w.shape[d];
  }
  for (int k = 0; k < w.operands; ++k) {
    plan.in[k] = static_cast<const char*>(in[k]);
    plan.item[k] = in_item[k];
    for (int d = 0; d < w.ndim; ++d) {
      plan.step[k][d] = w.number[k] ? 0 : w.stride[k][d] * in_item[k];
    }
    plan.unit[k] = !w.number[k] && w.stride[k][w.ndim - 1] == 1 ? Unit::kDense : Unit::kSame;
  }
  return plan;
}

bool direct_rows(const Walk& w) {
  for (int k = 0; k < w.operands; ++k) {
    const int64_t stride = w.stride[k][w.ndim - 1];
    if (!w.number[k] && stride != 0 && stride != 1) return false;
  }
  return w.shape[w.ndim - 1] >= kShortRow || w.ndim == 1;
}

int64_t grain_of(int64_t size) {
  return size <= kAlone ? size : size < kLong ? kGrain : 4 * kGrain;
}

// Asks for the lines of a tile's operand: the processor does not foresee such short runs.
MG_INLINE void prefetch(const Tile& t, int64_t step, int64_t item) {
  for (int64_t c = 0; c < t.columns; ++c) {
    const char* line = t.at[0] + c * step;
    for (int64_t b = 0; b < t.rows * item; b += 64) __builtin_prefetch(line + b, 0, 2);
  }
}

// A copy goes line by line along the innermost dimension, straight to the result.
template <class T>
void copy_lines(const Plan& plan, int64_t begin, int64_t end) {
  constexpr int64_t item = static_cast<int64_t>(sizeof(T));
  const Walk& w = *plan.walk;
  const int last = w.ndim - 1;
  const int64_t inner = w.shape[last], step = plan.step[0][last];
  Position p = seek(plan, begin);
  while (begin < end) {
    const int64_t n = min_of(inner - p.index[last], end - begin);
    char* out = plan.out + begin * item;
    if (step == item) {
      copy_run(out, p.at[0], n * item, plan.stream);
    } else if (step == 0) {
      fill_run(reinterpret_cast<T*>(out), *reinterpret_cast<const T*>(p.at[0]), n);
    } else {
      gather_run(reinterpret_cast<T*>(out), p.at[0], step, n);
    }
    advance(plan, &p, n);
    begin += n;
  }
  if (plan.stream) stream_fence();
}

}  // namespace

void walk_run(Row row, FloatType type, void* out, const void* const* in, const int64_t* item,
              const Walk& w, const double* params) {
  if (w.size == 0) return;
  const Plan plan = make_plan(row, out, in, item, w, params);
  Tiles tiles;
  if (type == FloatType::kFloat16) {
    parallel_for(w.size, grain_of(w.size),
                 [&](int64_t begin, int64_t end) { in_wide_blocks<half>(plan, begin, end); });
  } else if (type == FloatType::kBFloat16) {
    parallel_for(w.size, grain_of(w.size),
                 [&](int64_t begin, int64_t end) { in_wide_blocks<bfloat16>(plan, begin, end); });
  } else if (direct_rows(w)) {
    parallel_for(w.size, grain_of(w.size),
                 [&](int64_t begin, int64_t end) { in_rows(plan, begin, end); });
  } else if (find_tiles(w, kTile, &tiles)) {
    const int64_t grain = w.size <= kAlone ? tiles.total : 4;
    parallel_for(tiles.total, grain,
                 [&](int64_t begin, int64_t end) { in_tiles(plan, tiles, begin, end); });
  } else {
    parallel_for(w.size, grain_of(w.size),
                 [&](int64_t begin, int64_t end) { in_blocks(plan, begin, end); });
  }
}

void walk_copy(void* out, const void* in, int64_t item, const Walk& w) {
  if (w.size == 0) return;
  Tiles tiles;
  const int64_t items[] = {item, item};
  const Plan plan = make_plan(nullptr, out, &in, items, w, nullptr);
  if (direct_rows(w) || !find_tiles(w, kCopyTile, &tiles)) {
    const auto lines = item == 1   ? copy_lines<uint8_t>
                       : item == 2 ? copy_lines<uint16_t>
                       : item == 4 ? copy_lines<uint32_t>
                                   : copy_lines<uint64_t>;
    parallel_for(w.size, grain_of(w.size),
                 [&](int64_t begin, int64_t end) { lines(plan, begin, end); });
    return;
  }
  // A transposition writes its tiles straight to the result.
  const int inner = w.ndim - 1;
  const int64_t grain = w.size <= kAlone ? tiles.total : w.size < kLong ? 16 : 64;
  parallel_for(tiles.total, grain, [&](int64_t begin, int64_t end) {
    for (int64_t number = begin; number < end; ++number) {
      const Tile t = tile_at(plan, tiles, number);
      if (number + 1 < end) prefetch(tile_at(plan, tiles, number + 1), plan.step[0][inner], item);
      transpose(t.out, plan.out_step[tiles.j], t.at[0], plan.step[0][inner], t.rows, t.columns,
                item, plan.stream);
    }
    if (plan.stream) stream_fence();
  });
}

}  // namespace mg::MG_ISA
