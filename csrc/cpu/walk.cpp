// Runs the rows of an elementwise operation over operands of any strides, and copies between
// layouts. Dense and repeated operands are read in place; a transposed one is turned tile by tile
// in the cache, so that every line of memory is fetched once; the rest is gathered into short
// buffers.
#include "walk.h"

#include "runtime/threads.h"
#include "transpose.h"
#include "walk_halves.h"
#include "walk_plan.h"
#include "widen.h"

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

void in_rows(const Plan& plan, int64_t begin, int64_t end) {
  const Walk& w = *plan.walk;
  const int last = w.ndim - 1;
  Position p = seek(plan, begin);
  each_plane(plan, &p, end - begin, [&](int64_t done, int64_t rows, int64_t n) {
    char* out = plan.out + (begin + done) * plan.out_item;
    const char* at[kWalkOperands];
    for (int k = 0; k < w.operands; ++k) at[k] = p.at[k];
    for (int64_t r = 0; r < rows; ++r, out += n * plan.out_item) {
      plan.row(out, reinterpret_cast<const void* const*>(at), plan.unit, n, plan.params,
               plan.stream);
      for (int k = 0; k < w.operands; ++k) at[k] += last > 0 ? plan.step[k][last - 1] : 0;
    }
  });
  if (plan.stream) stream_fence();
}

// Blocks begin at the start of a row where rows are short.
int64_t block_of(const Walk& w) {
  const int64_t inner = w.shape[w.ndim - 1];
  return inner < kBlock ? kBlock - kBlock % inner : kBlock;
}

// Operands that lie as the result does are read in place, the others gathered in blocks, whatever
// their strides are.
void in_blocks(const Plan& plan, int64_t begin, int64_t end) {
  const Walk& w = *plan.walk;
  alignas(64) char buffer[kWalkOperands][(kBlock + 8) * 8];  // with room for a vector too much
  const int last = w.ndim - 1;
  const int64_t block = block_of(w);
  Unit unit[kWalkOperands];
  const void* from[kWalkOperands];
  Gather gather[kWalkOperands];
  for (int k = 0; k < w.operands; ++k) {
    unit[k] = w.number[k] ? Unit::kSame : Unit::kDense;
    from[k] = w.number[k] ? static_cast<const void*>(plan.in[k]) : buffer[k];
    gather[k] = gather_of(plan.item[k]);
  }
  Position p = seek(plan, begin);
  while (begin < end) {
    const int64_t count = min_of(block, end - begin);
    for (int k = 0; k < w.operands; ++k) {
      if (plan.whole[k]) from[k] = plan.in[k] + begin * plan.item[k];
    }
    each_plane(plan, &p, count, [&](int64_t done, int64_t rows, int64_t n) {
      for (int k = 0; k < w.operands; ++k) {
        if (w.number[k] || plan.whole[k]) continue;
        gather[k](buffer[k] + done * plan.item[k], buffer[k] + sizeof buffer[k], p.at[k],
                  plan.end[k], rows, last > 0 ? plan.step[k][last - 1] : 0, n, plan.step[k][last],
                  false);
      }
    });
    plan.row(plan.out + begin * plan.out_item, from, unit, count, plan.params, false);
    begin += count;
  }
}

