#include "cuda/emulate/shared.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

namespace emu {
namespace {

constexpr int kArrays = 32;
constexpr size_t kGap = 128;
constexpr size_t kArena = kSharedBytes + kArrays * (kGap + 1024);

struct Arena {
  char* memory = nullptr;
  size_t used = 0;   // the highest byte that was given out, gaps included
  size_t asked = 0;  // without gaps
  int arrays = 0;
  struct {
    const void* key;
    char* at;
  } array[kArrays];
};
thread_local Arena arena;
const char kDynamic = 0;

}  // namespace

MG_EMU_UNSEEN void start_shared_memory() {
  if (!arena.memory) {
    void* memory =
        mmap(nullptr, kArena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    arena.memory = static_cast<char*>(memory);
    arena.used = kArena;
  }
  ASAN_UNPOISON_MEMORY_REGION(arena.memory, kArena);
  std::memset(arena.memory, 0xff, arena.used);
  ASAN_POISON_MEMORY_REGION(arena.memory, kArena);
  arena.used = arena.asked = 0;
  arena.arrays = 0;
}

MG_EMU_UNSEEN void* shared_memory(const void* key, size_t bytes, size_t alignment) {
  for (int i = 0; i < arena.arrays; ++i) {
    if (arena.array[i].key == key) return arena.array[i].at;
  }
  const size_t begin = (arena.used + kGap + alignment - 1) / alignment * alignment;
  arena.asked += bytes;
  if (arena.arrays == kArrays || arena.asked > kSharedBytes) {
    die("more shared memory than a block has");
  }
  arena.used = begin + bytes;
  char* at = arena.memory + begin;
  ASAN_UNPOISON_MEMORY_REGION(at, bytes);
  arena.array[arena.arrays++] = {key, at};
  return at;
}

void* dynamic_shared_memory() { return shared_memory(&kDynamic, block->dynamic_shared, 1024); }

}  // namespace emu
