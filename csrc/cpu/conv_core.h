// What the convolution kernels share: padded copies of planes, and the product that reads them.
//
// The planes that a product reads are copied once, with their zero padding and, for a stride, split
// into one plane for each residue of the coordinates that a tap reads. Then the value that tap
// (r, s) contributes to output (y, x) stands at a distance from the plane's start that is a number
// for the tap plus y * pitch + x: a tile of consecutive outputs reads consecutive memory, whatever
// the stride, dilation and kernel, and nothing like an im2col matrix is built. In three dimensions
// a channel's planes lie one behind the other with planes of zeros around them; an output plane is
// then what an image is in two dimensions, the planes of the taps being more steps. Outputs are
// counted through the padded rows, so a few columns at the end of each row are computed for nothing
// and not written. Include from csrc/cpu/conv*.cpp only.
#pragma once

#include "cpu/step.h"
#include "kernels/conv.h"
#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {

constexpr int64_t kChunkBytes = 4 << 20;   // padded copies made at a time: they stay in the L3
constexpr int64_t kNearBytes = 256 << 10;  // what may stay in the L2 beside other data
constexpr int kSlack = 256;                // elements that a tile may read behind the last plane
constexpr int64_t kNoMemory = int64_t{1} << 50;

MG_INLINE int64_t round_up(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }

// a * b for sizes; kNoMemory, more than any machine has, if it is more.
MG_INLINE int64_t times(int64_t a, int64_t b) {
  int64_t c;
  return __builtin_mul_overflow(a, b, &c) || c > kNoMemory ? kNoMemory : c;
}

// ---- padded copies ----

// One axis of a plane and of its copy: element t of residue a is element
// t * stride + a * dilation % stride - pad of the plane, zero outside.
struct PaddedAxis {
  int64_t size, stride, pad, dilation;
  int64_t residues;  // that a tap reads: taps further apart than this read the same ones again
  int64_t length;    // of a residue
};

// Planes of a channel and of its copy: plane z of the copy is plane z - pad, zero outside.
struct PaddedDepth {
  int64_t size = 1, pad = 0, length = 1;
  bool plain() const { return pad == 0 && length == size; }
};

struct Padded {
  PaddedAxis y, x;
  int64_t plane;  // elements of all residues of a plane
  PaddedDepth z;
  int64_t volume;  // elements of all planes of a channel
};

MG_INLINE int64_t residues_of(int64_t taps, int64_t stride, int64_t dilation) {
  int64_t a = stride, b = dilation;  // stride / their greatest common divisor is the period
  while (b) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return min_of(taps, stride / a);
}

MG_INLINE Padded padded(const PaddedAxis& y, const PaddedAxis& x, const PaddedDepth& z) {
  const int64_t plane = times(times(y.residues, x.residues), times(y.length, x.length));
  return {y, x, plane, z, times(plane, z.length)};
}

// Whether there is but one plane.
MG_INLINE bool is_flat(const ConvShape& s) {
  return s.d == 1 && s.t == 1 && s.o == 1 && s.pad_d == 0;
}

// The layout of x for forward and to_weight.
MG_INLINE Padded layout_x(const ConvShape& s) {
  return padded({s.h, s.stride_h, s.pad_h, s.dilation_h, residues_of(s.r, s.stride_h, s.dilation_h),
                 s.p + (s.r - 1) * s.dilation_h / s.stride_h},
                {s.w, s.stride_w, s.pad_w, s.dilation_w, residues_of(s.s, s.stride_w, s.dilation_w),
                 s.q + (s.s - 1) * s.dilation_w / s.stride_w},
                {s.d, s.pad_d, (s.o - 1) * s.stride_d + (s.t - 1) * s.dilation_d + 1});
}

// Whether the copy would be the plane itself.
MG_INLINE bool is_plain(const PaddedAxis& a) {
  return a.stride == 1 && a.pad == 0 && a.length == a.size;
}
MG_INLINE bool is_plain(const Padded& l) { return is_plain(l.y) && is_plain(l.x) && l.z.plain(); }

// Where tap (r, t) of plane z begins in it.
MG_INLINE int64_t offset_x(const Padded& l, int64_t z, int64_t r, int64_t t) {
  const int64_t residue = r % l.y.residues * l.x.residues + t % l.x.residues;
  const int64_t row = residue * l.y.length + r * l.y.dilation / l.y.stride;
  return z * l.plane + row * l.x.length + t * l.x.dilation / l.x.stride;
}

