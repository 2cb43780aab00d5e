// A switch is a handful of instructions on x86-64 (15 ns; swapcontext, which makes a system call
// each time, takes 340 ns and serves the other architectures).
#include "cuda/emulate/fiber.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if MG_EMU_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#if defined(__x86_64__)
extern "C" void mg_emu_switch(void** save, void* load);
__asm__(
    ".text\n.local mg_emu_switch\n.type mg_emu_switch,@function\nmg_emu_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size mg_emu_switch,.-mg_emu_switch\n");
#endif

namespace emu {

void Context::adopt_current() {
#if !defined(__x86_64__)
  if (!place_) place_ = new ucontext_t;
#endif
#if MG_EMU_TSAN
  tsan_ = __tsan_get_current_fiber();
#endif
}

void Context::prepare(void (*entry)()) {
  if (!stack_) {
    void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, 4096, PROT_NONE) != 0) {
      std::perror("emulation: no memory for a thread's stack");
      std::abort();
    }
    stack_ = static_cast<char*>(memory);
#if MG_EMU_TSAN
    tsan_ = __tsan_create_fiber(0);
#endif
  }
#if defined(__SANITIZE_ADDRESS__)
  // The last run ended by a switch and left the marks of the frames it was in.
  ASAN_UNPOISON_MEMORY_REGION(stack_ + kStackBytes - 8192, 8192);
#endif
#if defined(__x86_64__)
  // As mg_emu_switch left it: six registers, the address to return to; aligned as after a call.
  void** top = reinterpret_cast<void**>(stack_ + kStackBytes - 64);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  place_ = top;
#else
  if (!place_) place_ = new ucontext_t;
  ucontext_t* context = static_cast<ucontext_t*>(place_);
  getcontext(context);
  context->uc_stack.ss_sp = stack_;
  context->uc_stack.ss_size = kStackBytes;
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
#endif
}

MG_EMU_UNSEEN void Context::switch_to(Context& to) {
#if MG_EMU_TSAN
  __tsan_switch_to_fiber(to.tsan_, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__x86_64__)
  mg_emu_switch(&place_, to.place_);
#else
  swapcontext(static_cast<ucontext_t*>(place_), static_cast<ucontext_t*>(to.place_));
#endif
}

#if MG_EMU_TSAN
void release(void* p) { __tsan_release(p); }
void acquire(void* p) { __tsan_acquire(p); }
#else
void release(void*) {}
void acquire(void*) {}
#endif

}  // namespace emu
