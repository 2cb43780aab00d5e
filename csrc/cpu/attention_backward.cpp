// Attention backward: the probabilities are computed again from the scores, blocks of keys against
// two panels of queries, and used at once for the gradients of queries, keys and values.
#include "cpu/attention_core.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kQueries = 2 * kPanel;  // at a time: what the sums over queries run through

int64_t padded(int64_t width) { return round_up_to(width, kF); }

struct Head {
  Rows q, k, v, out, grad, dq, dk, dv;
  const float *top, *inverse;
  int64_t mask;
};

// Scratch of a matrix. Panels of the queries and gradients come two after each other.
struct Areas {
  float *key_sums, *value_sums;        // (keys, padded width)
  float *query_panels, *grad_panels;   // (2, width, kPanel)
  float *query_rows, *grad_rows;       // (kQueries, padded width)
  float *probabilities, *differences;  // (kBlock, kQueries)
  float* query_sums;                   // (2, width, kPanel)
  float* mask;
  float delta[kQueries];
};

int64_t areas_size(const AttentionArgs& args) {
  const int64_t e = padded(args.width), f = padded(args.value_width);
  const int64_t mask = args.mask_kind == AttentionMask::kNone ? 0 : 2 * kPanel * kBlock;
  return (e + f) * (args.keys + kQueries) + (2 * args.width + args.value_width) * kQueries +
         2 * kBlock * kQueries + mask;
}

Areas place_areas(const AttentionArgs& args, float* scratch) {
  const int64_t e = padded(args.width), f = padded(args.value_width);
  const auto take = [&](int64_t floats) {
    float* area = scratch;
    scratch += floats;
    return area;
  };
  Areas a;
  a.key_sums = take(args.keys * e);
  a.value_sums = take(args.keys * f);
  a.query_panels = take(args.width * kQueries);
  a.grad_panels = take(args.value_width * kQueries);
  a.query_rows = take(kQueries * e);
  a.grad_rows = take(kQueries * f);
  a.probabilities = take(kBlock * kQueries);
  a.differences = take(kBlock * kQueries);
  a.query_sums = take(args.width * kQueries);
  a.mask = scratch;
  return a;
}

MG_INLINE float dot(const float* a, const float* b, int64_t n) {
  vf sum = {};
  int64_t i = 0;
  for (; i + kF <= n; i += kF) sum = fma(load(a + i), load(b + i), sum);
  if (i < n) sum = fma(load_partial(a + i, n - i), load_partial(b + i, n - i), sum);
  return hsum(sum);
}

// Panels, rows and sum(grad out) of queries [i0, i0 + count).
void load_queries(const AttentionArgs& args, const Head& h, Areas& a, int64_t i0, int64_t count) {
  const Rows q = {h.q.data + i0 * h.q.row, h.q.row};
  const Rows grad = {h.grad.data + i0 * h.grad.row, h.grad.row};
  for (int64_t first = 0, panel = 0; first < count; first += kPanel, ++panel) {
    const int64_t n = min_of(kPanel, count - first);
    make_panel(a.query_panels + panel * args.width * kPanel, {q.data + first * q.row, q.row}, n,
               args.width, args.scale);
    make_panel(a.grad_panels + panel * args.value_width * kPanel,
               {grad.data + first * grad.row, grad.row}, n, args.value_width, 1.0f);
  }
  copy_rows(a.query_rows, padded(args.width), q, count, args.width, args.scale);
  copy_rows(a.grad_rows, padded(args.value_width), grad, count, args.value_width, 1.0f);
  for (int64_t i = 0; i < count; ++i) {
    a.delta[i] = dot(grad.data + i * grad.row, h.out.data + (i0 + i) * h.out.row, args.value_width);
  }
}

