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

// Element (row, k) of an operand: 8 rows (or, transposed, 8 k) of 128 bytes make a tile of 1024.
MG_EMU_UNSEEN float operand(Element element, uintptr_t tile, int step, int row, int k) {
  uintptr_t at;
  if (step) {
    at = tile + static_cast<uintptr_t>(row / 64 * step + k / 8 * 1024 + k % 8 * 128 + row % 64 * 2);
  } else {
    at = tile + static_cast<uintptr_t>(row / 8 * 1024 + row % 8 * 128 + k * 2);
  }
  return widened(element, *reinterpret_cast<const uint16_t*>(swizzled(at)));
}

// This thread's part of the result: rows g and g + 8 of its warp's 16, two columns in each 8.
MG_EMU_UNSEEN void multiply(const Thread& thread, const WarpgroupProduct& p) {
  const int row = thread.id / kWarp % 4 * 16 + thread.lane / 4, t = thread.lane % 4;
  float a[2][16];
  for (int half = 0; half < 2; ++half) {
    for (int k = 0; k < 16; ++k) a[half][k] = operand(p.element, p.a, p.a_step, row + half * 8, k);
  }
  for (int j = 0; j < p.n / 8; ++j) {
    for (int e = 0; e < 2; ++e) {
      float sum[2] = {};
      for (int k = 0; k < 16; ++k) {
        const float b = operand(p.element, p.b, p.b_step, j * 8 + t * 2 + e, k);
        sum[0] += a[0][k] * b;
        sum[1] += a[1][k] * b;
      }
      for (int half = 0; half < 2; ++half) {
        float& d = p.d[j * 4 + half * 2 + e];
        d = (p.clear ? 0.0f : d) + sum[half];
      }
    }
  }
}

thread_local int keep_groups;

MG_EMU_UNSEEN void multiply_all(Thread* first) {
  for (int i = 0; i < 128; ++i) {
    Thread& thread = first[i];
    std::vector<WarpgroupProduct>& products = thread.products;
    size_t done = 0;
    for (; done < products.size(); ++done) {
      if (products[done].group >= thread.open_products - keep_groups) break;
      multiply(thread, products[done]);
    }
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
  if (current->products.empty()) return;
  if (order() == Order::kReverse || (order() == Order::kRandom && random_below(2))) spin();
  keep_groups = keep;
  sync_warpgroup(site, multiply_all);
}

}  // namespace emu
