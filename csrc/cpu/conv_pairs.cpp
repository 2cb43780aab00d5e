// Convolution of bfloat16 by products of pairs: forward, the gradient to the input, and the
// family's table. The pairs are neighbouring channels, interleaved in the padded planes; the loops
// are conv_channels.cpp's.
#include "cpu/conv_pairs.h"

#include "cpu/conv_residues.h"

namespace mg::MG_BASE_ISA {
extern const ConvKernels kConv;
}

namespace mg::MG_ISA {
namespace {

// ---- planes of pairs of channels ----

// to[i] = the pair low[i * stride], high[i * stride]; nothing above where high is nullptr.
MG_INLINE void pair_row(uint32_t* to, const bfloat16* low, const bfloat16* high, int64_t n,
                        int64_t stride) {
  if (stride > 2) {
    for (int64_t i = 0; i < n; ++i, low += stride) {
      to[i] = low->bits | (high ? uint32_t{high[i * stride].bits} << 16 : 0);
    }
    return;
  }
  for (int64_t i = 0; i < n; i += kF) {
    const int64_t count = min_of(kF, n - i);
    __m512i a, b = _mm512_setzero_si512();
    if (stride == 1) {
      const __mmask16 lanes = first_lanes(count);
      check_lanes(low + i, count);
      a = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, low + i));
      if (high) b = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, high + i));
    } else {
      const __mmask32 lanes = _bzhi_u32(~0u, static_cast<unsigned>(2 * count - 1));
      check_lanes(low + 2 * i, 2 * count - 1);
      a = _mm512_and_si512(_mm512_maskz_loadu_epi16(lanes, low + 2 * i), _mm512_set1_epi32(0xffff));
      if (high) b = _mm512_maskz_loadu_epi16(lanes, high + 2 * i);
    }
    _mm512_mask_storeu_epi32(to + i, first_lanes(count),
                             _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
  }
}

// Two planes to the residues of their copy: copy_planes() for pairs.
void pair_planes(uint32_t* dst, const bfloat16* low, const bfloat16* high, const Padded& l) {
  const PaddedAxis &y = l.y, &x = l.x;
  for (int64_t a = 0; a < y.residues; ++a) {
    for (int64_t b = 0; b < x.residues; ++b) {
      const int64_t top = a * y.dilation % y.stride - y.pad;
      const int64_t left = b * x.dilation % x.stride - x.pad;
      const int64_t u0 = min_of(x.length, left >= 0 ? 0 : ceil_div(-left, x.stride));
      const int64_t u1 =
          max_of(u0, min_of(x.length, x.size > left ? ceil_div(x.size - left, x.stride) : 0));
      for (int64_t t = 0; t < y.length; ++t, dst += x.length) {
        const int64_t at = t * y.stride + top;
        const bool inside = at >= 0 && at < y.size && u1 > u0;
        const int64_t first = inside ? u0 : x.length, last = inside ? u1 : x.length;
        for (int64_t u = 0; u < first; ++u) dst[u] = 0;
        if (!inside) continue;
        const int64_t from = at * x.size + u0 * x.stride + left;
        pair_row(dst + u0, low + from, high ? high + from : nullptr, u1 - u0, x.stride);
        for (int64_t u = last; u < x.length; ++u) dst[u] = 0;
      }
    }
  }
}

// The channels of some images, `channels` to a group, as pairs.
void copy_pairs(uint32_t* dst, const bfloat16* src, int64_t groups, int64_t channels,
                const Padded& l) {
  const int64_t pairs = ceil_div(channels, 2), depth = l.z.length;
  const int64_t plane = l.y.size * l.x.size, channel = l.z.size * plane;
  parallel_for(groups * pairs * depth, max_of(1, 16384 / l.plane), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t z = i % depth - l.z.pad, group = i / depth / pairs;
      const int64_t c = i / depth % pairs * 2;
      uint32_t* const to = dst + i * l.plane;
      if (z < 0 || z >= l.z.size) {
        memset(to, 0, static_cast<size_t>(l.plane) * 4);
        continue;
      }
      const bfloat16* const low = src + (group * channels + c) * channel + z * plane;
      pair_planes(to, low, c + 1 < channels ? low + channel : nullptr, l);
    }
  });
}

