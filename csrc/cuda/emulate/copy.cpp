#include "cuda/emulate/copy.h"

#include <cstring>

#include "cuda/emulate/barrier.h"
#include "cuda/emulate/matrix.h"

namespace emu {

void async_copy(void* to, const void* from, int bytes, int read, Site site) {
  current->site = site;
  const uintptr_t bits =
      reinterpret_cast<uintptr_t>(to) | (read ? reinterpret_cast<uintptr_t>(from) : 0);
  if (bits % static_cast<unsigned>(bytes)) die("misaligned cp.async");
  current->copies.push_back({to, from, bytes, read, current->open_copies});
}

void async_commit() { ++current->open_copies; }

void async_wait(int keep, Site site) {
  if (is_removed(site)) return;
  std::vector<AsyncCopy>& copies = current->copies;
  size_t done = 0;
  for (; done < copies.size() && copies[done].group < current->open_copies - keep; ++done) {
    const AsyncCopy& c = copies[done];
    std::memcpy(c.to, c.from, static_cast<size_t>(c.read));
    std::memset(static_cast<char*>(c.to) + c.read, 0, static_cast<size_t>(c.bytes - c.read));
  }
  copies.erase(copies.begin(), copies.begin() + static_cast<std::ptrdiff_t>(done));
}

void drop_pending_copies() {
  current->copies.clear();
  current->products.clear();
  current->open_copies = current->open_products = 0;
}

namespace {

struct Barrier {  // in the 8 bytes that the real one takes
  uint16_t count, pending;
  int32_t bytes : 31;
  uint32_t phase : 1;
};
static_assert(sizeof(Barrier) == 8, "an mbarrier has 8 bytes");

MG_EMU_UNSEEN Barrier* as_barrier(uint64_t* p) {
  Barrier* b = reinterpret_cast<Barrier*>(p);
  if (b->count == 0xffff) die("an mbarrier that was not made yet");  // as shared memory begins
  return b;
}

MG_EMU_UNSEEN void end_phase_if_complete(Barrier* b) {
  if (b->pending || b->bytes) return;
  b->pending = b->count;
  b->phase ^= 1;
}

MG_EMU_UNSEEN uint32_t rounded_to_tf32(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return to_tf32(x);
}

struct Load {
  void* to;
  TensorMap map;
  uint64_t* barrier;
  int column, row, batch;
};
constexpr int kLoads = 1024;
thread_local Load loads[kLoads];
thread_local int pending_loads = 0;

MG_EMU_UNSEEN void land(const Load& load) {
  const TensorMap& m = load.map;
  const char* data = static_cast<const char*>(m.data);
  for (int i = 0; i < m.box_rows; ++i) {
    const int64_t row = load.row + i;
    const bool row_inside = row >= 0 && row < m.rows && load.batch >= 0 && load.batch < m.batches;
    for (int j = 0; j < 128 / m.item; ++j) {
      const int64_t column = load.column + j;
      uint32_t bits = 0;
      if (row_inside && column >= 0 && column < m.columns) {
        const int64_t at = load.batch * m.batch_stride + row * m.row_stride + column;
        std::memcpy(&bits, data + at * m.item, static_cast<size_t>(m.item));
        if (m.item == 4) bits = rounded_to_tf32(bits);
      }
      const uintptr_t to = reinterpret_cast<uintptr_t>(load.to) + static_cast<uintptr_t>(i) * 128 +
                           static_cast<uintptr_t>(j * m.item);
      std::memcpy(reinterpret_cast<void*>(swizzled(to)), &bits, static_cast<size_t>(m.item));
    }
  }
  Barrier* b = as_barrier(load.barrier);
  b->bytes -= m.box_rows * 128;
  end_phase_if_complete(b);
}

// As late as possible, the first, the last or any one.
MG_EMU_UNSEEN bool land_one() {
  if (!pending_loads) return false;
  int which = 0;
  if (order() == Order::kReverse) which = pending_loads - 1;
  if (order() == Order::kRandom) {
    which = static_cast<int>(random_below(static_cast<unsigned>(pending_loads)));
  }
  const Load load = loads[which];
  --pending_loads;
  for (int i = which; i < pending_loads; ++i) loads[i] = loads[i + 1];
  land(load);
  return true;
}

}  // namespace

MG_EMU_UNSEEN void mbarrier_init(uint64_t* barrier, int count) {
  const Barrier b{static_cast<uint16_t>(count), static_cast<uint16_t>(count), 0, 0};
  std::memcpy(static_cast<void*>(barrier), &b, sizeof b);
}

MG_EMU_UNSEEN void mbarrier_arrive(uint64_t* barrier, int bytes) {
  Barrier* b = as_barrier(barrier);
  release(barrier);
  if (!b->pending) die("mbarrier: more arrivals than its count");
  b->bytes += bytes;
  --b->pending;
  end_phase_if_complete(b);
}

MG_EMU_UNSEEN void mbarrier_wait(uint64_t* barrier, unsigned parity, Site site) {
  if (is_removed(site)) return;
  current->site = site;
  while (as_barrier(barrier)->phase == (parity & 1)) spin();
  acquire(barrier);
}

MG_EMU_UNSEEN void tensor_load(void* to, const TensorMap* map, uint64_t* barrier, int column,
                               int row, int batch, Site site) {
  current->site = site;
  if (reinterpret_cast<uintptr_t>(to) % 1024) die("TMA with a swizzle needs 1024-byte alignment");
  if (pending_loads == kLoads) die("too many TMA copies under way");
  let_something_land = land_one;
  loads[pending_loads++] = {to, *map, barrier, column, row, batch};
}

}  // namespace emu