// Where step k = (channel, tap in the depth, tap in a plane) begins.
MG_INLINE int64_t step_x(const Padded& l, const ConvShape& s, int64_t k) {
  const int64_t flat = k % (s.r * s.s), z = k / (s.r * s.s);
  return offset_x(l, z / s.t * l.z.length + z % s.t * s.dilation_d, flat / s.s, flat % s.s);
}

template <class T>
MG_INLINE void copy_residue(T* dst, const T* plane, const Padded& l, int64_t top, int64_t left) {
  const PaddedAxis &y = l.y, &x = l.x;
  const int64_t first = left >= 0 ? 0 : ceil_div(-left, x.stride);
  const int64_t u0 = min_of(first, x.length);
  const int64_t u1 =
      max_of(u0, min_of(x.length, x.size > left ? ceil_div(x.size - left, x.stride) : 0));
  for (int64_t t = 0; t < y.length; ++t, dst += x.length) {
    const int64_t at = t * y.stride + top;
    if (at < 0 || at >= y.size) {
      for (int64_t u = 0; u < x.length; ++u) dst[u] = 0;
      continue;
    }
    const T* row = plane + at * x.size;
    for (int64_t u = 0; u < u0; ++u) dst[u] = 0;
    if (x.stride == 1) {
      for (int64_t u = u0; u < u1; ++u) dst[u] = row[u + left];
    } else if (x.stride == 2) {
      if constexpr (sizeof(T) == 2) {
        for (int64_t u = u0; u < u1; ++u) dst[u] = row[u * 2 + left];
      } else {
        constexpr int L = Vec<T>::lanes;
        int64_t u = u0;
        for (; u + L <= u1; u += L) store(dst + u, load_step<2>(row + u * 2 + left));
        const int64_t n = u1 - u;
        if (n > 0) store_partial(dst + u, load_step_partial<2>(row + u * 2 + left, n), n);
      }
    } else {
      for (int64_t u = u0; u < u1; ++u) dst[u] = row[u * x.stride + left];
    }
    for (int64_t u = u1; u < x.length; ++u) dst[u] = 0;
  }
}

// Copies the planes of `channels` channels, each to l.plane elements or, if that is more, `pitch`;
// zeroes what lies between them and the slack behind the last.
template <class T>
MG_INLINE void copy_planes(T* dst, const T* src, int64_t channels, const Padded& l, int64_t pitch) {
  const int64_t count = channels * l.z.length;
  for (int i = 0; i < kSlack; ++i) dst[count * pitch + i] = 0;
  parallel_for(count, max_of(1, 16384 / pitch), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* to = dst + i * pitch;
      const int64_t z = i % l.z.length - l.z.pad;
      if (z < 0 || z >= l.z.size) {
        memset(to, 0, static_cast<size_t>(pitch) * sizeof(T));
        continue;
      }
      const T* from = src + (i / l.z.length * l.z.size + z) * l.y.size * l.x.size;
      for (int64_t a = 0; a < l.y.residues; ++a) {
        for (int64_t b = 0; b < l.x.residues; ++b, to += l.y.length * l.x.length) {
          copy_residue(to, from, l, a * l.y.dilation % l.y.stride - l.y.pad,
                       b * l.x.dilation % l.x.stride - l.x.pad);
        }
      }
      for (int64_t u = l.plane; u < pitch; ++u) dst[i * pitch + u] = 0;
    }
  });
}

// How many images of `elements` padded elements each are worked on at a time.
template <class T>
MG_INLINE int64_t images_of_chunk(int64_t n, int64_t elements) {
  return max_of(1, min_of(n, kChunkBytes / (elements * int64_t{sizeof(T)})));
}

// ---- workspace ----

template <class T>
struct Space {
  T* weight;        // packed
  int64_t* offset;  // of each step in a padded copy
  T* first;         // padded copies of a chunk of images
  T* second;        // to_weight only: g beside x
  int64_t bytes;
};