// ---- forward and the gradient to the input ----

struct PairSpace {
  uint32_t* weight;
  int64_t* offset;
  uint32_t* planes;
  bfloat16* dense;  // of to_input: the residues of x apart
  int64_t bytes;
};

PairSpace divide_pairs(void* base, int64_t weight, int64_t steps, int64_t planes, int64_t dense) {
  const Space<float> s = divide<float>(base, weight, steps, planes, ceil_div(dense, 2));
  return {reinterpret_cast<uint32_t*>(s.weight), s.offset, reinterpret_cast<uint32_t*>(s.first),
          reinterpret_cast<bfloat16*>(s.second), s.bytes};
}

// Weights of the taps each(body(tap)) calls, in panels: w's element for (row, channel, tap) is
// w[group][row * w_row + channel * w_channel + tap].
template <class Each>
void pack_pairs(uint32_t* to, const bfloat16* w, int64_t groups, int64_t rows, int64_t channels,
                int64_t taps, int64_t w_row, int64_t w_channel, int64_t w_group, const Each& each) {
  const int64_t steps = ceil_div(channels, 2) * taps;
  if (steps == 0) return;
  each_channel_panel<float>(
      groups, rows, steps, [&](int64_t at, int64_t row, int64_t count, int64_t width) {
        uint32_t* panel = to + at;
        const bfloat16* const from = w + row / rows * w_group + row % rows * w_row;
        if (count < width) memset(panel, 0, static_cast<size_t>(width * steps) * 4);
        for (int64_t c = 0; c < channels; c += 2) {
          const bool both = c + 1 < channels;
          each([&](int64_t tap, int64_t) {
            const bfloat16* const low = from + c * w_channel + tap;
            for (int64_t i = 0; i < count; ++i) {
              const uint32_t high = both ? low[i * w_row + w_channel].bits : 0;
              panel[i] = low[i * w_row].bits | high << 16;
            }
            panel += width;
          });
        }
      });
}

struct ForwardPlan {
  Padded x;
  int64_t rows, channels, pairs, taps, image, chunk;
};

ForwardPlan forward_plan(const ConvShape& s) {
  ForwardPlan p;
  p.x = layout_x(s);
  p.rows = s.k / s.groups;
  p.channels = s.c / s.groups;
  p.pairs = ceil_div(p.channels, 2);
  p.taps = s.t * s.r * s.s;
  p.image = times(s.groups * p.pairs, p.x.volume);
  p.chunk = images_of_chunk<float>(s.n, p.image);
  return p;
}

PairSpace space_of(void* base, const ConvShape& s, const ForwardPlan& p) {
  const int64_t steps = p.pairs * p.taps;
  return divide_pairs(base, s.groups * in_panels<float>(p.rows) * steps, steps, p.chunk * p.image,
                      0);
}

using Product = Correlation<uint32_t, uint32_t, bfloat16>;

void run_product(const Product& c) { correlate_places<float>(c, gather_pairs<uint32_t>); }

void forward(bfloat16* g, const bfloat16* x, const bfloat16* w, const bfloat16* bias,
             const ConvShape& s, void* base) {
  const ForwardPlan p = forward_plan(s);
  const Padded& l = p.x;
  const PairSpace space = space_of(base, s, p);
  pack_pairs(space.weight, w, s.groups, p.rows, p.channels, p.taps, p.channels * p.taps, p.taps,
             p.rows * p.channels * p.taps, [&](const auto& body) {
               for (int64_t i = 0; i < p.taps; ++i) body(i, 0);
             });
  Product c = {};
  c.steps = p.pairs * p.taps;
  for (int64_t k = 0; k < c.steps; ++k) space.offset[k] = step_x(l, s, k);
  c.src = space.planes;
  c.src_image = p.image;
  c.src_group = p.pairs * l.volume;
  c.a = space.weight;
  c.offset = space.offset;
  c.rows = p.rows;
  c.groups = s.groups;
  c.bias = bias;
  c.out_image = s.k * s.o * s.p * s.q;
  c.out_channel = s.o * s.p * s.q;
  c.out_row = s.q;
  c.out_column = 1;
  c.height = s.p;
  c.width = s.q;
  c.pitch = l.x.length;
  for (int64_t n = 0; n < s.n; n += p.chunk) {
    c.images = min_of(p.chunk, s.n - n);
    c.out = g + n * c.out_image;
    copy_pairs(space.planes, x + n * s.c * s.d * s.h * s.w, c.images * s.groups, p.channels, l);
    each_image(c, s.o, s.stride_d * l.plane, s.p * s.q, run_product);
  }
}

