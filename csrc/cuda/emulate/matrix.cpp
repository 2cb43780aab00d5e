#include "cuda/emulate/matrix.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstring>

#include "cuda/emulate/copy.h"

namespace emu {
namespace {

float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

float widened(Element element, uint16_t bits) {
  if (element == Element::kBFloat16) return from_bits(static_cast<uint32_t>(bits) << 16);
  __half_raw raw;
  raw.x = bits;
  return __half2float(__half(raw));
}

// A, B and D of one mma; K is 16 or 8.
struct Product {
  float a[16][16], b[16][8];
};

void multiply(Thread* warp, const Product& p, int depth) {
  for (int lane = 0; lane < kWarp; ++lane) {
    float c[4];
    memcpy(c, &warp[lane].in[3], sizeof c);
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + (i & 2 ? 8 : 0), column = lane % 4 * 2 + (i & 1);
      float sum = 0;
      for (int k = 0; k < depth; ++k) sum += p.a[row][k] * p.b[k][column];
      c[i] += sum;
    }
    memcpy(warp[lane].out, c, sizeof c);
  }
}

template <Element element>
void exchange_16816(Thread* warp, unsigned, int) {
  Product p;
  for (int lane = 0; lane < kWarp; ++lane) {
    const int group = lane / 4, t = lane % 4;
    uint16_t h[12];
    memcpy(h, warp[lane].in, sizeof h);
    for (int i = 0; i < 8; ++i) {
      p.a[group + (i & 2 ? 8 : 0)][t * 2 + (i & 1) + (i >= 4 ? 8 : 0)] = widened(element, h[i]);
    }
    for (int i = 0; i < 4; ++i) {
      p.b[t * 2 + (i & 1) + (i >= 2 ? 8 : 0)][group] = widened(element, h[8 + i]);
    }
  }
  multiply(warp, p, 16);
}

void exchange_1688(Thread* warp, unsigned, int) {
  Product p;
  for (int lane = 0; lane < kWarp; ++lane) {
    const int group = lane / 4, t = lane % 4;
    uint32_t r[6];
    memcpy(r, warp[lane].in, sizeof r);
    // The unit reads 19 bits of each.
    for (int i = 0; i < 4; ++i) {
      p.a[group + (i & 1 ? 8 : 0)][t + (i & 2 ? 4 : 0)] = from_bits(r[i] & 0xffffe000u);
    }
    for (int i = 0; i < 2; ++i) p.b[t + i * 4][group] = from_bits(r[4 + i] & 0xffffe000u);
  }
  multiply(warp, p, 8);
}

void run_mma(const void* kind, Exchange exchange, float (&d)[4], const uint32_t (&a)[4],
             const uint32_t (&b)[2], Site site) {
  memcpy(&current->in[0], a, sizeof a);
  memcpy(&current->in[2], b, sizeof b);
  memcpy(&current->in[3], d, sizeof d);
  collective(~0u, site, kind, exchange);
  memcpy(d, current->out, sizeof d);
}

const char kinds[7] = {};

template <int matrices, bool transposed>
void exchange_matrices(Thread* warp, unsigned, int) {
  for (int lane = 0; lane < kWarp; ++lane) {
    for (int j = 0; j < matrices; ++j) {
      uint16_t pair[2];
      for (int e = 0; e < 2; ++e) {
        const int outer = lane / 4, inner = lane % 4 * 2 + e;
        const int row = transposed ? inner : outer, column = transposed ? outer : inner;
        memcpy(&pair[e], reinterpret_cast<const char*>(warp[j * 8 + row].in) + column * 2, 2);
      }
      memcpy(reinterpret_cast<char*>(warp[lane].out) + 4 * j, pair, 4);
    }
  }
}

}  // namespace

void mma_16816(Element element, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
               Site site) {
  if (element == Element::kHalf) {
    run_mma(&kinds[0], exchange_16816<Element::kHalf>, d, a, b, site);
  } else {
    run_mma(&kinds[1], exchange_16816<Element::kBFloat16>, d, a, b, site);
  }
}

void mma_1688(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site) {
  run_mma(&kinds[2], exchange_1688, d, a, b, site);
}

uint32_t to_tf32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
  return (bits + 0x1000u) & 0xffffe000u;
}

