// The stacks of emulated CUDA threads, and the switch between them.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_THREAD__)
#define MG_EMU_TSAN 1
#else
#define MG_EMU_TSAN 0
#endif
// The emulation's own bookkeeping is shared by all threads of a block and is no race of theirs.
#if MG_EMU_TSAN
#define MG_EMU_UNSEEN __attribute__((no_sanitize("thread"), noinline))
#else
#define MG_EMU_UNSEEN
#endif

namespace emu {

constexpr size_t kStackBytes = 256 << 10;

// Where an execution stands. One belongs to the launching thread and one to each CUDA thread of a
// block; the latter keep their stacks for the next block.
class Context {
 public:
  // Lets the next switch_to(*this) call entry(), which must never return, on a stack of its own.
  void prepare(void (*entry)());
  // For the context of the code that runs now, before its first switch away.
  void adopt_current();
  void switch_to(Context& to);

 private:
  void* place_ = nullptr;  // the stack pointer; elsewhere than x86-64 a ucontext_t
  char* stack_ = nullptr;
  void* tsan_ = nullptr;
};

// What ThreadSanitizer is to know: everything before release(p) happened before what follows a
// later acquire(p).
void release(void* p);
void acquire(void* p);

}  // namespace emu