// Probabilities p and differences p (grad v^T - delta) of one panel and a block of keys.
void load_panel(const AttentionArgs& args, const Head& h, const Areas& a, int64_t i0, int64_t panel,
                int64_t count, int64_t j0, int64_t keys) {
  float* const p = a.probabilities + panel * kPanel;
  float* const d = a.differences + panel * kPanel;
  const int64_t first = i0 + panel * kPanel;
  const int64_t both = keys_of_both(args, first, count, j0, keys);
  score_product(p, kQueries, keys, both, count,
                {h.k.data + j0 * h.k.row, h.k.row, 1, a.query_panels + panel * args.width * kPanel,
                 kPanel, args.width});
  score_product(d, kQueries, keys, both, count,
                {h.v.data + j0 * h.v.row, h.v.row, 1,
                 a.grad_panels + panel * args.value_width * kPanel, kPanel, args.value_width});
  for (int64_t j = both; j < keys; ++j) store(d + j * kQueries, vf{});  // met by probability 0
  add_mask(args, h.mask, p, kQueries, first, count, j0, keys, a.mask);
  if (args.causal && j0 + keys > first + 1) hide_later(p, kQueries, first, count, j0, keys);
  for (int64_t i = 0; i < count; i += kF) {
    const int64_t n = min_of(kF, count - i);
    const vf top = load_partial(h.top + first + i, n);
    const vf inverse = load_partial(h.inverse + first + i, n);
    const vf delta = load(a.delta + panel * kPanel + i);
    for (int64_t j = 0; j < keys; ++j) {
      float* at = p + j * kQueries + i;
      float* to = d + j * kQueries + i;
      const vf probability = exp(load(at) - top) * inverse;
      store(at, probability);
      store(to, probability * (load(to) - delta));
    }
  }
}

// key_sums += differences^T queries, value_sums += probabilities^T grad, over queries [from,
// count).
void add_key_sums(const AttentionArgs& args, const Head& h, const Areas& a, int64_t j,
                  int64_t block, int64_t keys, int64_t from, int64_t count) {
  const int64_t e = padded(args.width), f = padded(args.value_width);
  if (h.dk.data) {
    product(a.key_sums + j * e, e, keys, e,
            {a.differences + block * kQueries + from, kQueries, 1, a.query_rows + from * e, e,
             count - from},
            true);
  }
  if (h.dv.data) {
    product(a.value_sums + j * f, f, keys, f,
            {a.probabilities + block * kQueries + from, kQueries, 1, a.grad_rows + from * f, f,
             count - from},
            true);
  }
}

void backward_queries(const AttentionArgs& args, const Head& h, Areas& a, int64_t i0,
                      int64_t count) {
  load_queries(args, h, a, i0, count);
  const int64_t low = min_of(count, kPanel);
  const int64_t seen = keys_seen(args, i0, count), seen_low = keys_seen(args, i0, low);
  for (int64_t j0 = 0; j0 < seen; j0 += kBlock) {
    const int64_t keys = min_of(kBlock, seen - j0);
    const int64_t keys_low = max_of(0, min_of(keys, seen_low - j0));  // what the first panel sees
    for (int64_t panel = 0; panel * kPanel < count; ++panel) {
      const int64_t n = min_of(kPanel, count - panel * kPanel);
      const int64_t own = panel ? keys : keys_low;
      if (!own) continue;
      load_panel(args, h, a, i0, panel, n, j0, own);
      if (h.dq.data) {
        const int64_t both = keys_of_both(args, i0 + panel * kPanel, n, j0, own);
        sum_product(
            a.query_sums + panel * args.width * kPanel, args.width, both, n,
            {h.k.data + j0 * h.k.row, 1, h.k.row, a.differences + panel * kPanel, kQueries, own},
            j0 > 0);
      }
    }
    add_key_sums(args, h, a, j0, 0, keys_low, 0, count);
    if (keys > keys_low) {
      add_key_sums(args, h, a, j0 + keys_low, keys_low, keys - keys_low, low, count);
    }
  }
  if (!h.dq.data) return;
  for (int64_t panel = 0; panel * kPanel < count; ++panel) {
    float* sums = a.query_sums + panel * args.width * kPanel;
    for (int64_t i = 0; i < args.width * kPanel; i += kF)
      store(sums + i, load(sums + i) * args.scale);
    const int64_t first = i0 + panel * kPanel;
    write_panel({h.dq.data + first * h.dq.row, h.dq.row}, sums,
                min_of(kPanel, count - panel * kPanel), args.width);
  }
}

// Rows [first, first + rows) of the sums of all parts, `part` floats apart.
void write_sums(Rows dst, const float* sums, int64_t wide, int64_t first, int64_t rows,
                int64_t width, int64_t parts, int64_t part) {
  if (!dst.data) return;
  for (int64_t i = first; i < first + rows; ++i) {
    const float* from = sums + i * wide;
    float* to = dst.data + i * dst.row;
    for (int64_t j = 0; j < width; j += kF) {
      const int64_t n = min_of(kF, width - j);
      vf total = load_partial(from + j, n);
      for (int64_t k = 1; k < parts; ++k) total += load_partial(from + k * part + j, n);
      store_partial(to + j, total, n);
    }
  }
}

