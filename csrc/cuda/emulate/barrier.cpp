// Threads that wait for each other.
#include "cuda/emulate/barrier.h"

#include <string>

namespace emu {
namespace {

std::string removed_file;
int removed_line = 0;
bool recording = false;
std::vector<Site> recorded;

MG_EMU_UNSEEN bool same_place(const Site& a, const Site& b) {
  return a.line == b.line && std::strcmp(a.file, b.file) == 0;
}

void record(const Site& site) {
  for (const Site& known : recorded) {
    if (same_place(known, site)) return;
  }
  recorded.push_back(site);
}

MG_EMU_UNSEEN void wait_at(int barrier, Site site) {
  current->barrier = barrier;
  current->site = site;
  set_state(*current, State::kBarrier);
}

MG_EMU_UNSEEN int waiting_at(int barrier, int begin, int end) {
  int count = 0;
  for (int i = begin; i < end; ++i) {
    const Thread& t = block->thread[i];
    count += t.state == State::kBarrier && t.barrier == barrier;
  }
  return count;
}

MG_EMU_UNSEEN void let_go(int barrier, int begin, int end) {
  for (int i = begin; i < end; ++i) {
    Thread& t = block->thread[i];
    if (t.state == State::kBarrier && t.barrier == barrier) set_state(t, State::kReady);
  }
}

}  // namespace

MG_EMU_UNSEEN bool is_removed(const Site& site) {
  if (recording) record(site);
  if (!removed_line || site.line != removed_line) return false;
  const std::string file = site.file;
  return file.size() >= removed_file.size() &&
         file.compare(file.size() - removed_file.size(), std::string::npos, removed_file) == 0;
}

void remove_barrier(const char* file, int line) {
  removed_file = file ? file : "";
  removed_line = file ? line : 0;
}

void record_barriers(bool on) {
  recording = on;
  if (on) recorded.clear();
}

std::vector<Site> recorded_barriers() { return recorded; }

MG_EMU_UNSEEN void sync_threads(Site site) {
  if (is_removed(site)) return;
  char* mark = &block->barrier_mark[block->barriers_passed & 1];
  release(mark);
  wait_at(0, site);
  ++block->at_barrier;
  check_block_barrier();
  run_others();
  acquire(mark);
}

MG_EMU_UNSEEN void named_barrier(int id, int threads, Site site) {
  static thread_local char marks[16];
  if (id < 1 || id > 15 || threads % kWarp) die("bar.sync: its number or its threads are wrong");
  release(&marks[id]);
  wait_at(id, site);
  if (waiting_at(id, 0, block->threads) == threads) let_go(id, 0, block->threads);
  run_others();
  acquire(&marks[id]);
}

MG_EMU_UNSEEN void sync_warpgroup(Site site, void (*then)(Thread* first)) {
  const int group = current->id / 128, begin = group * 128, number = -1 - group;
  if (begin + 128 > block->threads) die("a warpgroup needs 128 threads");
  char* marks = block->warpgroup_mark[group];
  release(&marks[0]);
  wait_at(number, site);
  if (waiting_at(number, begin, begin + 128) == 128) {
    acquire(&marks[0]);
    then(&block->thread[begin]);
    release(&marks[1]);
    let_go(number, begin, begin + 128);
  }
  run_others();
  acquire(&marks[1]);
}

MG_EMU_UNSEEN void collective(unsigned mask, Site site, const void* kind, Exchange exchange) {
  const int warp_index = current->id / kWarp, base = warp_index * kWarp;
  Thread* warp = &block->thread[base];
  const int lanes = block->threads - base < kWarp ? block->threads - base : kWarp;
  current->site = site;
  if (!(mask >> current->lane & 1)) die("a lane is not in the mask that it gives");
  if (lanes < kWarp && mask == ~0u) mask >>= kWarp - lanes;  // the last warp may be smaller
  if (lanes < kWarp && mask >> lanes) die("a mask names a lane beyond the block");
  release(&block->warp_mark[warp_index]);
  current->mask = mask;
  current->collective = kind;
  set_state(*current, State::kCollective);
  bool complete = true;
  for (int i = 0; i < lanes; ++i) {
    const Thread& t = warp[i];
    if (mask >> i & 1) {
      complete &= t.state == State::kCollective && t.mask == mask && t.collective == kind;
    }
  }
  if (complete) {
    char* mark = &block->done_mark[warp_index][block->collectives_done[warp_index]++ & 3];
    acquire(&block->warp_mark[warp_index]);
    exchange(warp, mask, lanes);
    release(mark);
    for (int i = 0; i < lanes; ++i) {
      if (!(mask >> i & 1)) continue;
      warp[i].released_by = mark;
      set_state(warp[i], State::kReady);
    }
  }
  run_others();
  acquire(current->released_by);
}

}  // namespace emu