struct InputPlan {
  InputLayout l;
  int64_t rows, channels, pairs, taps, image, chunk;
};

InputPlan input_plan(const ConvShape& s) {
  InputPlan p;
  p.l = layout_of(s);
  p.rows = s.c / s.groups;
  p.channels = s.k / s.groups;
  p.pairs = ceil_div(p.channels, 2);
  p.taps = s.t * s.r * s.s;
  p.image = times(s.groups * p.pairs, p.l.g.volume);
  p.chunk = images_of_chunk<float>(s.n, p.image);
  return p;
}

PairSpace space_of(void* base, const ConvShape& s, const InputPlan& p) {
  const int64_t steps = p.pairs * p.taps, x = times(times(s.c, s.d), times(s.h, s.w));
  return divide_pairs(base, s.groups * in_panels<float>(p.rows) * steps, steps, p.chunk * p.image,
                      s.stride_h * s.stride_w > 1 ? times(p.chunk, x) : 0);
}

// conv_input.cpp's weave().
void weave(bfloat16* x, const bfloat16* from, const InputLayout& l, int64_t z, int64_t channels) {
  const int64_t depth = outputs(l.z, z), planes = channels * depth;
  const int64_t h = l.y.size, w = l.x.size, stride = l.x.stride;
  parallel_for(planes, max_of(1, 16384 / (h * w)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      bfloat16* plane = x + (i / depth * l.z.size + i % depth * l.z.stride + z) * h * w;
      for (int64_t y = 0; y < h; ++y) {
        const int64_t a = y % l.y.stride, height = outputs(l.y, a);
        int64_t before = 0;  // the residues of rows before a hold these rows of all columns
        for (int64_t r = 0; r < a; ++r) before += outputs(l.y, r);
        before *= w;
        for (int64_t b = 0; b < residues(l.x); ++b) {
          const int64_t width = outputs(l.x, b);
          const bfloat16* row = from + planes * before + (i * height + y / l.y.stride) * width;
          bfloat16* to = plane + y * w + b;
          if (stride == 1) {
            memcpy(to, row, static_cast<size_t>(width) * 2);
          } else {
            for (int64_t t = 0; t < width; ++t) to[t * stride] = row[t];
          }
          before += height * width;
        }
      }
    }
  });
}

