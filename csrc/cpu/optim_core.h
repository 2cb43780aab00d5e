// What the optimizer steps share: a rule is a function on vectors, and the walk over many tensors
// is compiled once. Rules see whole vectors of float or double only: 16-bit floats and the tails of
// tensors are brought to a block in the first-level cache and back.
#pragma once

#include "kernels/optim.h"
#include "simd.h"

namespace mg::MG_ISA {

#define MG_RULE __attribute__((always_inline))

// A piece of one tensor in the computing type; `n` is a multiple of the lanes.
template <class T>
struct Piece {
  T* p;
  const T* g;
  T* s[3];
  int64_t n;
};

// A rule on a piece. `sums`: two slots of the piece's own, for rules that add something up.
template <class T>
using RuleOn = void (*)(const Piece<T>& piece, const OptimTensor& t, const OptimOptions& o,
                        double* sums);
struct Rule {
  RuleOn<float> single;
  RuleOn<double> twice;
  bool writes;  // false: 16-bit values need not be written back
};

// Applies the rule to all tensors. The piece of tensor i in chunk c has the slots 2 (c + i) and
// 2 (c + i) + 1 of `sums`, which may be nullptr.
void walk_tensors(const Rule& rule, const OptimTensor* tensors, int64_t count, int64_t total,
                  const OptimOptions* options, double* sums);

// Calls rule(p, g, s) on registers for all elements. kStates: how many of the states there are;
// s[k] belongs to state present[k].
template <class T, int kStates, class Body>
MG_INLINE void sweep(const Piece<T>& piece, const int* present, Body body) {
  using V = typename Vec<T>::type;
  constexpr int lanes = Vec<T>::lanes;
  T* s[kStates ? kStates : 1];
  for (int k = 0; k < kStates; ++k) s[k] = piece.s[present[k]];
  for (int64_t i = 0; i < piece.n; i += lanes) {
    V value = load(piece.p + i);
    V state[kStates ? kStates : 1] = {};
    for (int k = 0; k < kStates; ++k) state[k] = load(s[k] + i);
    body(value, load(piece.g + i), state);
    store(piece.p + i, value);
    for (int k = 0; k < kStates; ++k) store(s[k] + i, state[k]);
  }
}

// A constant of a rule in the computing type: numbers become what PyTorch makes of them.
template <class T>
MG_INLINE typename Vec<T>::type constant(double x) {
  return set1(static_cast<T>(x));
}

// A product that must be rounded before it is added to something: the compiler would fuse the two
// in one copy of a loop and not in another, and results would depend on where a chunk ends.
template <class V>
MG_INLINE V rounded(V v) {
#if defined(__AVX512F__)
  __asm__("" : "+v"(v));
#elif defined(__x86_64__)
  __asm__("" : "+x"(v));
#elif defined(__aarch64__)
  __asm__("" : "+w"(v));
#endif
  return v;
}

template <class V>
MG_INLINE V gradient(V g, V p, V decay, bool with_decay, bool maximize) {
  if (maximize) g = -g;
  return with_decay ? fma(p, decay, g) : g;
}

// start + weight (end - start), in PyTorch's form, which is exact at both ends.
template <class V>
MG_INLINE V lerp(V start, V end, V weight, V other, bool small) {
  const V delta = end - start;
  return small ? fma(weight, delta, start) : fma(-delta, other, end);
}

// The larger of the two, NaN if one of them is NaN.
template <class V>
MG_INLINE V maximum(V a, V b) {
  return a != a ? a : max(a, b);
}

template <class V>
MG_INLINE V magnitude(V v) {
  return v < V{} ? -v : v;
}

// -1, 0 or 1.
template <class V>
MG_INLINE V sign(V v) {
  const V one = V{} + 1;
  return v > V{} ? one : v < V{} ? -one : V{};
}

}  // namespace mg::MG_ISA
