// What the two directions of rnn_sequence.h share: products, where rows lie, how rows are grouped.
#pragma once

#include "bindings/rnn_sequence.h"
#include "kernels.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace mg {
namespace {

constexpr int64_t kPanel = 32;                   // columns of the weights that are read together
constexpr int64_t kPanelsFrom = 1 << 14;         // elements of weights that do not stay in the L1
constexpr int64_t kWorthThreads = 1 << 21;       // multiply-adds of all steps: some 40 us
constexpr int64_t kGroup = 16, kSmallGroup = 8;  // rows of a group
// Weights of more bytes come from beyond the L2 at each step: for more rows at a time if there are
// as many.
constexpr int64_t kFarWeights = 2 << 20;
// Up to here the weights of inputs and hidden state stay in the L2 side by side: a step projects
// its own inputs then, whose gates are still in the L1 when the hidden state's part is added.
constexpr int64_t kBesideBytes = 768 << 10, kBesideSteps = 4;

const RnnTyped<float>& typed(float) { return kernels().rnn.f32; }
const RnnTyped<double>& typed(double) { return kernels().rnn.f64; }
DType dtype(float) { return DType::kFloat32; }
DType dtype(double) { return DType::kFloat64; }

template <class T>
T* at(T* base, int64_t offset) {
  return base ? base + offset : nullptr;
}

// A product c (m, n) = a (m, k) b (k, n) + beta c.
template <class T>
struct Product {
  T* c;
  int64_t c_rs;
  const T* a;
  int64_t a_rs, a_cs;
  const T* b;
  int64_t b_rs, b_cs;
  int64_t m, n, k;
  double beta = 0;
  const T* bias = nullptr;
  int64_t panels = 1;  // of n columns each, k n elements of b apart
};

// Products that share a workspace: it grows with those that are announced.
template <class T>
class Products {
 public:
  static int64_t bytes(const Product<T>& p) {
    int64_t strides[4];
    const GemmArgs g = args(p, strides);
    return round_up(kernels().gemm.workspace(g, dtype(T{}), dtype(T{})));
  }
  static void run(const Product<T>& p, void* space, int64_t bytes) {
    if (p.m == 0 || p.n == 0) return;
    int64_t strides[4];
    GemmArgs g = args(p, strides);
    g.workspace = space;
    g.workspace_bytes = bytes;
    kernels().gemm.run(g, dtype(T{}), dtype(T{}));
  }
  // Runs a product of its own size with a workspace of its own.
  static bool once(const Product<T>& p) {
    const int64_t needed = bytes(p);
    Workspace space(static_cast<size_t>(needed));
    if (space.failed()) return false;
    run(p, space.data(), needed);
    return true;
  }
  static int64_t round_up(int64_t bytes) { return (bytes + 63) / 64 * 64; }

 private:
  static GemmArgs args(const Product<T>& p, int64_t* strides) {
    GemmArgs g = {};
    g.c = p.c;
    g.a = p.a;
    g.b = p.b;
    g.bias = p.bias;
    g.m = p.m;
    g.n = p.n;
    g.k = p.k;
    g.a_rs = p.m == 1 && p.a_cs == 1 ? p.k : p.a_rs;
    g.a_cs = p.k == 1 ? 1 : p.a_cs;
    g.b_rs = p.k == 1 ? p.n : p.b_rs;
    g.b_cs = p.n == 1 ? 1 : p.b_cs;
    g.c_rs = p.c_rs;
    g.alpha = 1;
    g.beta = p.beta;
    strides[0] = p.panels;
    strides[1] = 0;
    strides[2] = p.n * p.k;
    strides[3] = p.n;
    g.batch_dims = p.panels > 1;
    g.batch_shape = strides;
    g.a_batch = strides + 1;
    g.b_batch = strides + 2;
    g.c_batch = strides + 3;
    return g;
  }
};

// The weights of the hidden state as (k, n), in panels if they are large.
template <class T>
struct Weights {
  int64_t n, k, panels, width;
  Weights(int64_t n, int64_t k) : n(n), k(k) {
    panels = n * k >= kPanelsFrom && n % kPanel == 0 ? n / kPanel : 1;
    width = n / panels;
  }
  // w (n, k) as the products want it.
  void turn(T* out, const T* w) const { typed(T{}).turn(out, w, panels, width, k); }
  Product<T> product(T* c, int64_t c_rs, const T* a, int64_t a_rs, const T* b, int64_t m,
                     double beta) const {
    Product<T> p = {c, c_rs, a, a_rs, 1, b, width, 1, m, width, k};
    p.beta = beta;
    p.panels = panels;
    return p;
  }
};

// Where the rows of a group [first, last) lie in a step, and the first ones of them that continue
// those of the step before: the others start from the initial state.
struct Place {
  int64_t row, rows, before, continued;
};

template <class T>
class Walk {
 public:
  explicit Walk(const RnnSequence<T>& s) : s_(s) {}
  int64_t step(int64_t i) const { return s_.reverse ? s_.steps - 1 - i : i; }
  Place place(int64_t i, int64_t first, int64_t last) const {
    const int64_t t = step(i);
    const int64_t rows = max_of(0, min_of(last, s_.sizes[t]) - first);
    if (i == 0) return {s_.starts[t] + first, rows, 0, 0};
    const int64_t p = step(i - 1);
    const int64_t continued = max_of(0, min_of(min_of(last, s_.sizes[p]) - first, rows));
    return {s_.starts[t] + first, rows, s_.starts[p] + first, continued};
  }

 private:
  const RnnSequence<T>& s_;
};

template <class T>
struct Shape {
  int64_t gates, own, own_at;  // columns of gates; those that the hidden state adds to, from where
  int64_t group;
  bool beside;  // whether each step projects its own inputs
  explicit Shape(const RnnSequence<T>& s) {
    const int64_t kinds = s.mode == RnnMode::kLstm || s.mode == RnnMode::kGru ? 4 : 1;
    gates = kinds * s.hidden;
    own_at = s.mode == RnnMode::kGru ? s.hidden : 0;
    own = gates - own_at;
    const bool large = s.rows * own * s.width >= kWorthThreads;
    group = !large || s.batch < 2 * kSmallGroup ? s.batch
            : s.batch < 2 * kGroup              ? kSmallGroup
                                                : kGroup;
    if (group == kGroup && own * s.width * int64_t{sizeof(T)} > kFarWeights) {
      group = max_of(kGroup, min_of(2 * kGroup, (s.batch / 2 + 7) / 8 * 8));
    }
    const int64_t weights = gates * (s.inputs + s.width) * int64_t{sizeof(T)};
    beside = large && s.mode != RnnMode::kGru && s.batch >= kSmallGroup &&
             s.steps >= kBesideSteps && weights <= kBesideBytes;
  }
};

}  // namespace
}  // namespace mg