void to_input(bfloat16* x, const bfloat16* g, const bfloat16* w, const bfloat16* bias,
              const ConvShape& s, void* base) {
  const InputPlan p = input_plan(s);
  const InputLayout& l = p.l;
  const PairSpace space = space_of(base, s, p);
  const bool dense = s.stride_h * s.stride_w > 1;
  Product c = {};
  c.src = space.planes;
  c.src_image = p.image;
  c.src_group = p.pairs * l.g.volume;
  c.rows = p.rows;
  c.groups = s.groups;
  c.bias = bias;
  c.pitch = l.g.x.length;
  c.out_column = 1;
  const int64_t flat = s.h * s.w, image = s.c * s.d * flat;
  const int64_t stored = s.groups * in_panels<float>(p.rows);
  const int64_t residues_y = residues(l.y), residues_x = residues(l.x);
  for (int64_t n = 0; n < s.n; n += p.chunk) {
    c.images = min_of(p.chunk, s.n - n);
    copy_pairs(space.planes, g + n * s.k * s.o * s.p * s.q, c.images * s.groups, p.channels, l.g);
    int64_t done = 0;  // steps of the residues before: each has its own packed weights
    for (int64_t z = 0; z < residues(l.z); ++z) {
      const int64_t depth = outputs(l.z, z);
      bfloat16* apart = space.dense;
      for (int64_t i = 0; i < residues_y * residues_x; ++i) {
        const Residue a = {z, i / residues_x, i % residues_x};
        c.a = space.weight + done * stored;
        c.offset = space.offset + done;
        int64_t taps = 0;
        each_tap(l, a, [&](int64_t, int64_t) { ++taps; });
        c.steps = p.pairs * taps;
        if (n == 0) {
          pack_pairs(space.weight + done * stored, w, s.groups, p.rows, p.channels, taps, p.taps,
                     p.rows * p.taps, p.channels * p.rows * p.taps,
                     [&](const auto& body) { each_tap(l, a, body); });
          int64_t* offset = space.offset + done;
          for (int64_t k = 0; k < p.pairs; ++k) {
            each_tap(l, a, [&](int64_t, int64_t at) { *offset++ = k * l.g.volume + at; });
          }
        }
        c.height = outputs(l.y, a.y);
        c.width = outputs(l.x, a.x);
        const int64_t plane = c.height * c.width;
        c.out_row = c.width;
        c.out = dense ? apart : x + n * image + z * flat;
        c.out_channel = dense ? depth * plane : s.d * flat;
        c.out_image = s.c * c.out_channel;
        apart += c.images * s.c * depth * plane;
        each_image(c, depth, l.g.plane, dense ? plane : flat * s.stride_d, run_product);
        done += c.steps;
      }
      if (dense) weave(x + n * image, space.dense, l, z, c.images * s.c);
    }
  }
}

// ---- which convolutions ----

// Whether vectors along `rows` channels and pairs of `channels` are filled well enough.
bool pays(int64_t rows, int64_t channels, int64_t taps) {
  return rows * 2 >= round_up(rows, kF) && channels > 1 && channels * taps >= 16;
}

// What the table below has done already, by Winograd's form, is quicker.
const ConvOf<bfloat16>& others() { return MG_BASE_ISA::kConv.bf16; }

int64_t forward_workspace(const ConvShape& s) {
  const int64_t other = others().forward.workspace(s);
  if (other >= 0) return other;
  if (!pays(s.k / s.groups, s.c / s.groups, s.t * s.r * s.s)) return -1;
  return space_of(nullptr, s, forward_plan(s)).bytes;
}
int64_t to_input_workspace(const ConvShape& s) {
  const int64_t other = others().to_input.workspace(s);
  if (other >= 0) return other;
  if (!pays(s.c / s.groups, s.k / s.groups, s.t * s.r * s.s)) return -1;
  return space_of(nullptr, s, input_plan(s)).bytes;
}
int64_t to_weight_workspace(const ConvShape& s) {
  const int64_t other = others().to_weight.workspace(s);
  if (other >= 0) return other;
  const int64_t rows = s.k / s.groups, steps = s.c / s.groups * s.t * s.r * s.s;
  if (s.n == 0 || rows * 2 < round_up(rows, kF) || steps < 9) return -1;
  return pairs_to_weight_workspace(s);
}

void run_forward(bfloat16* g, const bfloat16* x, const bfloat16* w, const bfloat16* bias,
                 const ConvShape& s, void* base) {
  const bool other = others().forward.workspace(s) >= 0;
  (other ? others().forward.run : forward)(g, x, w, bias, s, base);
}
void run_to_input(bfloat16* x, const bfloat16* g, const bfloat16* w, const bfloat16* bias,
                  const ConvShape& s, void* base) {
  const bool other = others().to_input.workspace(s) >= 0;
  (other ? others().to_input.run : to_input)(x, g, w, bias, s, base);
}
void run_to_weight(bfloat16* w, const bfloat16* x, const bfloat16* g, const ConvShape& s,
                   void* base) {
  const bool other = others().to_weight.workspace(s) >= 0;
  (other ? others().to_weight.run : pairs_to_weight)(w, x, g, s, base);
}

}  // namespace

extern const ConvOf<bfloat16> kConvPairs = {{run_forward, forward_workspace},
                                            {run_to_input, to_input_workspace},
                                            {run_to_weight, to_weight_workspace}};

}  // namespace mg::MG_ISA
