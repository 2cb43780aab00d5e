// Copies that run beside the threads: cp.async, which lands only when its thread waits for it, and
// the tensor memory accelerator (TMA), which lands when no thread can run, in any order. mbarriers
// count both.
#pragma once

#include "cuda/emulate/scheduler.h"

namespace emu {

struct AsyncCopy {
  void* to;
  const void* from;
  int bytes, read;  // what lies behind `read` bytes becomes 0
  int group;
};
void async_copy(void* to, const void* from, int bytes, int read, Site site);
void async_commit();
void async_wait(int keep, Site site);  // until at most `keep` of the closed groups are under way
void drop_pending_copies();            // at a thread's end

// Matrices of elements of 2 bytes, or of float, which is rounded to TF32 on the way; and the box
// that one copy moves: rows of 128 bytes.
struct TensorMap {
  const void* data;
  int item;  // bytes of an element
  int64_t columns, rows, batches;
  int64_t row_stride, batch_stride;  // elements
  int box_rows;
};

void mbarrier_init(uint64_t* barrier, int count);
void mbarrier_arrive(uint64_t* barrier, int bytes);  // and expects so many bytes more
void mbarrier_wait(uint64_t* barrier, unsigned parity, Site site);

void tensor_load(void* to, const TensorMap* map, uint64_t* barrier, int column, int row, int batch,
                 Site site);

// Where the 128-byte swizzle puts the byte of this address: 16-byte pieces of a 1024-byte tile
// change places by their row.
inline uintptr_t swizzled(uintptr_t address) { return address ^ ((address >> 7 & 7) << 4); }

}  // namespace emu
