// Convolution's gradient to the input: the product of conv_core.h with rows = input channels and
// steps = (output channel, tap), once for each residue of the input's coordinates by the stride, so
// that no step multiplies by a zero.
#include "cpu/conv_core.h"

namespace mg::MG_ISA {
namespace {

// One axis: outputs y = t * stride + a take tap i from g at t + (a + pad - i * dilation) / stride,
// if that divides.
struct Axis {
  int64_t size, taps, stride, pad, dilation;
};

MG_INLINE bool reaches(const Axis& x, int64_t a, int64_t tap, int64_t* shift) {
  const int64_t v = a + x.pad - tap * x.dilation;
  if (v % x.stride) return false;
  *shift = v / x.stride;
  return true;
}

// Residues that the input has, and how many of its coordinates have residue a.
MG_INLINE int64_t residues(const Axis& x) { return min_of(x.stride, x.size); }
MG_INLINE int64_t outputs(const Axis& x, int64_t a) { return ceil_div(x.size - a, x.stride); }

// g along one axis, with the padding that the taps reach into.
PaddedAxis extent(const Axis& x, int64_t g_size) {
  int64_t low = 0, high = 0;
  for (int64_t a = 0; a < residues(x); ++a) {
    for (int64_t i = 0; i < x.taps; ++i) {
      int64_t shift;
      if (!reaches(x, a, i, &shift)) continue;
      low = min_of(low, shift);
      high = max_of(high, outputs(x, a) + shift);
    }
  }
  return {g_size, 1, -low, 1, 1, max_of(high - low, ceil_div(x.size, x.stride))};
}

struct Layout {
  Axis y, x;
  Padded g;
};

Layout layout_of(const ConvShape& s) {
  Layout l;
  l.y = {s.h, s.r, s.stride_h, s.pad_h, s.dilation_h};
  l.x = {s.w, s.s, s.stride_w, s.pad_w, s.dilation_w};
  l.g = padded(extent(l.y, s.p), extent(l.x, s.q));
  return l;
}

template <class T>
struct Plan {
  Layout l;
  int64_t rows, channels, image, chunk;
  bool by_channels, in_place;
  bool dense;  // residues are written apart, one after the other, and then woven together
};

template <class T>
Plan<T> plan_of(const ConvShape& s) {
  Plan<T> p;
  p.l = layout_of(s);
  p.rows = s.c / s.groups;
  p.channels = s.k / s.groups;
  p.image = times(s.k, p.l.g.plane);
  const int64_t taps = ceil_div(s.r * s.s, s.stride_h * s.stride_w);
  p.by_channels = fills_vectors<T>(p.rows) && p.channels * taps >= kLongSum;
  p.in_place = p.by_channels && is_plain(p.l.g);
  p.dense = p.by_channels && s.stride_h * s.stride_w > 1;
  p.chunk = p.in_place ? max_of(1, s.n) : images_of_chunk<T>(s.n, p.image);
  return p;
}

template <class T>
Space<T> space_of(void* base, const ConvShape& s, const Plan<T>& p) {
  const int64_t steps = p.channels * s.r * s.s;
  return divide<T>(base, s.groups * in_panels<T>(p.rows) * steps, steps,
                   p.in_place ? 0 : p.chunk * p.image,
                   p.dense ? times(p.chunk, times(s.c, times(s.h, s.w))) : 0);
}

// Calls body(tap, shift) for each tap (r, t), numbered r * taps of x + t, that reaches residue
// (a, b); shift is where in a plane of g it begins.
template <class Body>
MG_INLINE void each_tap(const Layout& l, int64_t a, int64_t b, const Body& body) {
  for (int64_t r = 0; r < l.y.taps; ++r) {
    int64_t at_y, at_x;
    if (!reaches(l.y, a, r, &at_y)) continue;
    for (int64_t t = 0; t < l.x.taps; ++t) {
      if (!reaches(l.x, b, t, &at_x)) continue;
      body(r * l.x.taps + t, (at_y + l.g.y.pad) * l.g.x.length + at_x + l.g.x.pad);
    }
  }
}

// The steps of residue (a, b), and their weights packed to `to`.
template <class T>
void pack(const Plan<T>& p, T* to, int64_t* offset, const T* w, int64_t groups, int64_t a,
          int64_t b) {
  const Layout& l = p.l;
  const int64_t rows = p.rows, channels = p.channels, taps = l.y.taps * l.x.taps;
  int64_t steps = 0;
  for (int64_t k = 0; k < channels; ++k) {
    each_tap(l, a, b, [&](int64_t, int64_t shift) { offset[steps++] = k * l.g.plane + shift; });
  }
  if (steps == 0) return;
  if (p.by_channels) {
    each_channel_panel<T>(
        groups, rows, steps, [&](int64_t at, int64_t row, int64_t count, int64_t width) {
          if (count < width) memset(to + at, 0, static_cast<size_t>(width * steps) * sizeof(T));
          T* panel = to + at;
          for (int64_t k = 0; k < channels; ++k) {
            const T* from = w + (row / rows * channels + k) * rows * taps + row % rows * taps;
            each_tap(l, a, b, [&](int64_t tap, int64_t) {
              for (int64_t i = 0; i < count; ++i) panel[i] = from[i * taps + tap];
              panel += width;
            });
          }
        });
    return;
  }
  for (int64_t group = 0; group < groups; ++group) {
    each_panel(rows, [&](int64_t i0, int64_t i1) {
      T* panel = to + (group * rows + i0) * steps;
      for (int64_t k = 0; k < channels; ++k) {
        const T* from = w + (group * channels + k) * rows * taps;
        each_tap(l, a, b, [&](int64_t tap, int64_t) {
          for (int64_t i = i0; i < i1; ++i) *panel++ = from[i * taps + tap];
        });
      }
    });
  }
}

// x's planes from their residues, which lie one after the other: [residue][plane][row][column].
template <class T>
void weave(T* x, const T* from, const Layout& l, int64_t planes) {
  const int64_t h = l.y.size, w = l.x.size, stride = l.x.stride;
  parallel_for(planes, max_of(1, 16384 / (h * w)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t y = 0; y < h; ++y) {
        T* to = x + (i * h + y) * w;
        const int64_t a = y % l.y.stride, height = outputs(l.y, a);
        // The residues of rows before a hold these rows of all columns.
        int64_t before = 0;
        for (int64_t r = 0; r < a; ++r) before += outputs(l.y, r);
        before *= w;
        if (stride == 2 && w > 1) {
          const int64_t even = outputs(l.x, 0), odd = outputs(l.x, 1),
                        at = i * height + y / l.y.stride;
          const T* rows = from + planes * before;
          interleave(to, rows + at * even, rows + planes * height * even + at * odd, odd,
                     even - odd);
          continue;
        }
        for (int64_t b = 0; b < residues(l.x); ++b) {
          const int64_t width = outputs(l.x, b);
          const T* row = from + planes * before + (i * height + y / l.y.stride) * width;
          for (int64_t t = 0; t < width; ++t) to[t * stride + b] = row[t];
          before += height * width;
        }
      }
    }
  });
}

}  // namespace