// The same for a 16-bit type T: blocks are widened to float32, and the result is rounded once.
template <class T>
void in_wide_blocks(const Plan& plan, int64_t begin, int64_t end) {
  const Walk& w = *plan.walk;
  alignas(64) float buffer[kWalkOperands][kBlock + 16];
  alignas(64) float result[kBlock];
  alignas(64) T narrow[kWalkOperands][kBlock + 32];
  const int last = w.ndim - 1;
  const int64_t block = block_of(w);
  Unit unit[kWalkOperands];
  const void* from[kWalkOperands];
  char *to[kWalkOperands], *to_end[kWalkOperands];
  Gather gather[kWalkOperands];
  for (int k = 0; k < w.operands; ++k) {
    const bool mask = plan.item[k] == 1;
    unit[k] = w.number[k] ? Unit::kSame : Unit::kDense;
    from[k] = w.number[k] ? static_cast<const void*>(plan.in[k]) : buffer[k];
    to[k] = mask ? reinterpret_cast<char*>(buffer[k]) : reinterpret_cast<char*>(narrow[k]);
    to_end[k] = to[k] + (mask ? sizeof buffer[k] : sizeof narrow[k]);
    gather[k] = gather_of(plan.item[k]);
  }
  Position p = seek(plan, begin);
  while (begin < end) {
    const int64_t count = min_of(block, end - begin);
    each_plane(plan, &p, count, [&](int64_t done, int64_t rows, int64_t n) {
      for (int k = 0; k < w.operands; ++k) {
        if (w.number[k] || (plan.whole[k] && plan.item[k] != 1)) continue;
        gather[k](to[k] + done * plan.item[k], to_end[k], p.at[k], plan.end[k], rows,
                  last > 0 ? plan.step[k][last - 1] : 0, n, plan.step[k][last], false);
      }
    });
    for (int k = 0; k < w.operands; ++k) {
      if (w.number[k] || plan.item[k] == 1) continue;
      const char* x = plan.whole[k] ? plan.in[k] + begin * plan.item[k] : to[k];
      widen_row(buffer[k], reinterpret_cast<const T*>(x), count);
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
          char* to = buffer[k] + r * kTile * item;
          gather_of(item)(to, to, t.at[k] + r * step[k], plan.end[k], 1, 0, t.columns,
                          plan.step[k][inner], false);
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

// A copy goes row by row along the innermost dimension, straight to the result.
void copy_rows(const Plan& plan, int64_t begin, int64_t end) {
  const int64_t item = plan.out_item;
  const int last = plan.walk->ndim - 1;
  const Gather gather = gather_of(item);
  Position p = seek(plan, begin);
  char* out = plan.out + begin * item;
  const char* out_end = plan.out + end * item;
  each_plane(plan, &p, end - begin, [&](int64_t done, int64_t rows, int64_t n) {
    gather(out + done * item, out_end, p.at[0], plan.end[0], rows,
           last > 0 ? plan.step[0][last - 1] : 0, n, plan.step[0][last], plan.stream);
  });
  if (plan.stream) stream_fence();
}

}  // namespace

namespace {

// A walk of one dimension on one thread, of operands that are read in place, needs no plan.
bool one_row(Row row, FloatType type, void* out, const void* const* in, const Walk& w,
             const double* params) {
  const bool native = type == FloatType::kFloat32 || type == FloatType::kFloat64;
  if (w.ndim != 1 || w.size > kAlone || !native) return false;
  Unit unit[kWalkOperands];
  for (int k = 0; k < w.operands; ++k) {
    const int64_t stride = w.number[k] ? 0 : w.stride[k][0];
    if (stride != 0 && stride != 1) return false;
    unit[k] = stride ? Unit::kDense : Unit::kSame;
  }
  row(out, in, unit, w.size, params, false);
  return true;
}

}  // namespace

void walk_run(Row row, FloatType type, void* out, const void* const* in, const int64_t* item,
              const Walk& w, const double* params) {
  if (w.size == 0 || one_row(row, type, out, in, w, params)) return;
  const bool halves = type == FloatType::kFloat16 || type == FloatType::kBFloat16;
  const double is_float[] = {w.number[0] ? 1.0 : 0, w.operands > 1 && w.number[1] ? 1.0 : 0};
  const Row direct = halves ? direct_row(row, type, is_float) : nullptr;
  const Plan plan = make_plan(direct ? direct : row, out, in, item, w, direct ? is_float : params);
  Tiles tiles;
  if (!direct && type == FloatType::kFloat16) {
    parallel_for(w.size, grain_of(w.size),
                 [&](int64_t begin, int64_t end) { in_wide_blocks<half>(plan, begin, end); });
  } else if (!direct && halves) {
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
  if (direct_rows(w) || !find_tiles(w, item <= 2 ? kTile : kCopyTile, &tiles)) {
    parallel_for(w.size, grain_of(w.size),
                 [&](int64_t begin, int64_t end) { copy_rows(plan, begin, end); });
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