void load_matrices(uint32_t* registers, int matrices, bool transposed, const void* row, Site site) {
  current->site = site;
  if (current->lane < matrices * 8) {  // read here, so that the sanitizers see who reads
    if (reinterpret_cast<uintptr_t>(row) % 16) die("misaligned ldmatrix");
    const uint64_t* words = static_cast<const uint64_t*>(row);
    current->in[0] = words[0];
    current->in[1] = words[1];
  }
  if (matrices == 4) {
    if (transposed) {
      collective(~0u, site, &kinds[3], exchange_matrices<4, true>);
    } else {
      collective(~0u, site, &kinds[4], exchange_matrices<4, false>);
    }
  } else if (transposed) {
    collective(~0u, site, &kinds[5], exchange_matrices<2, true>);
  } else {
    collective(~0u, site, &kinds[6], exchange_matrices<2, false>);
  }
  memcpy(registers, current->out, static_cast<size_t>(matrices) * 4);
}

namespace {

// What one product reads, in 32 bytes of k: 16 elements, or 8 of TF32.
struct Operands {
  int depth;
  float a[64][16], b[256][16];
};
Operands operands;

// Element (row, k) of an operand: 8 rows (or, transposed, 8 k) of 128 bytes make a tile of 1024.
MG_EMU_UNSEEN float operand(Element element, uintptr_t tile, int step, int row, int k) {
  if (element == Element::kTf32) {  // the unit reads 19 bits of each
    const uintptr_t at = tile + static_cast<uintptr_t>(row / 8 * 1024 + row % 8 * 128 + k * 4);
    return from_bits(*reinterpret_cast<const uint32_t*>(swizzled(at)) & 0xffffe000u);
  }
  uintptr_t at;
  if (step) {
    at = tile + static_cast<uintptr_t>(row / 64 * step + k / 8 * 1024 + k % 8 * 128 + row % 64 * 2);
  } else {
    at = tile + static_cast<uintptr_t>(row / 8 * 1024 + row % 8 * 128 + k * 2);
  }
  return widened(element, *reinterpret_cast<const uint16_t*>(swizzled(at)));
}

MG_EMU_UNSEEN void read_operands(const WarpgroupProduct& p) {
  operands.depth = p.element == Element::kTf32 ? 8 : 16;
  for (int k = 0; k < operands.depth; ++k) {
    for (int i = 0; i < 64; ++i) operands.a[i][k] = operand(p.element, p.a, p.a_step, i, k);
    for (int i = 0; i < p.n; ++i) operands.b[i][k] = operand(p.element, p.b, p.b_step, i, k);
  }
}

// This thread's part of the result: rows g and g + 8 of its warp's 16, two columns in each 8.
MG_EMU_UNSEEN void multiply(const Thread& thread, const WarpgroupProduct& p) {
  const int row = thread.id / kWarp % 4 * 16 + thread.lane / 4, t = thread.lane % 4;
  for (int i = 0; i < p.n / 2; ++i) {
    const float* a = operands.a[row + i / 2 % 2 * 8];
    const float* b = operands.b[i / 4 * 8 + t * 2 + i % 2];
    float sum = 0;
    for (int k = 0; k < operands.depth; ++k) sum += a[k] * b[k];
    p.d[i] = (p.clear ? 0.0f : p.d[i]) + sum;
  }
}

MG_EMU_UNSEEN bool is_same(const WarpgroupProduct& p, const WarpgroupProduct& q) {
  return p.a == q.a && p.b == q.b && p.n == q.n && p.clear == q.clear && p.group == q.group;
}

thread_local int keep_groups;

MG_EMU_UNSEEN void multiply_all(Thread* first) {
  const std::vector<WarpgroupProduct>& all = first->products;
  size_t done = 0;
  for (; done < all.size(); ++done) {
    if (all[done].group >= first->open_products - keep_groups) break;
    read_operands(all[done]);
    for (int i = 0; i < 128; ++i) {
      const Thread& thread = first[i];
      if (thread.products.size() <= done || !is_same(thread.products[done], all[done])) {
        die("wgmma: threads of one warpgroup give different operands");
      }
      multiply(thread, thread.products[done]);
    }
  }
  for (int i = 0; i < 128; ++i) {
    std::vector<WarpgroupProduct>& products = first[i].products;
    products.erase(products.begin(), products.begin() + static_cast<std::ptrdiff_t>(done));
  }
}

}  // namespace

void warpgroup_issue(const WarpgroupProduct& product) {
  WarpgroupProduct p = product;
  p.group = current->open_products;
  current->products.push_back(p);
}

void warpgroup_commit() { ++current->open_products; }

MG_EMU_UNSEEN void warpgroup_wait(int keep, Site site) {
  if (is_removed(site)) return;
  if (current->products.empty()) return;
  if (order() == Order::kReverse || (order() == Order::kRandom && random_below(2))) spin();
  keep_groups = keep;
  sync_warpgroup(site, multiply_all);
}

}  // namespace emu
