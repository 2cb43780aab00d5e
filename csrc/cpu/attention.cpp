// Attention forward: blocks of keys against panels of queries, softmax on the way (Milakov and
// Gimelshein 2018; Dao et al. 2022), so that the matrix of scores never exists as a whole.
#include "cpu/attention_core.h"

namespace mg::MG_ISA {

int64_t attention_backward_scratch(const AttentionArgs& args);  // floats for a slot
int64_t attention_backward_sums(const AttentionArgs& args);     // and for all of them together
void attention_backward(const AttentionArgs& args);

namespace {

int64_t forward_scratch(const AttentionArgs& args) {
  const int64_t copies =
      round_up_to(args.keys * args.width, 16) + round_up_to(args.keys * args.value_width, 16);
  const int64_t mask = args.mask_kind == AttentionMask::kNone ? 0 : 2 * kPanel * kBlock;
  return copies + (args.width + args.value_width + kBlock) * kPanel + mask;
}

int64_t workspace(const AttentionArgs& args, bool backward) {
  const int64_t floats = backward ? attention_backward_scratch(args) : forward_scratch(args);
  const int64_t sums = backward ? attention_backward_sums(args) : 0;
  return (Slot::header(args.slots) + args.slots * floats + sums) * int64_t{sizeof(float)};
}

struct Softmax {
  vf top[2], total[2];
};

// Scores (keys, kPanel) become e^(score - top); returns what earlier sums are to be multiplied by.
template <int kVecs>
MG_INLINE void exponentials(float* scores, int64_t keys, Softmax& state, vf* correction) {
  vf top[kVecs], shift[kVecs], total[kVecs];
  for (int v = 0; v < kVecs; ++v) top[v] = state.top[v];
  for (int64_t j = 0; j < keys; ++j) {
    for (int v = 0; v < kVecs; ++v) top[v] = max(load(scores + j * kPanel + v * kF), top[v]);
  }
  for (int v = 0; v < kVecs; ++v) {
    shift[v] = top[v] == kMinusInfinity ? vf{} : top[v];
    correction[v] = exp(state.top[v] - shift[v]);
    total[v] = state.total[v] * correction[v];
    state.top[v] = top[v];
  }
  for (int64_t j = 0; j < keys; ++j) {
    for (int v = 0; v < kVecs; ++v) {
      float* s = scores + j * kPanel + v * kF;
      const vf e = exp(load(s) - shift[v]);
      store(s, e);
      total[v] += e;
    }
  }
  for (int v = 0; v < kVecs; ++v) state.total[v] = total[v];
}

MG_INLINE void multiply_rows(float* x, int64_t rows, const vf* factor, int64_t count) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t v = 0; v * kF < count; ++v) {
      float* p = x + i * kPanel + v * kF;
      store(p, load(p) * factor[v]);
    }
  }
}

struct Head {
  Rows q, k, v, out;
  float *top, *inverse;  // of its first query
  int64_t mask;          // where its mask begins
};

// Queries [i0, i0 + count), count <= kPanel.
void forward_panel(const AttentionArgs& args, const Head& h, int64_t i0, int64_t count,
                   float* scratch) {
  const int64_t width = args.width, value_width = args.value_width;
  float* const panel = scratch;                       // queries, (width, kPanel)
  float* const sums = panel + width * kPanel;         // the result, (value_width, kPanel)
  float* const scores = sums + value_width * kPanel;  // (kBlock, kPanel)
  float* const mask = scores + kBlock * kPanel;
  make_panel(panel, {h.q.data + i0 * h.q.row, h.q.row}, count, width, args.scale);
  Softmax state = {{set1(kMinusInfinity), set1(kMinusInfinity)}, {}};
  const int64_t seen = keys_seen(args, i0, count);
  for (int64_t j0 = 0; j0 < seen; j0 += kBlock) {
    const int64_t keys = min_of(kBlock, seen - j0);
    const int64_t both = keys_of_both(args, i0, count, j0, keys);
    score_product(scores, kPanel, keys, both, count,
                  {h.k.data + j0 * h.k.row, h.k.row, 1, panel, kPanel, width});
    add_mask(args, h.mask, scores, kPanel, i0, count, j0, keys, mask);
    if (args.causal && j0 + keys > i0 + 1) hide_later(scores, kPanel, i0, count, j0, keys);
    vf correction[2];
    if (count > kF) {
      exponentials<2>(scores, keys, state, correction);
    } else {
      exponentials<1>(scores, keys, state, correction);
    }
    if (j0 > 0) multiply_rows(sums, value_width, correction, count);
    sum_product(sums, value_width, both, count,
                {h.v.data + j0 * h.v.row, 1, h.v.row, scores, kPanel, keys}, j0 > 0);
  }
  vf inverse[2];
  for (int v = 0; v < 2; ++v) {
    inverse[v] = 1.0f / (state.total[v] == 0.0f ? set1(1.0f) : state.total[v]);
    const int64_t n = max_of(0, min_of(kF, count - v * kF));
    const vf shift = state.top[v] == kMinusInfinity ? vf{} : state.top[v];
    store_partial(h.top + i0 + v * kF, shift, n);
    store_partial(h.inverse + i0 + v * kF, inverse[v], n);
  }
  multiply_rows(sums, value_width, inverse, count);
  write_panel({h.out.data + i0 * h.out.row, h.out.row}, sums, count, value_width);
}

void forward(const AttentionArgs& args) {
  free_all_slots(args);
  const int64_t floats = forward_scratch(args);
  // Panels of a task: all of a matrix if there are many, else fewer, but some work in each.
  const int64_t panels = ceil_div(args.queries, kPanel);
  const int64_t parts = min_of(panels, ceil_div(16, args.count));
  const int64_t share = ceil_div(panels, parts), tasks = ceil_div(panels, share);
  const int64_t work = share * kPanel * args.keys * (args.width + args.value_width);
  parallel_for(args.count * tasks, max_of(1, (1 << 19) / work), [&](int64_t begin, int64_t end) {
    Slot slot(args, floats);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t index = task / tasks, first = task % tasks * share;
      const Place place = place_of(args, index);
      float* scratch = slot.data;
      const int64_t last = min_of(args.queries, (first + share) * kPanel);
      const int64_t seen = keys_seen(args, 0, last);
      Head h;
      h.q = rows_of(args, place, args.q);
      h.k = gathered(rows_of(args, place, args.k), seen, args.width, scratch);
      h.v = gathered(rows_of(args, place, args.v), seen, args.value_width, scratch);
      h.out = rows_of(args, place, args.out);
      h.top = args.top + index * args.queries;
      h.inverse = args.inverse + index * args.queries;
      h.mask = offset_of(args, place, args.mask_batch);
      for (int64_t i0 = first * kPanel; i0 < last; i0 += kPanel) {
        forward_panel(args, h, i0, min_of(kPanel, last - i0), scratch);
      }
    }
  });
}

}  // namespace

extern const AttentionKernels kAttention = {workspace, forward, attention_backward};

}  // namespace mg::MG_ISA
