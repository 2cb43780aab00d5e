// The thread pool: workers spin briefly after work, then sleep on a futex; chunks are claimed by
// compare-and-swap from one word that also names the job, so late workers can do no harm.
#include "runtime/threads.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdio>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common.h"
#include "runtime/denormal.h"
#include "runtime/lock.h"
#include "runtime/wait.h"

namespace mg {
namespace {

// Longer than the gap between two kernels of a training step, far shorter than a scheduler tick.
constexpr std::chrono::microseconds kSpin{30};

thread_local bool t_inside_chunk = false;

// Spins until ready() or until kSpin has passed; true if ready.
template <class Ready>
bool spin_until(Ready ready) {
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause_cpu();
    }
  } while (std::chrono::steady_clock::now() - start < kSpin);
  return false;
}

class Pool {
 public:
  void run(int64_t n, int64_t grain, void (*fn)(void*, int64_t, int64_t), void* ctx);

  std::atomic<int> threads{default_num_threads()};

  void stop();  // joins the workers; later calls run on the caller
  void before_fork() { busy_.lock(); }
  void after_fork_parent() { busy_.unlock(); }
  void after_fork_child();

 private:
  void resize(int workers);
  void work_loop();
  uint32_t work_on(uint32_t job);

  SpinLock busy_;  // held by the caller whose job the pool runs
  bool stopped_ = false;
  std::vector<std::thread> workers_;
  std::atomic<bool> quit_{false};

  // The job. Its fields are stable while chunks of it are unclaimed, which is when they are read.
  std::atomic<void (*)(void*, int64_t, int64_t)> fn_{nullptr};
  std::atomic<void*> ctx_{nullptr};
  std::atomic<int64_t> n_{0}, grain_{1};
  std::atomic<FpControl> fp_control_{0};

  // Upper half: the job's number. Lower half: its unclaimed chunks. Claiming swaps in one less;
  // it fails if the job has ended, since then the word has changed for good.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<uint32_t> done_{0};  // finished chunks of the job
  std::atomic<uint32_t> caller_sleeps_{0};
  alignas(64) std::atomic<uint32_t> signal_{0};  // the word that idle workers watch
  std::atomic<uint32_t> sleepers_{0};
};

// Claims and runs chunks of a job until none is left; returns how many.
uint32_t Pool::work_on(uint32_t job) {
  uint32_t finished = 0;
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(ticket >> 32) == job && static_cast<uint32_t>(ticket) != 0) {
    const auto fn = fn_.load(std::memory_order_relaxed);
    void* ctx = ctx_.load(std::memory_order_relaxed);
    const int64_t n = n_.load(std::memory_order_relaxed);
    const int64_t grain = grain_.load(std::memory_order_relaxed);
    const FpControl control = fp_control_.load(std::memory_order_relaxed);
    const int64_t left = static_cast<uint32_t>(ticket);
    // Neighbouring chunks while there are many: long runs of memory suit caches and prefetchers.
    const int64_t share = left / (4 * max_of(threads.load(std::memory_order_relaxed), 1));
    const uint32_t taken = static_cast<uint32_t>(max_of(share, 1));
    if (!ticket_.compare_exchange_weak(ticket, ticket - taken, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      continue;
    }
    if (finished == 0 && fp_control() != control) set_fp_control(control);
    finished += taken;
    int64_t begin = (ceil_div(n, grain) - left) * grain;
    for (uint32_t i = 0; i < taken; ++i, begin += grain) fn(ctx, begin, min_of(n, begin + grain));
    ticket = ticket_.load(std::memory_order_acquire);
  }
  return finished;
}

void Pool::work_loop() {
  t_inside_chunk = true;  // whatever a chunk calls runs inline
  while (!quit_.load(std::memory_order_acquire)) {
    const uint32_t seen = signal_.load(std::memory_order_seq_cst);
    const uint64_t ticket = ticket_.load(std::memory_order_acquire);
    const uint32_t finished = work_on(static_cast<uint32_t>(ticket >> 32));
    if (finished > 0) {
      done_.fetch_add(finished, std::memory_order_seq_cst);
      if (caller_sleeps_.load(std::memory_order_seq_cst)) wake(done_, 1);
    }
    const auto signalled = [&] { return signal_.load(std::memory_order_relaxed) != seen; };
    if (spin_until(signalled)) continue;
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    while (!signalled()) wait_while_equal(signal_, seen);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }
}

