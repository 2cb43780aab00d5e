// Convolution forward, and the family's table: rows = output channels, steps = (input channel,
// tap). How the planes are copied and the product runs: conv_core.h.
#include "cpu/conv_core.h"
#include "cpu/transpose.h"

namespace mg::MG_ISA {
namespace {

template <class T>
struct Plan {
  Padded x;
  int64_t rows, channels, steps, image, chunk;
  bool by_channels, in_place;
};

template <class T>
Plan<T> plan_of(const ConvShape& s) {
  Plan<T> p;
  p.x = layout_x(s);
  p.rows = s.k / s.groups;
  p.channels = s.c / s.groups;
  p.steps = p.channels * s.t * s.r * s.s;
  p.image = times(s.c, p.x.volume);
  p.by_channels = fills_vectors<T>(p.rows) && p.steps >= kLongSum;
  p.in_place = p.by_channels && is_plain(p.x);
  p.chunk = p.in_place ? max_of(1, s.n) : images_of_chunk<T>(s.n, p.image);
  return p;
}

template <class T>
Space<T> space_of(void* base, const ConvShape& s, const Plan<T>& p) {
  return divide<T>(base, s.groups * in_panels<T>(p.rows) * p.steps, p.steps,
                   p.in_place ? 0 : p.chunk * p.image, 0);
}

template <class T>
int64_t workspace(const ConvShape& s) {
  if constexpr (sizeof(T) == 4) {
    if (winograd_forward_pays(s)) return winograd_forward_workspace(s);
  }
  return space_of<T>(nullptr, s, plan_of<T>(s)).bytes;
}

template <class T>
void pack(T* to, const T* w, const Plan<T>& p, int64_t groups) {
  const int64_t steps = p.steps, item = sizeof(T);
  if (p.by_channels) {
    each_channel_panel<T>(groups, p.rows, steps,
                          [&](int64_t at, int64_t row, int64_t count, int64_t width) {
                            if (count < width)
                              memset(to + at, 0, static_cast<size_t>(width * steps * item));
                            transpose(reinterpret_cast<char*>(to + at), width * item,
                                      reinterpret_cast<const char*>(w + row * steps), steps * item,
                                      steps, count, item, false);
                          });
    return;
  }
  for (int64_t group = 0; group < groups; ++group) {
    const T* from = w + group * p.rows * steps;
    each_panel(p.rows, [&](int64_t i0, int64_t i1) {
      T* panel = to + (group * p.rows + i0) * steps;
      for (int64_t k = 0; k < steps; ++k) {
        for (int64_t i = i0; i < i1; ++i) *panel++ = from[i * steps + k];
      }
    });
  }
}

template <class T>
void forward(T* g, const T* x, const T* w, const T* bias, const ConvShape& s, void* base) {
  if (depthwise_forward(g, x, w, bias, s)) return;
  if constexpr (sizeof(T) == 4) {
    if (winograd_forward_pays(s)) return winograd_forward(g, x, w, bias, s, base);
  }
  const Plan<T> plan = plan_of<T>(s);
  const Padded& l = plan.x;
  const Space<T> space = space_of<T>(base, s, plan);
  pack(space.weight, w, plan, s.groups);
  for (int64_t k = 0; k < plan.steps; ++k) space.offset[k] = step_x(l, s, k);
  Correlation<T> c = {};
  c.src_image = plan.image;
  c.src_group = plan.channels * l.volume;
  c.a = space.weight;
  c.offset = space.offset;
  c.steps = plan.steps;
  c.rows = plan.rows;
  c.groups = s.groups;
  c.bias = bias;
  c.out_image = s.k * s.o * s.p * s.q;
  c.out_channel = s.o * s.p * s.q;
  c.out_row = s.q;
  c.out_column = 1;
  c.height = s.p;
  c.width = s.q;
  c.pitch = l.x.length;
  for (int64_t n = 0; n < s.n; n += plan.chunk) {
    c.images = min_of(plan.chunk, s.n - n);
    c.src = x;
    c.out = g + n * c.out_image;
    if (!plan.in_place) {
      copy_planes(space.first, x + n * s.c * s.d * s.h * s.w, c.images * s.c, l, l.plane);
      c.src = space.first;
    }
    each_image(c, s.o, s.stride_d * l.plane, s.p * s.q, [&](const Correlation<T>& part) {
      plan.by_channels ? correlate_channels(part) : correlate(part);
    });
  }
}

}  // namespace

#define MG_CONV(T)                                                                \
  {                                                                               \
    {forward<T>, workspace<T>}, {conv_to_input<T>, conv_to_input_workspace<T>}, { \
      conv_to_weight<T>, conv_to_weight_workspace<T>                              \
    }                                                                             \
  }

namespace {
// Of bfloat16, for all instruction sets: Winograd's form. -1: not this one.
int64_t half_forward(const ConvShape& s) {
  return winograd_forward_pays(s) ? winograd_forward_workspace(s) : -1;
}
int64_t half_to_input(const ConvShape& s) {
  return winograd_to_input_pays(s) ? winograd_to_input_workspace(s) : -1;
}
int64_t half_to_weight(const ConvShape& s) {
  return winograd_to_weight_pays(s) ? winograd_to_weight_workspace(s) : -1;
}
}  // namespace

extern const ConvKernels kConv = {MG_CONV(float),
                                  MG_CONV(double),
                                  {{winograd_forward<bfloat16>, half_forward},
                                   {winograd_to_input<bfloat16>, half_to_input},
                                   {winograd_to_weight<bfloat16>, half_to_weight}}};

}  // namespace mg::MG_ISA
