// Barriers of a block, of a part of it, and operations of a warp in which its lanes exchange
// values.
#pragma once

#include <cstring>

#include "cuda/emulate/scheduler.h"

namespace emu {

void sync_threads(Site site);
// For tests of the tests: the barrier or wait (__syncthreads, __syncwarp, cp.async's, mbarrier's,
// wgmma's) of this line of a file (the end of its path) does nothing from now on; nullptr gives it
// back. Results must then be wrong in some order of threads.
void remove_barrier(const char* file, int line);
// The places of those that were met since record_barriers(true).
void record_barriers(bool on);
std::vector<Site> recorded_barriers();
// Whether the barrier at this place, which is about to be met, was removed.
bool is_removed(const Site& site);
void named_barrier(int id, int threads, Site site);  // bar.sync id, threads with id >= 1
// All 128 threads of a warpgroup; the last one calls `then` before any goes on.
void sync_warpgroup(Site site, void (*then)(Thread* first));

// What the last lane of `mask` to arrive computes for all: it reads `in` of the lanes and writes
// their `out`. `warp` is the first thread of the warp, `lanes` how many of it exist.
using Exchange = void (*)(Thread* warp, unsigned mask, int lanes);
void collective(unsigned mask, Site site, const void* kind, Exchange exchange);

template <class T>
T shuffle(unsigned mask, T value, int source, Site site) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  static const char kind = 0;
  current->in[0] = 0;
  memcpy(&current->in[0], &value, sizeof value);
  current->in[1] = static_cast<uint64_t>(source);
  collective(mask, site, &kind, [](Thread* warp, unsigned lanes_in, int lanes) {
    for (int i = 0; i < lanes; ++i) {
      if (!(lanes_in >> i & 1)) continue;
      const int from = static_cast<int>(warp[i].in[1]) & 31;
      const bool there = from < lanes && (lanes_in >> from & 1);
      warp[i].out[0] = there ? warp[from].in[0] : 0xffffdeadbeefdeadu;  // undefined on the GPU
    }
  });
  T result;
  memcpy(&result, &current->out[0], sizeof result);
  return result;
}

// The lane that a shuffle of `width` lanes reads; its own where the GPU leaves the value as it is.
inline int lane_down(unsigned delta, int width) {
  const int lane = current->lane, to = lane % width + static_cast<int>(delta);
  return to >= width ? lane : lane + static_cast<int>(delta);
}
inline int lane_up(unsigned delta, int width) {
  const int lane = current->lane, to = lane % width - static_cast<int>(delta);
  return to < 0 ? lane : lane - static_cast<int>(delta);
}
inline int lane_xor(int bits, int width) {
  const int lane = current->lane, to = lane ^ bits;
  return to / width > lane / width ? lane : to;
}
inline int lane_of(int source, int width) {
  return current->lane / width * width + (source & (width - 1));
}

template <class T, class Combine>
T combine(unsigned mask, T value, Site site, Combine) {
  static const char kind = 0;
  memcpy(&current->in[0], &value, sizeof value);
  collective(mask, site, &kind, [](Thread* warp, unsigned lanes_in, int lanes) {
    T all{};
    bool first = true;
    for (int i = 0; i < lanes; ++i) {
      if (!(lanes_in >> i & 1)) continue;
      T one;
      memcpy(&one, &warp[i].in[0], sizeof one);
      all = first ? one : Combine{}(all, one);
      first = false;
    }
    for (int i = 0; i < lanes; ++i) {
      if (lanes_in >> i & 1) memcpy(&warp[i].out[0], &all, sizeof all);
    }
  });
  T result;
  memcpy(&result, &current->out[0], sizeof result);
  return result;
}

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return a + b;
  }
};
struct Max {
  template <class T>
  T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};
struct Min {
  template <class T>
  T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};
struct Or {
  template <class T>
  T operator()(T a, T b) const {
    return a | b;
  }
};

struct SyncWarp {
  Site site;
  void operator()(unsigned mask = ~0u) const {
    if (!is_removed(site)) combine(mask, 0u, site, Or{});
  }
};

}  // namespace emu
