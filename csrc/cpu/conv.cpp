// Convolution forward, and the family's table: rows = output channels, steps = (input channel,
// tap). How the planes are copied and the product runs: conv_core.h.
#include "cpu/conv_core.h"

namespace mg::MG_ISA {
namespace {

template <class T>
int64_t workspace(const ConvShape& s) {
  const int64_t image = times(s.c, layout_x(s).plane), steps = s.c / s.groups * s.r * s.s;
  return divide<T>(nullptr, s.k * steps, steps, images_of_chunk<T>(s.n, image) * image, 0).bytes;
}

template <class T>
void forward(T* g, const T* x, const T* w, const T* bias, const ConvShape& s, void* base) {
  const Padded l = layout_x(s);
  const int64_t channels = s.c / s.groups, rows = s.k / s.groups, steps = channels * s.r * s.s;
  const int64_t image = s.c * l.plane, chunk = images_of_chunk<T>(s.n, image);
  const Space<T> space = divide<T>(base, s.k * steps, steps, chunk * image, 0);
  for (int64_t group = 0; group < s.groups; ++group) {
    const T* from = w + group * rows * steps;
    each_panel(rows, [&](int64_t i0, int64_t i1) {
      T* to = space.weight + (group * rows + i0) * steps;
      for (int64_t k = 0; k < steps; ++k) {
        for (int64_t i = i0; i < i1; ++i) *to++ = from[i * steps + k];
      }
    });
  }
  for (int64_t c = 0, k = 0; c < channels; ++c) {
    for (int64_t r = 0; r < s.r; ++r) {
      for (int64_t t = 0; t < s.s; ++t) space.offset[k++] = offset_x(l, c, r, t);
    }
  }
  Correlation<T> c = {};
  c.src = space.first;
  c.src_image = image;
  c.src_group = channels * l.plane;
  c.a = space.weight;
  c.offset = space.offset;
  c.steps = steps;
  c.rows = rows;
  c.groups = s.groups;
  c.bias = bias;
  c.out_image = s.k * s.p * s.q;
  c.out_channel = s.p * s.q;
  c.out_row = s.q;
  c.out_column = 1;
  c.height = s.p;
  c.width = s.q;
  c.pitch = l.x.length;
  for (int64_t n = 0; n < s.n; n += chunk) {
    c.images = min_of(chunk, s.n - n);
    copy_planes(space.first, x + n * s.c * s.h * s.w, c.images * s.c, l, l.plane);
    c.out = g + n * c.out_image;
    correlate(c);
  }
}

}  // namespace

#define MG_CONV(T)                                                                \
  {                                                                               \
    {forward<T>, workspace<T>}, {conv_to_input<T>, conv_to_input_workspace<T>}, { \
      conv_to_weight<T>, conv_to_weight_workspace<T>                              \
    }                                                                             \
  }

extern const ConvKernels kConv = {MG_CONV(float), MG_CONV(double)};

}  // namespace mg::MG_ISA