// Shares out the memory at `base`; with nullptr, says how many bytes are needed.
template <class T>
MG_INLINE Space<T> divide(void* base, int64_t weight, int64_t offsets, int64_t first,
                          int64_t second) {
  int64_t at = 0;
  const auto take = [&](int64_t bytes) {
    char* mine = base ? static_cast<char*>(base) + at : nullptr;
    at += round_up(bytes, 64);
    return mine;
  };
  Space<T> s;
  s.weight = reinterpret_cast<T*>(take(weight * int64_t{sizeof(T)}));
  s.offset = reinterpret_cast<int64_t*>(take(offsets * 8));
  s.first = reinterpret_cast<T*>(take((first + kSlack) * int64_t{sizeof(T)}));
  s.second = reinterpret_cast<T*>(take(second ? (second + kSlack) * int64_t{sizeof(T)} : 0));
  s.bytes = at;
  return s;
}

// ---- the product of forward and to_input ----

// T is of the planes, A of the packed weights, Out of bias and results.
template <class T, class A = T, class Out = T>
struct Correlation {
  const T* src;  // padded planes
  int64_t src_image, src_group;
  const A* a;             // packed weights, group by group
  const int64_t* offset;  // of each step
  int64_t steps, rows, groups, images;
  const Out* bias;  // (groups * rows) or nullptr
  Out* out;
  int64_t out_image, out_channel, out_row, out_column;  // strides
  int64_t height, width, pitch;                         // outputs; the source's row
};

// out[row] = bias[row] + sum over steps of a[step][row] * src[offset[step] + ...] in every place.
void correlate(const Correlation<float>& c);
void correlate(const Correlation<double>& c);

// Calls run(Correlation) for all images: at once if they have one plane, else image by image, its
// planes (`planes` of them, from_step and to_step apart) being what images are in two dimensions.
template <class C, class Run>
MG_INLINE void each_image(C c, int64_t planes, int64_t from_step, int64_t to_step, const Run& run) {
  if (planes == 1) return run(c);
  const int64_t images = c.images, from = c.src_image, to = c.out_image;
  c.images = planes;
  c.src_image = from_step;
  c.out_image = to_step;
  for (int64_t n = 0; n < images; ++n, c.src += from, c.out += to) run(c);
}

// The number of rows in a panel decides how the weights are packed.
int64_t panel_rows(int64_t rows);

// Calls body(first row, end) for each panel: a[panel][step][row of panel] is the packed weight.
template <class Body>
MG_INLINE void each_panel(int64_t rows, const Body& body) {
  const int64_t panels = ceil_div(rows, panel_rows(rows));
  for (int64_t panel = 0; panel < panels; ++panel) {
    body(panel * rows / panels, (panel + 1) * rows / panels);
  }
}

// ---- the same with the vectors along the channels (conv_channels.cpp) ----

#if defined(__AVX512F__)
constexpr int kTile = 14;  // places, by two vectors of channels: 28 of 32 registers
#else
constexpr int kTile = 6;
#endif

// sums[i][0 .. width) = (sums[i][..] if add) + sum over steps of from[i][offset[step]] *
// b[step][0 .. width) for kTile pointers; the width is one vector or two.
void gather_product(const float* const* from, const int64_t* offset, int64_t steps, const float* b,
                    int64_t width, bool add, float* sums);
void gather_product(const double* const* from, const int64_t* offset, int64_t steps,
                    const double* b, int64_t width, bool add, double* sums);

// The gradient to the weight of few channels: the places are cut in parts with sums of their own,
// added up at the end. All tasks then read different places, which stay in the L2 for all taps.
constexpr int64_t kSegment = 512;  // places added up at a time: their part of a panel is in the L2
constexpr int64_t kFewSums = 16384;

MG_INLINE int64_t cuts_of(int64_t sums, int64_t places) {
  return sums <= kFewSums ? max_of(1, min_of(8, places / kSegment)) : 1;
}

// sums[i] += what the other cuts have at i.
MG_INLINE void add_cuts(float* sums, int64_t n, int64_t cuts) {
  for (int64_t cut = 1; cut < cuts; ++cut) {
    for (int64_t i = 0; i < n; ++i) sums[i] += sums[cut * n + i];
  }
}
MG_INLINE void add_cuts(double* sums, int64_t n, int64_t cuts) {
  for (int64_t cut = 1; cut < cuts; ++cut) {
    for (int64_t i = 0; i < n; ++i) sums[i] += sums[cut * n + i];
  }
}

// correlate() for weights in panels of channels: a[group][panel][step][channel of panel].
void correlate_channels(const Correlation<float>& c);
void correlate_channels(const Correlation<double>& c);

