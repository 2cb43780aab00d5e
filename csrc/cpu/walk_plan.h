// Where an elementwise walk's operands lie, and how it goes on from row to row.
#pragma once

#include "kernels/elementwise.h"
#include "runs.h"

namespace mg::MG_ISA {
namespace {

struct Plan {
  Row row;
  char* out;
  int64_t out_item;
  const char* in[kWalkOperands];
  int64_t item[kWalkOperands];             // bytes
  int64_t step[kWalkOperands][kWalkDims];  // bytes
  int64_t out_step[kWalkDims];             // bytes
  Unit unit[kWalkOperands];                // of the innermost dimension
  bool whole[kWalkOperands];               // the operand lies as the result does
  const char* end[kWalkOperands];          // behind its last element
  const Walk* walk;
  const double* params;
  bool stream;
};

// Where the walk stands, and the address of each operand there.
struct Position {
  int64_t index[kWalkDims];
  const char* at[kWalkOperands];
};

inline Position seek(const Plan& plan, int64_t element) {
  const Walk& w = *plan.walk;
  Position p;
  for (int k = 0; k < w.operands; ++k) p.at[k] = plan.in[k];
  for (int d = w.ndim - 1; d >= 0; --d) {
    p.index[d] = element % w.shape[d];
    element /= w.shape[d];
    for (int k = 0; k < w.operands; ++k) p.at[k] += p.index[d] * plan.step[k][d];
  }
  return p;
}

// Goes n elements on; n does not lead past the end of the innermost dimension.
MG_INLINE void advance(const Plan& plan, Position* p, int64_t n) {
  const Walk& w = *plan.walk;
  int d = w.ndim - 1;
  p->index[d] += n;
  for (int k = 0; k < w.operands; ++k) p->at[k] += n * plan.step[k][d];
  while (d > 0 && p->index[d] == w.shape[d]) {
    for (int k = 0; k < w.operands; ++k) {
      p->at[k] += plan.step[k][d - 1] - w.shape[d] * plan.step[k][d];
    }
    p->index[d] = 0;
    ++p->index[--d];
  }
}

// The stretches of `count` elements from p on, each of whole rows or a part of one:
// body(done, rows, n) for `rows` rows of n elements at p, `done` elements behind the first.
template <class Body>
MG_INLINE void each_plane(const Plan& plan, Position* p, int64_t count, Body body) {
  const Walk& w = *plan.walk;
  const int last = w.ndim - 1;
  const int64_t inner = w.shape[last];
  for (int64_t done = 0; done < count;) {
    int64_t n = min_of(inner - p->index[last], count - done), rows = 1;
    if (n == inner && last > 0) {
      rows = min_of(w.shape[last - 1] - p->index[last - 1], (count - done) / inner);
    }
    body(done, rows, n);
    if (rows > 1) {  // all but the last, which advance() takes
      for (int k = 0; k < w.operands; ++k) p->at[k] += (rows - 1) * plan.step[k][last - 1];
      p->index[last - 1] += rows - 1;
    }
    advance(plan, p, n);
    done += rows * n;
  }
}

inline Plan make_plan(Row row, void* out, const void* const* in, const int64_t* item, const Walk& w,
                      const double* params) {
  const int64_t out_item = item[0];
  const int64_t* in_item = item + 1;
  Plan plan;
  plan.row = row;
  plan.out = static_cast<char*>(out);
  plan.out_item = out_item;
  plan.walk = &w;
  plan.params = params;
  plan.stream = w.size * out_item >= kStreamBytes;
  for (int k = 0; k < w.operands; ++k) plan.stream &= in[k] != out;  // what is read is cached
  int64_t step = out_item;
  for (int d = w.ndim - 1; d >= 0; --d) {
    plan.out_step[d] = step;
    step *= w.shape[d];
  }
  for (int k = 0; k < w.operands; ++k) {
    plan.in[k] = static_cast<const char*>(in[k]);
    plan.item[k] = in_item[k];
    for (int d = 0; d < w.ndim; ++d) {
      plan.step[k][d] = w.number[k] ? 0 : w.stride[k][d] * in_item[k];
    }
    plan.unit[k] = !w.number[k] && w.stride[k][w.ndim - 1] == 1 ? Unit::kDense : Unit::kSame;
    plan.whole[k] = !w.number[k];
    plan.end[k] = plan.in[k] + in_item[k];
    int64_t dense = 1;
    for (int d = w.ndim - 1; d >= 0; --d) {
      if (plan.step[k][d] > 0) plan.end[k] += (w.shape[d] - 1) * plan.step[k][d];
      plan.whole[k] &= w.shape[d] == 1 || w.stride[k][d] == dense;
      dense *= w.shape[d];
    }
  }
  return plan;
}

}  // namespace
}  // namespace mg::MG_ISA
