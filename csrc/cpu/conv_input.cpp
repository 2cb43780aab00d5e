// Convolution's gradient to the input: the product of conv_core.h with rows = input channels and
// steps = (output channel, tap), once for each residue of the input's coordinates by the stride, so
// that no step multiplies by a zero.
#include "cpu/conv_residues.h"

namespace mg::MG_ISA {
namespace {

template <class T>
struct Plan {
  InputLayout l;
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
  p.image = times(s.k, p.l.g.volume);
  const int64_t taps = ceil_div(s.t * s.r * s.s, s.stride_d * s.stride_h * s.stride_w);
  p.by_channels = fills_vectors<T>(p.rows) && p.channels * taps >= kLongSum;
  p.in_place = p.by_channels && is_plain(p.l.g);
  p.dense = p.by_channels && s.stride_h * s.stride_w > 1;
  p.chunk = p.in_place ? max_of(1, s.n) : images_of_chunk<T>(s.n, p.image);
  return p;
}

template <class T>
Space<T> space_of(void* base, const ConvShape& s, const Plan<T>& p) {
  const int64_t steps = p.channels * s.t * s.r * s.s;
  return divide<T>(base, s.groups * in_panels<T>(p.rows) * steps, steps,
                   p.in_place ? 0 : p.chunk * p.image,
                   p.dense ? times(p.chunk, times(times(s.c, s.d), times(s.h, s.w))) : 0);
}

// The steps of residue a, and their weights packed to `to`.
template <class T>
void pack(const Plan<T>& p, T* to, int64_t* offset, const T* w, int64_t groups, const Residue& a) {
  const InputLayout& l = p.l;
  const int64_t rows = p.rows, channels = p.channels;
  const int64_t taps = l.z.taps * l.y.taps * l.x.taps;
  int64_t steps = 0;
  for (int64_t k = 0; k < channels; ++k) {
    each_tap(l, a, [&](int64_t, int64_t shift) { offset[steps++] = k * l.g.volume + shift; });
  }
  if (steps == 0) return;
  if (p.by_channels) {
    each_channel_panel<T>(
        groups, rows, steps, [&](int64_t at, int64_t row, int64_t count, int64_t width) {
          if (count < width) memset(to + at, 0, static_cast<size_t>(width * steps) * sizeof(T));
          T* panel = to + at;
          for (int64_t k = 0; k < channels; ++k) {
            const T* from = w + (row / rows * channels + k) * rows * taps + row % rows * taps;
            each_tap(l, a, [&](int64_t tap, int64_t) {
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
        each_tap(l, a, [&](int64_t tap, int64_t) {
          for (int64_t i = i0; i < i1; ++i) *panel++ = from[i * taps + tap];
        });
      }
    });
  }
}

// The planes of x with residue z, from the residues of their rows and columns, which lie one after
// the other: [residue][plane][row][column].
template <class T>
void weave(T* x, const T* from, const InputLayout& l, int64_t z, int64_t channels) {
  const int64_t depth = outputs(l.z, z), planes = channels * depth;
  const int64_t h = l.y.size, w = l.x.size, stride = l.x.stride;
  parallel_for(planes, max_of(1, 16384 / (h * w)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* plane = x + (i / depth * l.z.size + i % depth * l.z.stride + z) * h * w;
      for (int64_t y = 0; y < h; ++y) {
        T* to = plane + y * w;
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
  const InputLayout& l = plan.l;
  const Space<T> space = space_of<T>(base, s, plan);
  Correlation<T> c = {};
  c.src_image = plan.image;
  c.src_group = plan.channels * l.g.volume;
  c.rows = plan.rows;
  c.groups = s.groups;
  c.bias = bias;
  const int64_t flat = s.h * s.w, image = s.c * s.d * flat;
  c.pitch = l.g.x.length;
  const int64_t stored = s.groups * (plan.by_channels ? in_panels<T>(plan.rows) : plan.rows);
  const int64_t residues_y = residues(l.y), residues_x = residues(l.x);
  for (int64_t n = 0; n < s.n; n += plan.chunk) {
    c.images = min_of(plan.chunk, s.n - n);
    c.src = g;
    if (!plan.in_place) {
      copy_planes(space.first, g + n * s.k * s.o * s.p * s.q, c.images * s.k, l.g, l.g.plane);
      c.src = space.first;
    }
    int64_t done = 0;  // steps of the residues before: each has its own packed weights
    for (int64_t z = 0; z < residues(l.z); ++z) {
      const int64_t depth = outputs(l.z, z);
      T* dense = space.second;
      for (int64_t i = 0; i < residues_y * residues_x; ++i) {
        const Residue a = {z, i / residues_x, i % residues_x};
        T* const weight = space.weight + done * stored;
        int64_t* const offset = space.offset + done;
        if (n == 0) pack(plan, weight, offset, w, s.groups, a);
        c.a = weight;
        c.offset = offset;
        c.steps = 0;
        each_tap(l, a, [&](int64_t, int64_t) { c.steps += plan.channels; });
        c.height = outputs(l.y, a.y);
        c.width = outputs(l.x, a.x);
        int64_t plane = flat * s.stride_d;  // from one output plane of this residue to the next
        if (plan.dense) {
          plane = c.height * c.width;
          c.out = dense;
          c.out_row = c.width;
          c.out_column = 1;
          c.out_channel = depth * plane;
          c.out_image = s.c * c.out_channel;
          dense += c.images * c.out_image;
        } else {
          c.out = x + n * image + z * flat + a.y * s.w + a.x;
          c.out_row = s.w * s.stride_h;
          c.out_column = s.stride_w;
          c.out_channel = s.d * flat;
          c.out_image = image;
        }
        each_image(c, depth, l.g.plane, plane, [&](const Correlation<T>& part) {
          plan.by_channels ? correlate_channels(part) : correlate(part);
        });
        done += c.steps;
      }
      if (plan.dense) weave(x + n * image, space.second, l, z, c.images * s.c);
    }
  }
}

template void conv_to_input<float>(float*, const float*, const float*, const float*,
                                   const ConvShape&, void*);
template void conv_to_input<double>(double*, const double*, const double*, const double*,
                                    const ConvShape&, void*);
template int64_t conv_to_input_workspace<float>(const ConvShape&);
template int64_t conv_to_input_workspace<double>(const ConvShape&);

}  // namespace mg::MG_ISA