constexpr int64_t kLongSum = 96;  // steps that pay for turning a tile to write it

// Whether vectors of channels are well filled.
template <class T>
MG_INLINE bool fills_vectors(int64_t rows) {
  return rows * 4 >= round_up(rows, Vec<T>::lanes) * 3;
}

// Elements of `rows` channels in panels, for one step.
template <class T>
MG_INLINE int64_t in_panels(int64_t rows) {
  return round_up(rows, Vec<T>::lanes);
}

// Calls body(panel's place, first channel, channels, width of the panel) for every panel of every
// group, in parallel.
template <class T, class Body>
MG_INLINE void each_channel_panel(int64_t groups, int64_t rows, int64_t steps, const Body& body) {
  constexpr int L = Vec<T>::lanes, W = 2 * L;
  const int64_t panels = ceil_div(rows, W);
  parallel_for(groups * panels, max_of(1, 32768 / (steps * W)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t group = i / panels, row = i % panels * W, count = min_of(W, rows - row);
      body((group * in_panels<T>(rows) + row) * steps, group * rows + row, count,
           int64_t{count > L ? W : L});
    }
  });
}

// ---- a kernel for each channel (conv_depthwise.cpp) ----

MG_INLINE bool is_depthwise(const ConvShape& s) {
  return s.groups == s.c && s.c == s.k && is_flat(s);
}

// Without a workspace; false, and nothing is done, where this form does not apply.
bool depthwise_forward(float* g, const float* x, const float* w, const float* bias,
                       const ConvShape& s);
bool depthwise_forward(double* g, const double* x, const double* w, const double* bias,
                       const ConvShape& s);
bool depthwise_strided_to_input(float* x, const float* g, const float* w, const float* bias,
                                const ConvShape& s);  // conv_depthwise_strided.cpp
bool depthwise_strided_to_input(double* x, const double* g, const double* w, const double* bias,
                                const ConvShape& s);
bool depthwise_to_input(float* x, const float* g, const float* w, const float* bias,
                        const ConvShape& s);
bool depthwise_to_input(double* x, const double* g, const double* w, const double* bias,
                        const ConvShape& s);
bool depthwise_to_weight(float* w, const float* x, const float* g, const ConvShape& s);
bool depthwise_to_weight(double* w, const double* x, const double* g, const ConvShape& s);

// The same for small planes, with the vectors along the channels (conv_depthwise_small.cpp); w
// turned about for the gradient of the input.
bool small_depthwise(float* g, const float* x, const float* w, const float* bias,
                     const ConvShape& s, bool turned);
bool small_depthwise(double* g, const double* x, const double* w, const double* bias,
                     const ConvShape& s, bool turned);
bool small_depthwise_to_weight(float* w, const float* x, const float* g, const ConvShape& s);
bool small_depthwise_to_weight(double* w, const double* x, const double* g, const ConvShape& s);

// ---- 3 x 3 with stride 1, by Winograd's transforms (conv_winograd.cpp), where that is quicker
// ---- Of float, and of bfloat16, which is widened on the way in and rounded on the way out.

bool winograd_forward_pays(const ConvShape& s);
int64_t winograd_forward_workspace(const ConvShape& s);
template <class T>
void winograd_forward(T* g, const T* x, const T* w, const T* bias, const ConvShape& s, void* base);
bool winograd_to_input_pays(const ConvShape& s);
int64_t winograd_to_input_workspace(const ConvShape& s);
template <class T>
void winograd_to_input(T* x, const T* g, const T* w, const T* bias, const ConvShape& s, void* base);

bool winograd_to_weight_pays(const ConvShape& s);
int64_t winograd_to_weight_workspace(const ConvShape& s);
template <class T>
void winograd_to_weight(T* w, const T* x, const T* g, const ConvShape& s, void* base);

// ---- the two gradients, and what each needs; csrc/cpu/conv.cpp has forward ----

template <class T>
void conv_to_input(T* x, const T* g, const T* w, const T* bias, const ConvShape& s, void* base);
template <class T>
int64_t conv_to_input_workspace(const ConvShape& s);
template <class T>
void conv_to_weight(T* w, const T* x, const T* g, const ConvShape& s, void* base);
template <class T>
int64_t conv_to_weight_workspace(const ConvShape& s);

}  // namespace mg::MG_ISA