void Pool::run(int64_t n, int64_t grain, void (*fn)(void*, int64_t, int64_t), void* ctx) {
  const int64_t chunks = ceil_div(n, grain);
  const int wanted = threads.load(std::memory_order_relaxed);
  if (chunks <= 1 || wanted <= 1 || t_inside_chunk || chunks > INT32_MAX || !busy_.try_lock()) {
    for (int64_t begin = 0; begin < n; begin += grain) fn(ctx, begin, min_of(n, begin + grain));
    return;
  }
  resize(wanted - 1);
  fn_.store(fn, std::memory_order_relaxed);
  ctx_.store(ctx, std::memory_order_relaxed);
  n_.store(n, std::memory_order_relaxed);
  grain_.store(grain, std::memory_order_relaxed);
  fp_control_.store(fp_control(), std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  const uint32_t job = static_cast<uint32_t>(ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  ticket_.store((static_cast<uint64_t>(job) << 32) | static_cast<uint64_t>(chunks),
                std::memory_order_seq_cst);
  signal_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    wake(signal_, static_cast<int>(min_of(chunks - 1, wanted - 1)));
  }

  t_inside_chunk = true;
  const uint32_t finished = work_on(job);
  t_inside_chunk = false;

  const uint32_t total = static_cast<uint32_t>(chunks);
  done_.fetch_add(finished, std::memory_order_seq_cst);
  const auto complete = [&] { return done_.load(std::memory_order_acquire) == total; };
  if (!spin_until(complete)) {
    caller_sleeps_.store(1, std::memory_order_seq_cst);
    for (uint32_t now; (now = done_.load(std::memory_order_seq_cst)) != total;) {
      wait_while_equal(done_, now);
    }
    caller_sleeps_.store(0, std::memory_order_seq_cst);
  }
  busy_.unlock();
}

// Makes the number of workers what it should be. The caller holds busy_.
void Pool::resize(int count) {
  if (stopped_ || static_cast<int>(workers_.size()) == count) return;
  quit_.store(true, std::memory_order_release);
  signal_.fetch_add(1, std::memory_order_seq_cst);
  wake(signal_, INT_MAX);
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  quit_.store(false, std::memory_order_release);
  try {
    for (int i = 0; i < count; ++i) workers_.emplace_back([this] { work_loop(); });
  } catch (const std::exception&) {
    // The system gives no more threads: those that started, and the caller, do the work.
    threads.store(static_cast<int>(workers_.size()) + 1, std::memory_order_relaxed);
  }
}

void Pool::stop() {
  busy_.lock();
  resize(0);
  stopped_ = true;
  busy_.unlock();
}

// The child has one thread: forget the workers (their handles cannot be joined here).
void Pool::after_fork_child() {
  new (&workers_) std::vector<std::thread>();
  sleepers_.store(0);
  caller_sleeps_.store(0);
  ticket_.store(ticket_.load() & ~uint64_t{0xffffffff});
  busy_.unlock();
}

// Never destroyed: other threads may still run kernels while the process exits.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

struct StopAtExit {
  ~StopAtExit() { pool().stop(); }
};

}  // namespace

void parallel_for(int64_t n, int64_t grain, void (*fn)(void*, int64_t, int64_t), void* ctx) {
  pool().run(n, grain, fn, ctx);
}

int get_num_threads() { return pool().threads.load(std::memory_order_relaxed); }

void set_num_threads(int count) {
  const int within = count < 1 ? 1 : count > kMaxThreads ? kMaxThreads : count;
  pool().threads.store(within, std::memory_order_relaxed);
}

int default_num_threads() {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  std::set<std::string> cores;  // by the list of hardware threads that share each
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string path =
        "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list";
    char line[256] = "";
    if (FILE* file = std::fopen(path.c_str(), "r")) {
      if (!std::fgets(line, sizeof line, file)) line[0] = 0;
      std::fclose(file);
    }
    cores.insert(line[0] ? std::string(line) : std::to_string(cpu));
  }
  return cores.empty() ? 1 : static_cast<int>(cores.size());
#else
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : static_cast<int>(count);
#endif
}

void init_threads() {
  pthread_atfork([] { pool().before_fork(); }, [] { pool().after_fork_parent(); },
                 [] { pool().after_fork_child(); });
  static StopAtExit stop_at_exit;
}

}  // namespace mg

// What threadpoolctl looks for (see minigrad/kernels/threadpool.py).
extern "C" {
__attribute__((visibility("default"))) int minigrad_get_num_threads() {
  return mg::get_num_threads();
}
__attribute__((visibility("default"))) void minigrad_set_num_threads(int count) {
  mg::set_num_threads(count);
}
}
