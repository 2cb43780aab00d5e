// Shared memory: one arena a block, filled with 0xff (NaN, or -1) before each block; arrays are cut
// from it where a thread first meets them. AddressSanitizer sees the gaps between them.
#pragma once

#include "cuda/emulate/scheduler.h"

namespace emu {

void start_shared_memory();  // for the next block
// The memory that belongs to `key` in this block.
void* shared_memory(const void* key, size_t bytes, size_t alignment);
void* dynamic_shared_memory();

// Tag is the type of a lambda at the array's declaration: a type of its own for each declaration
// and each instantiation of the template it stands in.
template <class T, class Tag>
T& shared_array(Tag) {
  static const char key = 0;
  return *static_cast<T*>(shared_memory(&key, sizeof(T), 128));
}

}  // namespace emu