void zero(float* x, int64_t n) { __builtin_memset(x, 0, static_cast<size_t>(n) * sizeof(float)); }

// A few large matrices are shared out by blocks of their queries, each with sums of its own.
int64_t parts_of(const AttentionArgs& args) {
  return min_of(ceil_div(args.queries, kQueries), ceil_div(8, args.count));
}

int64_t sums_size(const AttentionArgs& args) {
  return round_up_to(args.keys * (padded(args.width) + padded(args.value_width)), 16);
}

Head head_of(const AttentionArgs& args, int64_t index) {
  const Place place = place_of(args, index);
  Head h;
  h.q = rows_of(args, place, args.q);
  h.k = rows_of(args, place, args.k);
  h.v = rows_of(args, place, args.v);
  h.out = rows_of(args, place, args.out);
  h.grad = rows_of(args, place, args.grad);
  h.dq = rows_of(args, place, args.dq);
  h.dk = rows_of(args, place, args.dk);
  h.dv = rows_of(args, place, args.dv);
  h.top = args.top + index * args.queries;
  h.inverse = args.inverse + index * args.queries;
  h.mask = offset_of(args, place, args.mask_batch);
  return h;
}

}  // namespace

int64_t attention_backward_scratch(const AttentionArgs& args) {
  return round_up_to(args.keys * args.width, 16) + round_up_to(args.keys * args.value_width, 16) +
         round_up_to(areas_size(args), 16);
}

int64_t attention_backward_sums(const AttentionArgs& args) {
  const int64_t parts = parts_of(args);
  return parts > 1 ? args.count * parts * sums_size(args) : 0;
}

void attention_backward(const AttentionArgs& args) {
  free_all_slots(args);
  const int64_t floats = attention_backward_scratch(args);
  const int64_t parts = parts_of(args), size = sums_size(args);
  const int64_t share = ceil_div(ceil_div(args.queries, kQueries), parts) * kQueries;
  const int64_t e = padded(args.width), f = padded(args.value_width);
  const int64_t work = min_of(share, args.queries) * args.keys * (args.width + args.value_width);
  float* const all_sums =
      static_cast<float*>(args.workspace) + Slot::header(args.slots) + args.slots * floats;
  parallel_for(args.count * parts, max_of(1, (1 << 18) / work), [&](int64_t begin, int64_t end) {
    Slot slot(args, floats);
    for (int64_t task = begin; task < end; ++task) {
      float* scratch = slot.data;
      Head h = head_of(args, task / parts);
      h.k = gathered(h.k, args.keys, args.width, scratch);
      h.v = gathered(h.v, args.keys, args.value_width, scratch);
      Areas a = place_areas(args, scratch);
      if (parts > 1) {
        a.key_sums = all_sums + task * size;
        a.value_sums = a.key_sums + args.keys * e;
      }
      zero(a.key_sums, args.keys * e);
      zero(a.value_sums, args.keys * f);
      const int64_t from = task % parts * share, to = min_of(args.queries, from + share);
      for (int64_t i0 = from; i0 < to; i0 += kQueries) {
        backward_queries(args, h, a, i0, min_of(kQueries, to - i0));
      }
      if (parts > 1) continue;
      write_sums(h.dk, a.key_sums, e, 0, args.keys, args.width, 1, 0);
      write_sums(h.dv, a.value_sums, f, 0, args.keys, args.value_width, 1, 0);
    }
  });
  if (parts == 1) return;
  const int64_t grain = max_of(1, (1 << 15) / (parts * (e + f)));  // keys
  const int64_t chunks = ceil_div(args.keys, grain);
  parallel_for(args.count * chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t index = task / chunks, first = task % chunks * grain;
      const int64_t rows = min_of(grain, args.keys - first);
      const Head h = head_of(args, index);
      const float* sums = all_sums + index * parts * size;
      write_sums(h.dk, sums, e, first, rows, args.width, parts, size);
      write_sums(h.dv, sums + args.keys * e, f, first, rows, args.value_width, parts, size);
    }
  });
}

}  // namespace mg::MG_ISA
