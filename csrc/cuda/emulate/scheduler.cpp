// The order of threads and blocks, and the errors that a GPU would answer with silence.
#include "cuda/emulate/scheduler.h"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "cuda/emulate/copy.h"
#include "cuda/emulate/matrix.h"
#include "cuda/emulate/shared.h"

namespace emu {

thread_local Block* block = nullptr;
thread_local Thread* current = nullptr;
bool (*let_something_land)() = nullptr;

Thread::Thread() = default;
Thread::~Thread() = default;

namespace {

constexpr int kIdleRounds = 1000000;  // of spinning threads alone, until it counts as a livelock

struct Choice {
  Order order = Order::kForward;
  unsigned seed = 1;
};

Choice parse_order(const std::string& text) {
  Choice choice;
  if (text == "rev") {
    choice.order = Order::kReverse;
  } else if (text.rfind("rand:", 0) == 0) {
    choice.order = Order::kRandom;
    choice.seed = static_cast<unsigned>(std::stoul(text.substr(5)));
  } else if (text != "fwd") {
    throw std::invalid_argument("order '" + text + "' was given; it must be fwd, rev or rand:SEED");
  }
  return choice;
}

Choice& chosen() {
  static Choice choice = [] {
    const char* text = std::getenv("MG_EMU_ORDER");
    return parse_order(text ? text : "fwd");
  }();
  return choice;
}

// Which threads can run, as bits of lanes.
struct Ready {
  unsigned ready[kMaxWarps], spinning[kMaxWarps];
  int warps[kMaxWarps];  // the order in which warps are asked
  int count;
  int first_lane;
  int last_spinner = 0;
  int idle_rounds = 0;
  unsigned woken = 0;  // the lanes that only spinning made ready
  uint64_t random = 1;
};
thread_local Ready ready;

int highest_bit(unsigned bits) { return 31 - __builtin_clz(bits); }
int lowest_bit(unsigned bits) { return __builtin_ctz(bits); }

MG_EMU_UNSEEN Thread* next_of_warp(int warp) {
  const unsigned bits = ready.ready[warp];
  const int turn = ready.first_lane;
  int lane;
  if (order() == Order::kReverse) {
    lane = highest_bit(bits);
  } else {
    const unsigned turned = turn ? bits >> turn | bits << (32 - turn) : bits;
    lane = (lowest_bit(turned) + turn) & 31;
  }
  return &block->thread[warp * kWarp + lane];
}

// Lets the threads of one warp look again at what they poll.
MG_EMU_UNSEEN bool wake_spinners() {
  for (int i = 0; i < ready.count; ++i) {
    const int warp = (ready.last_spinner + 1 + i) % ready.count;
    const unsigned bits = ready.spinning[warp];
    if (!bits) continue;
    ready.last_spinner = warp;
    ready.woken = ready.ready[warp] = bits;
    ready.spinning[warp] = 0;
    for (int lane = 0; lane < kWarp; ++lane) {
      if (bits >> lane & 1) block->thread[warp * kWarp + lane].state = State::kReady;
    }
    if (++ready.idle_rounds > kIdleRounds) die("livelock: threads poll for what never comes");
    return true;
  }
  return false;
}

MG_EMU_UNSEEN Thread* pick() {
  for (;;) {
    for (int i = 0; i < ready.count; ++i) {
      const int warp = ready.warps[i];
      if (!ready.ready[warp]) continue;
      if (ready.ready[warp] != ready.woken) ready.idle_rounds = 0;
      return next_of_warp(warp);
    }
    if (let_something_land && let_something_land()) continue;
    if (!wake_spinners()) return nullptr;
  }
}

MG_EMU_UNSEEN void end_thread() {
  set_state(*current, State::kDone);
  --block->live;
  check_block_barrier();
  run_others();
  std::abort();  // an ended thread is never picked
}

MG_EMU_UNSEEN void start_thread() {
  acquire(&block->start_mark);
  block->body();
  drop_pending_copies();
  release(&block->end_mark);
  end_thread();
}

MG_EMU_UNSEEN void run_block() {
  Block& b = *block;
  start_shared_memory();
  b.live = b.threads;
  b.at_barrier = 0;
  for (int i = 0; i < b.threads; ++i) {
    Thread& t = b.thread[i];
    const unsigned id = static_cast<unsigned>(i);
    t.id = i;
    t.lane = i % kWarp;
    t.index = {id % b.size.x, id / b.size.x % b.size.y, id / (b.size.x * b.size.y)};
    t.context.prepare(start_thread);
    set_state(t, State::kReady);
  }
  ready.idle_rounds = 0;
  shuffle_warps();
  b.launcher.adopt_current();
  release(&b.start_mark);
  current = pick();
  b.launcher.switch_to(current->context);
  current = nullptr;
  acquire(&b.end_mark);
}

}  // namespace

void set_order(const std::string& text) { chosen() = parse_order(text); }
MG_EMU_UNSEEN Order order() { return chosen().order; }

MG_EMU_UNSEEN unsigned random_below(unsigned n) {
  ready.random = ready.random * 6364136223846793005u + 1442695040888963407u;
  return static_cast<unsigned>((ready.random >> 33) % n);
}

void die(const char* what) {
  const Block& b = *block;
  std::fprintf(stderr, "emulation: %s\n  in %s, block (%u, %u, %u)", what, b.kernel, b.index.x,
               b.index.y, b.index.z);
  if (current) {
    std::fprintf(stderr, ", thread (%u, %u, %u)", current->index.x, current->index.y,
                 current->index.z);
  }
  std::fprintf(stderr, "\n");
  static const char* const kNames[] = {"can run", "in barrier", "in warp operation", "polls", ""};
  int shown = 0;
  for (int i = 0; i < b.threads && shown < 8; ++i) {
    const Thread& t = b.thread[i];
    if (t.state == State::kDone) continue;
    std::fprintf(stderr, "  thread %d: %s, last seen at %s:%d (barrier %d, mask %08x)\n", i,
                 kNames[static_cast<int>(t.state)], t.site.file ? t.site.file : "?", t.site.line,
                 t.barrier, t.mask);
    ++shown;
  }
  std::fflush(stderr);
  std::abort();
}

MG_EMU_UNSEEN void set_state(Thread& thread, State state) {
  const unsigned bit = 1u << thread.lane;
  const int warp = thread.id / kWarp;
  thread.state = state;
  unsigned& can = ready.ready[warp];
  unsigned& polls = ready.spinning[warp];
  can = state == State::kReady ? can | bit : can & ~bit;
  polls = state == State::kSpin ? polls | bit : polls & ~bit;
}

MG_EMU_UNSEEN void shuffle_warps() {
  const bool random = order() == Order::kRandom;
  ready.count = (block->threads + kWarp - 1) / kWarp;
  ready.first_lane = random ? static_cast<int>(random_below(kWarp)) : 0;
  for (int i = 0; i < ready.count; ++i) {
    ready.warps[i] = order() == Order::kReverse ? ready.count - 1 - i : i;
  }
  for (int i = ready.count - 1; random && i > 0; --i) {
    const int j = static_cast<int>(random_below(static_cast<unsigned>(i + 1)));
    const int kept = ready.warps[i];
    ready.warps[i] = ready.warps[j];
    ready.warps[j] = kept;
  }
}

MG_EMU_UNSEEN void run_others() {
  Thread* me = current;
  if (!block->live) {
    me->context.switch_to(block->launcher);
    return;
  }
  Thread* next = pick();
  if (!next) {
    die("deadlock: no thread can run (a barrier that some threads never reach, or a warp "
        "operation whose mask names a lane that does not take part)");
  }
  if (next == me) return;
  current = next;
  me->context.switch_to(next->context);
}

void spin() {
  set_state(*current, State::kSpin);
  run_others();
}

MG_EMU_UNSEEN void check_block_barrier() {
  Block& b = *block;
  if (!b.at_barrier || b.at_barrier != b.live) return;  // ended threads are not waited for
  const Thread* first = nullptr;
  for (int i = 0; i < b.threads; ++i) {
    Thread& t = b.thread[i];
    if (t.state != State::kBarrier || t.barrier != 0) continue;
    if (!first) first = &t;
    if (t.site.line != first->site.line || t.site.file != first->site.file) {
      die("threads of one block are in __syncthreads() at different places");
    }
    set_state(t, State::kReady);
  }
  b.at_barrier = 0;
  ++b.barriers_passed;
  ready.idle_rounds = 0;
  shuffle_warps();
}

cudaError_t run(dim3 grid, dim3 size, size_t dynamic_shared, const char* kernel,
                std::function<void()> body) {
  const uint64_t threads = static_cast<uint64_t>(size.x) * size.y * size.z;
  const uint64_t blocks = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
  if (threads == 0 || threads > kMaxThreads || blocks == 0 || grid.x > 0x7fffffffu ||
      grid.y > 65535 || grid.z > 65535 || size.z > 64 || dynamic_shared > kSharedBytes) {
    return cudaErrorInvalidConfiguration;
  }
  static thread_local Block* mine = new Block;
  block = mine;
  Block& b = *block;
  b.grid = grid;
  b.size = size;
  b.kernel = kernel;
  b.threads = static_cast<int>(threads);
  b.dynamic_shared = dynamic_shared;
  b.body = std::move(body);
  ready.random = chosen().seed;
  for (uint64_t i = 0; i < blocks; ++i) {
    const uint64_t at = order() == Order::kReverse ? blocks - 1 - i : i;  // any order is legal
    b.index = {static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
               static_cast<unsigned>(at / grid.x / grid.y)};
    run_block();
  }
  return cudaSuccess;
}

}  // namespace emu
