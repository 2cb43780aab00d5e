// Products with a small A: all of A is packed once, then each task packs columns of B for itself,
// so that what it multiplies lies in its L2 and no thread waits for another. Include from
// csrc/cpu/gemm.cpp only.
#pragma once

#include "cpu/gemm_core.h"

namespace mg::MG_ISA {

constexpr int64_t kMostPanels = 8;  // of B at a time: kKC deep they take half of the L2
constexpr int64_t kPanelSlots = 64, kPanelFlags = kPanelSlots * 4;  // for the threads that run

// What lies in the workspace: flags of slots, the panels of A, the slots for panels of B.
struct ColumnShares {
  int64_t panels, tasks, slots;  // panels of B in a task
  int64_t a_entries, slot_entries;
};

template <class Tr>
MG_INLINE ColumnShares column_shares(int64_t m, int64_t n, int64_t k) {
  constexpr int64_t line = 64 / int64_t{sizeof(typename Tr::Packed)};
  const int64_t all = ceil_div(n, int64_t{Tr::kNR});
  ColumnShares s;
  s.panels = max_of(1, min_of(kMostPanels, all / 16));
  s.tasks = ceil_div(all, s.panels);
  s.slots = min_of(s.tasks, kPanelSlots);
  const int64_t chunks = ceil_div(k, chunk_of<Tr>(k)), depth = packed_depth<Tr>(k);
  s.a_entries = round_up(chunks * depth * round_up(m, Tr::kMR), line);
  s.slot_entries = round_up(s.panels * Tr::kNR * depth, line);
  return s;
}

template <class Tr>
MG_INLINE int64_t columns_workspace(int64_t m, int64_t n, int64_t k) {
  const ColumnShares s = column_shares<Tr>(m, n, k);
  return kPanelFlags +
         (s.a_entries + s.slots * s.slot_entries) * int64_t{sizeof(typename Tr::Packed)};
}

// Arguments as of blocked_product; pack_b takes several panels at a time.
template <class Tr, class PackA, class PackB>
static void columns_product(const Product<typename Tr::Out>& p, const PackA& pack_a,
                            const PackB& pack_b) {
  using Packed = typename Tr::Packed;
  constexpr int64_t MR = Tr::kMR, NR = Tr::kNR;
  const ColumnShares shares = column_shares<Tr>(p.m, p.n, p.k);
  const int64_t chunk = chunk_of<Tr>(p.k), depth = packed_depth<Tr>(p.k);
  const int64_t m_panels = ceil_div(p.m, MR), chunks = ceil_div(p.k, chunk);
  int32_t* const flags = static_cast<int32_t*>(p.workspace);
  Packed* const a_panels = reinterpret_cast<Packed*>(static_cast<char*>(p.workspace) + kPanelFlags);
  Packed* const slots = a_panels + shares.a_entries;
  for (int64_t i = 0; i < shares.slots; ++i) flags[i] = 0;
  parallel_for(chunks * m_panels, max_of(1, 16384 / (chunk * MR)), [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      const int64_t k0 = q / m_panels * chunk, i0 = q % m_panels * MR;
      pack_a(a_panels + q * MR * depth, i0, min_of(MR, p.m - i0), k0, min_of(p.k - k0, chunk));
    }
  });
  parallel_for(shares.tasks, 1, [&](int64_t begin, int64_t end) {
    int64_t slot = 0;
    while (__atomic_exchange_n(&flags[slot], 1, __ATOMIC_ACQUIRE)) slot = (slot + 1) % shares.slots;
    Packed* const b_panels = slots + slot * shares.slot_entries;
    Tile<Tr> t = {};
    t.c_rs = p.c_rs;
    t.alpha = p.alpha;
    for (int64_t q = begin; q < end; ++q) {
      const int64_t j0 = q * shares.panels * NR, j1 = min_of(p.n, j0 + shares.panels * NR);
      for (int64_t k0 = 0; k0 < p.k; k0 += chunk) {
        const int64_t kc = min_of(p.k - k0, chunk);
        const bool last = k0 + kc == p.k;
        pack_b.wide(b_panels, k0, kc, j0, j1 - j0);
        t.steps = ceil_div(kc, Tr::kPair);
        t.beta = k0 == 0 ? p.beta : 1;
        t.relu = last && p.relu;
        t.plain = p.alpha == 1 && (t.beta == 0 || t.beta == 1) && !(last && (p.bias || p.relu));
        // Meanwhile what is packed next comes to the caches: a line of each row with a tile.
        const char* const next = last ? pack_b.at(0, j1) : pack_b.at(k0 + kc, j0);
        const int64_t lines = last && j1 == p.n ? 0 : pack_b.lines(j1 - j0);
        const int64_t tiles = m_panels * ceil_div(j1 - j0, NR);
        int64_t tile = 0;
        const Packed* const a = a_panels + k0 / chunk * m_panels * MR * depth;
        for (int64_t j = j0; j < j1; j += NR) {
          t.b = b_panels + (j - j0) * t.steps;
          t.bias = last && p.bias ? p.bias + j : nullptr;
          for (int64_t i = 0; i < m_panels; ++i) {
            t.a = a + i * MR * depth;
            t.c = p.c + i * MR * p.c_rs + j;
            const int64_t line = tile * lines / tiles;
            const bool fetch = line < ++tile * lines / tiles;
            t.ahead = fetch ? next + line * 64 : reinterpret_cast<const char*>(t.a);
            t.ahead_step = fetch ? pack_b.row_bytes() : 0;
            packed_tile<Tr>(min_of(MR, p.m - i * MR), min_of(NR, j1 - j), t);
          }
        }
      }
    }
    __atomic_store_n(&flags[slot], 0, __ATOMIC_RELEASE);
  });
}

}  // namespace mg::MG_ISA