template <class T>
int64_t conv_to_input_workspace(const ConvShape& s) {
  if constexpr (sizeof(T) == 4) {
    if (winograd_to_input_pays(s)) return winograd_to_input_workspace(s);
  }
  return space_of<T>(nullptr, s, plan_of<T>(s)).bytes;
}

template <class T>
void conv_to_input(T* x, const T* g, const T* w, const T* bias, const ConvShape& s, void* base) {
  if (depthwise_to_input(x, g, w, bias, s)) return;
  if constexpr (sizeof(T) == 4) {
    if (winograd_to_input_pays(s)) return winograd_to_input(x, g, w, bias, s, base);
  }
  const Plan<T> plan = plan_of<T>(s);
  const Layout& l = plan.l;
  const Space<T> space = space_of<T>(base, s, plan);
  Correlation<T> c = {};
  c.src_image = plan.image;
  c.src_group = plan.channels * l.g.plane;
  c.rows = plan.rows;
  c.groups = s.groups;
  c.bias = bias;
  const int64_t image = s.c * s.h * s.w;
  c.out_image = image;
  c.out_channel = s.h * s.w;
  c.out_row = s.w * s.stride_h;
  c.out_column = s.stride_w;
  c.pitch = l.g.x.length;
  const int64_t stored = s.groups * (plan.by_channels ? in_panels<T>(plan.rows) : plan.rows);
  const int64_t residues_y = residues(l.y), residues_x = residues(l.x);
  for (int64_t n = 0; n < s.n; n += plan.chunk) {
    c.images = min_of(plan.chunk, s.n - n);
    c.src = g;
    if (!plan.in_place) {
      copy_planes(space.first, g + n * s.k * s.p * s.q, c.images * s.k, l.g, l.g.plane);
      c.src = space.first;
    }
    T* dense = space.second;
    int64_t done = 0;  // steps of the residues before: each has its own packed weights
    for (int64_t a = 0; a < residues_y; ++a) {
      for (int64_t b = 0; b < residues_x; ++b) {
        T* const weight = space.weight + done * stored;
        int64_t* const offset = space.offset + done;
        if (n == 0) pack(plan, weight, offset, w, s.groups, a, b);
        c.a = weight;
        c.offset = offset;
        c.steps = 0;
        each_tap(l, a, b, [&](int64_t, int64_t) { c.steps += plan.channels; });
        c.height = outputs(l.y, a);
        c.width = outputs(l.x, b);
        c.out = x + n * image + a * s.w + b;
        if (plan.dense) {
          c.out = dense;
          c.out_row = c.width;
          c.out_column = 1;
          c.out_channel = c.height * c.width;
          c.out_image = s.c * c.out_channel;
          dense += c.images * c.out_image;
        }
        if (plan.by_channels) {
          correlate_channels(c);
        } else {
          correlate(c);
        }
        done += c.steps;
      }
    }
    if (plan.dense) weave(x + n * image, space.second, l, c.images * s.c);
  }
}

template void conv_to_input<float>(float*, const float*, const float*, const float*,
                                   const ConvShape&, void*);
template void conv_to_input<double>(double*, const double*, const double*, const double*,
                                    const ConvShape&, void*);
template int64_t conv_to_input_workspace<float>(const ConvShape&);
template int64_t conv_to_input_workspace<double>(const ConvShape&);

}  // namespace mg::MG_ISA
