// Size classes: each power of two split in four, so that a block is at most a quarter too large.
// Blocks of 2 MiB and more come from mmap, aligned and marked for huge pages.
#include "runtime/memory.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include "common.h"
#include "runtime/lock.h"

namespace mg {
namespace {

constexpr size_t kAlignment = 64;  // a cache line, an AVX-512 vector
constexpr size_t kHugePage = size_t{2} << 20;
constexpr int kMinLog = 8;  // smallest class: 320 bytes
constexpr int kClasses = (63 - kMinLog) * 4;
constexpr size_t kLargest = size_t{1} << 47;  // more than an address space holds

// AddressSanitizer sees overruns and uses after release only of blocks as large as was asked for
// and given back at once: the pool then counts, but neither rounds up nor keeps anything.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kExactBlocks = true;
#else
constexpr bool kExactBlocks = false;
#endif

struct SizeClass {
  int index;
  size_t bytes;
};

// Classes of (2^e, 2^(e+1)]: 2^e plus one to four quarters of itself.
SizeClass class_of(size_t bytes) {
  const size_t wanted = bytes <= (size_t{1} << kMinLog) ? (size_t{1} << kMinLog) + 1 : bytes;
  const int e = 63 - __builtin_clzll(wanted - 1);
  const size_t base = size_t{1} << e, step = base / 4;
  const size_t quarters = (wanted - base + step - 1) / step;
  return {(e - kMinLog) * 4 + static_cast<int>(quarters) - 1, base + quarters * step};
}

bool from_heap(size_t bytes) { return kExactBlocks || bytes < kHugePage; }

void* system_alloc(size_t bytes) {
  if (from_heap(bytes)) {
    void* block = nullptr;
    return posix_memalign(&block, kAlignment, bytes) == 0 ? block : nullptr;
  }
  // Map one huge page more than needed and give back what lies outside the aligned block.
  const size_t mapped = bytes + kHugePage;
  void* address = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return nullptr;
  const uintptr_t start = reinterpret_cast<uintptr_t>(address);
  const uintptr_t aligned = (start + kHugePage - 1) & ~(kHugePage - 1);
  const size_t before = aligned - start, after = mapped - before - bytes;
  if (before) munmap(address, before);
  if (after) munmap(reinterpret_cast<void*>(aligned + bytes), after);
  void* block = reinterpret_cast<void*>(aligned);
#if defined(MADV_HUGEPAGE)
  madvise(block, bytes, MADV_HUGEPAGE);  // may fail: it is only advice
#endif
  return block;
}

void system_free(void* block, size_t bytes) {
  if (from_heap(bytes)) {
    std::free(block);
  } else {
    munmap(block, bytes);
  }
}

int64_t default_limit() {
  const int64_t memory = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return min_of(memory / 2, int64_t{4} << 30);
}

struct Shelf {  // the cached blocks of one class
  std::vector<void*> blocks;
  size_t block_bytes = 0;
  uint64_t last_use = 0;
};

struct Pool {
  SpinLock lock;
  Shelf shelves[kClasses];
  uint64_t clock = 0;
  int64_t allocated = 0, cached = 0, peak = 0, hits = 0, misses = 0;
  int64_t limit = default_limit();

  // Frees cached blocks, those of the least recently used class first, until `bytes` more fit.
  void make_room(int64_t bytes) {
    while (cached > 0 && cached + bytes > limit) {
      Shelf* oldest = nullptr;
      for (Shelf& shelf : shelves) {
        if (!shelf.blocks.empty() && (!oldest || shelf.last_use < oldest->last_use)) {
          oldest = &shelf;
        }
      }
      system_free(oldest->blocks.back(), oldest->block_bytes);
      oldest->blocks.pop_back();
      cached -= static_cast<int64_t>(oldest->block_bytes);
    }
  }
};

// Never destroyed: arrays may outlive static objects.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

}  // namespace

void* pool_alloc(size_t bytes) {
  if (bytes > kLargest) return nullptr;
  const SizeClass size = class_of(bytes);
  Pool& p = pool();
  {
    std::lock_guard<SpinLock> hold(p.lock);
    Shelf& shelf = p.shelves[size.index];
    shelf.last_use = ++p.clock;
    if (!shelf.blocks.empty()) {
      void* block = shelf.blocks.back();
      shelf.blocks.pop_back();
      p.cached -= static_cast<int64_t>(size.bytes);
      p.allocated += static_cast<int64_t>(size.bytes);
      p.peak = max_of(p.peak, p.allocated);
      ++p.hits;
      return block;
    }
  }
  const size_t taken = kExactBlocks ? bytes : size.bytes;
  void* block = system_alloc(taken);
  if (!block) {  // what is cached may be what is missing
    empty_pool_cache();
    block = system_alloc(taken);
    if (!block) return nullptr;
  }
  std::lock_guard<SpinLock> hold(p.lock);
  p.allocated += static_cast<int64_t>(size.bytes);
  p.peak = max_of(p.peak, p.allocated);
  ++p.misses;
  return block;
}

void pool_free(void* block, size_t bytes) {
  const SizeClass size = class_of(bytes);
  const int64_t held = static_cast<int64_t>(size.bytes);
  Pool& p = pool();
  {
    std::lock_guard<SpinLock> hold(p.lock);
    p.allocated -= held;
    if (!kExactBlocks && held <= p.limit) {
      Shelf& shelf = p.shelves[size.index];
      shelf.last_use = ++p.clock;
      if (MG_UNLIKELY(p.cached + held > p.limit)) p.make_room(held);
      shelf.block_bytes = size.bytes;
      try {
        shelf.blocks.push_back(block);
        p.cached += held;
        return;
      } catch (const std::bad_alloc&) {
        // No room to remember it: return it to the system.
      }
    }
  }
  system_free(block, size.bytes);
}

void empty_pool_cache() {
  Pool& p = pool();
  std::lock_guard<SpinLock> hold(p.lock);
  for (Shelf& shelf : p.shelves) {
    for (void* block : shelf.blocks) system_free(block, shelf.block_bytes);
    shelf.blocks.clear();
  }
  p.cached = 0;
}

PoolStats pool_stats() {
  Pool& p = pool();
  std::lock_guard<SpinLock> hold(p.lock);
  return {p.allocated, p.allocated + p.cached, p.peak, p.hits, p.misses, p.limit};
}

void reset_pool_peak() {
  Pool& p = pool();
  std::lock_guard<SpinLock> hold(p.lock);
  p.peak = p.allocated;
}

void set_pool_limit(int64_t bytes) {
  Pool& p = pool();
  std::lock_guard<SpinLock> hold(p.lock);
  p.limit = bytes;
  p.make_room(0);
}

void init_memory() {
  pthread_atfork([] { pool().lock.lock(); }, [] { pool().lock.unlock(); },
                 [] { pool().lock.unlock(); });
}

}  // namespace mg
