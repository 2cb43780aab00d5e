// Convolution's gradient to the weight: dot products along the outputs of several images, a block
// of output channels by a block of (input channel, tap) in registers.
#include "cpu/conv_core.h"
#include "cpu/transpose.h"
#include "kernels/gemm.h"

namespace mg::MG_ISA {

extern const GemmKernels kGemm;

namespace {

template <class T>
constexpr DType dtype_of() {
  return sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;
}

#if defined(__AVX512F__)
constexpr int kDotM = 5, kDotT = 5;
#else
constexpr int kDotM = 3, kDotT = 3;
#endif

// out[i][t] += sum over images and j of g[i][j] * x[offset[t] + j], for M channels and T taps.
template <class T, int M, int N>
void dots(T* out, int64_t out_row, const T* g, int64_t g_image, int64_t g_channel, const T* x,
          int64_t x_image, const int64_t* offset, int64_t images, int64_t length) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  V acc[M][N] = {};
  for (int64_t n = 0; n < images; ++n) {
    const T* from[N];
    for (int t = 0; t < N; ++t) from[t] = x + n * x_image + offset[t];
    const T* grad = g + n * g_image;
    for (int64_t j = 0; j < length; j += L) {
      V value[N];
#pragma GCC unroll 8
      for (int t = 0; t < N; ++t) value[t] = load(from[t] + j);
#pragma GCC unroll 8
      for (int i = 0; i < M; ++i) {
        const V y = load(grad + i * g_channel + j);
#pragma GCC unroll 8
        for (int t = 0; t < N; ++t) acc[i][t] = fma(y, value[t], acc[i][t]);
      }
    }
  }
  for (int i = 0; i < M; ++i) {
    for (int t = 0; t < N; ++t) out[i * out_row + t] += hsum(acc[i][t]);
  }
}

template <class T, int M, int N, class... Rest>
MG_INLINE void dots_n(int64_t n, Rest... rest) {
  if constexpr (N > 1) {
    if (n < N) return dots_n<T, M, N - 1>(n, rest...);
  }
  dots<T, M, N>(rest...);
}
template <class T, int M, class... Rest>
MG_INLINE void dots_m(int64_t m, int64_t n, Rest... rest) {
  if constexpr (M > 1) {
    if (m < M) return dots_m<T, M - 1>(m, n, rest...);
  }
  dots_n<T, M, kDotT>(n, rest...);
}

// The padded copies: x's, and g's rows at x's pitch with zeros in the columns between them.
template <class T>
struct Layouts {
  Padded x, g;
  int64_t length;  // of g's plane, in whole vectors
  int64_t volume;  // of g's planes
  int64_t chunk;   // images at a time
};

template <class T>
Layouts<T> layouts_of(const ConvShape& s) {
  Layouts<T> l;
  l.x = layout_x(s);
  l.g = padded({s.p, 1, 0, 1, 1, s.p}, {s.q, 1, 0, 1, 1, l.x.x.length}, {s.o, 0, s.o});
  l.length = round_up(l.g.plane, Vec<T>::lanes);
  l.volume = times(s.o, l.length);
  l.chunk = images_of_chunk<T>(s.n, times(s.c, l.x.volume) + times(s.k, l.volume));
  return l;
}

template <class T>
Space<T> space_of(void* base, const ConvShape& s, const Layouts<T>& l) {
  return divide<T>(base, 0, s.c / s.groups * s.t * s.r * s.s, l.chunk * times(s.c, l.x.volume),
                   l.chunk * times(s.k, l.volume));
}

// Calls body(first image, planes): once for all images if they have one plane, else for each.
template <class Body>
MG_INLINE void each_volume(int64_t images, int64_t planes, const Body& body) {
  if (planes == 1) return body(int64_t{0}, images);
  for (int64_t n = 0; n < images; ++n) body(n, planes);
}

// ---- with the vectors along the output channels: g turned to [panel][place][channel] ----

template <class T>
struct Channels {
  Padded x;
  int64_t rows, channels, steps, places, image;
  int64_t stored;  // rows in panels
  int64_t tiles;   // of taps
  int64_t chunk;
  int64_t sums, cuts;
  bool use, in_place;
};

template <class T>
Channels<T> channels_of(const ConvShape& s) {
  Channels<T> p;
  p.x = layout_x(s);
  p.rows = s.k / s.groups;
  p.channels = s.c / s.groups;
  p.steps = p.channels * s.t * s.r * s.s;
  p.places = s.o * s.p * s.q;
  p.image = times(s.c, p.x.volume);
  p.stored = in_panels<T>(p.rows);
  p.tiles = ceil_div(p.steps, kTile);
  p.use = fills_vectors<T>(p.rows) && p.steps >= 9;
  p.in_place = is_plain(p.x);
  p.chunk = images_of_chunk<T>(s.n, p.image + times(s.groups * p.stored, p.places));
  p.sums = s.groups * p.stored * p.tiles * kTile;
  p.cuts = cuts_of(p.sums, p.chunk * p.places);
  return p;
}

// A 1 x 1 kernel's gradient is a product of two matrices, and either may be the one that is turned:
// the smaller. The result then comes out turned as well.
template <class T>
bool turns_input(const ConvShape& s) {
  const int64_t rows = s.k / s.groups, channels = s.c / s.groups;
  return s.t * s.r * s.s == 1 && s.stride_d == 1 && is_plain(layout_x(s)) &&
         fills_vectors<T>(channels) && (channels < rows || !fills_vectors<T>(rows)) &&
         rows >= kTile;
}

// The same where each image is a large enough product of its own: of gemm.cpp, added up.
constexpr int64_t kProductPlaces = 128, kProductWork = 2 << 20;

MG_INLINE bool is_product(const ConvShape& s) {
  const int64_t places = s.h * s.w;
  return s.k >= s.c && s.t * s.r * s.s == 1 && is_flat(s) && is_plain(layout_x(s)) &&
         places >= kProductPlaces &&
         times(times(s.k / s.groups, s.c / s.groups), places) >= kProductWork;
}

MG_INLINE GemmArgs product_of(const ConvShape& s) {
  GemmArgs a = {};
  a.m = s.k / s.groups;
  a.n = s.c / s.groups;
  a.k = s.h * s.w;
  a.a_rs = a.b_cs = a.k;
  a.a_cs = a.b_rs = 1;
  a.c_rs = a.n;
  a.alpha = 1;
  return a;
}

template <class T>
void to_weight_by_products(T* w, const T* x, const T* g, const ConvShape& s, void* base) {
  GemmArgs a = product_of(s);
  a.workspace = base;
  for (int64_t n = 0; n < s.n; ++n) {
    for (int64_t group = 0; group < s.groups; ++group) {
      a.c = w + group * a.m * a.n;
      a.a = g + (n * s.groups + group) * a.m * a.k;
      a.b = x + (n * s.groups + group) * a.n * a.k;
      a.beta = n > 0;
      kGemm.run(a, dtype_of<T>(), dtype_of<T>());
    }
  }
}

ConvShape exchanged(const ConvShape& s) {
  ConvShape e = s;
  e.c = s.k;
  e.k = s.c;
  return e;
}

template <class T>
struct ChannelSpace {
  T *sums, *g, *x;
  int64_t* offset;
  int64_t bytes;
};

template <class T>
ChannelSpace<T> space_of(void* base, const ConvShape& s, const Channels<T>& p) {
  const Space<T> space =
      divide<T>(base, p.sums * p.cuts, p.chunk * p.places, p.in_place ? 0 : p.chunk * p.image,
                times(times(p.chunk, s.groups * p.stored), p.places));
  return {space.weight, space.second, space.first, space.offset, space.bytes};
}

constexpr int64_t kPiece = 64;

// g of some images to panels: [group][panel][image][place][channel of panel].
template <class T>
void turn_gradient(T* to, const T* g, const Channels<T>& p, int64_t groups, int64_t images) {
  constexpr int L = Vec<T>::lanes, W = 2 * L;
  const int64_t item = sizeof(T), places = p.places, panels = ceil_div(p.rows, W);
  parallel_for(
      groups * panels * images, max_of(1, 16384 / (places * W)), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t n = i % images, group = i / images / panels, row = i / images % panels * W;
          const int64_t count = min_of(W, p.rows - row), width = count > L ? W : L;
          T* panel = to + ((group * p.stored + row) * images + n * width) * places;
          if (count < width) memset(panel, 0, static_cast<size_t>(width * places * item));
          const T* from = g + ((n * groups + group) * p.rows + row) * places;
          // In pieces, the next one fetched meanwhile: so many rows at a time are not foreseen.
          for (int64_t at = 0; at < places; at += kPiece) {
            const int64_t length = min_of(kPiece, places - at);
            for (int64_t r = 0; r < count; ++r) {
              for (int64_t u = 0; u < kPiece; u += 64 / item) {
                __builtin_prefetch(from + r * places + at + kPiece + u, 0, 2);
              }
            }
            transpose(reinterpret_cast<char*>(panel + at * width), width * item,
                      reinterpret_cast<const char*>(from + at), places * item, length, count, item,
                      false);
          }
        }
      });
}

// sums[group][panel][tap][channel of panel] += what the images give. Tasks are a block of taps by
// a block of panels: what the taps read of a segment stays in the L2 for all the panels.
template <class T>
void add_images(const ConvShape& s, const Channels<T>& p, const ChannelSpace<T>& space, const T* x,
                int64_t images, bool first) {
  constexpr int L = Vec<T>::lanes, W = 2 * L;
  const int64_t all = ceil_div(p.rows, W), length = images * p.places;
  int64_t block = min_of(p.tiles, 16), panels = min_of(all, 16);
  while (p.cuts * s.groups * ceil_div(all, panels) * ceil_div(p.tiles, block) < 16 &&
         block * panels > 1) {
    if (panels > 1) {
      panels = ceil_div(panels, 2);
    } else {
      block = ceil_div(block, 2);
    }
  }
  const int64_t blocks = ceil_div(p.tiles, block), parts = ceil_div(all, panels);
  const int64_t segments = ceil_div(length, kSegment);
  const auto add = [&](int64_t cut, int64_t group, int64_t panel, int64_t tile, int64_t j) {
    const T* planes = x + group * p.channels * p.x.volume;
    const T* from[kTile];
    for (int i = 0; i < kTile; ++i) {
      from[i] = planes + step_x(p.x, s, min_of(tile * kTile + i, p.steps - 1));
    }
    const int64_t row = panel * W, width = p.rows - row > L ? W : L;
    const T* g = space.g + (group * p.stored + row) * length + j * width;
    T* sums =
        space.sums + cut * p.sums + ((group * p.stored + row) * p.tiles + tile * width) * kTile;
    gather_product(from, space.offset + j, min_of(kSegment, length - j), g, width,
                   !first || j > cut * segments / p.cuts * kSegment, sums);
  };
  const int64_t cost = block * panels * kTile * W * ceil_div(length, p.cuts);
  parallel_for(p.cuts * s.groups * blocks * parts, max_of(1, (1 << 20) / cost),
               [&](int64_t begin, int64_t end) {
                 for (int64_t task = begin; task < end; ++task) {
                   const int64_t cut = task % p.cuts, group = task / p.cuts / parts / blocks;
                   const int64_t tile0 = task / p.cuts / parts % blocks * block;
                   const int64_t panel0 = task / p.cuts % parts * panels;
                   const int64_t last = min_of(length, (cut + 1) * segments / p.cuts * kSegment);
                   for (int64_t j = cut * segments / p.cuts * kSegment; j < last; j += kSegment) {
                     for (int64_t panel = panel0; panel < min_of(panel0 + panels, all); ++panel) {
                       for (int64_t tile = tile0; tile < min_of(tile0 + block, p.tiles); ++tile) {
                         add(cut, group, panel, tile, j);
                       }
                     }
                   }
                 }
               });
}

template <class T>
void to_weight_by_channels(T* w, const T* x, const T* g, const ConvShape& s, const Channels<T>& p,
                           bool exchanged, void* base) {
  const ChannelSpace<T> space = space_of<T>(base, s, p);
  for (int64_t n = 0, j = 0; n < min_of(p.chunk, s.n); ++n) {
    for (int64_t z = 0; z < s.o; ++z) {
      const int64_t plane = n * p.image + z * s.stride_d * p.x.plane;
      for (int64_t y = 0; y < s.p; ++y) {
        for (int64_t q = 0; q < s.q; ++q) space.offset[j++] = plane + y * p.x.x.length + q;
      }
    }
  }
  for (int64_t n = 0; n < s.n; n += p.chunk) {
    const int64_t images = min_of(p.chunk, s.n - n);
    const T* planes = x + n * s.c * s.d * s.h * s.w;
    if (!p.in_place) {
      copy_planes(space.x, planes, images * s.c, p.x, p.x.plane);
      planes = space.x;
    }
    turn_gradient(space.g, g + n * s.k * p.places, p, s.groups, images);
    add_images(s, p, space, planes, images, n == 0);
  }
  add_cuts(space.sums, p.sums, p.cuts);
  const int64_t item = sizeof(T), depth = p.tiles * kTile;
  each_channel_panel<T>(
      s.groups, p.rows, depth, [&](int64_t at, int64_t row, int64_t count, int64_t width) {
        const T* sums = space.sums + at;
        if (exchanged) {
          T* to = w + row / p.rows * p.steps * p.rows + row % p.rows;
          for (int64_t i = 0; i < p.steps; ++i) {
            for (int64_t j = 0; j < count; ++j) to[i * p.rows + j] = sums[i * width + j];
          }
          return;
        }
        transpose(reinterpret_cast<char*>(w + row * p.steps), p.steps * item,
                  reinterpret_cast<const char*>(sums), width * item, count, p.steps, item, false);
      });
}

}  // namespace

template <class T>
int64_t conv_to_weight_workspace(const ConvShape& s) {
  if constexpr (sizeof(T) == 4) {
    if (winograd_to_weight_pays(s)) return winograd_to_weight_workspace(s);
  }
  if (is_product(s)) return kGemm.workspace(product_of(s), dtype_of<T>(), dtype_of<T>());
  if (turns_input<T>(s)) {
    const ConvShape e = exchanged(s);
    return space_of<T>(nullptr, e, channels_of<T>(e)).bytes;
  }
  const Channels<T> p = channels_of<T>(s);
  if (p.use) return space_of<T>(nullptr, s, p).bytes;
  return space_of<T>(nullptr, s, layouts_of<T>(s)).bytes;
}

template <class T>
void conv_to_weight(T* w, const T* x, const T* g, const ConvShape& s, void* base) {
  if (depthwise_to_weight(w, x, g, s)) return;
  if constexpr (sizeof(T) == 4) {
    if (winograd_to_weight_pays(s)) return winograd_to_weight(w, x, g, s, base);
  }
  if (is_product(s) && s.n > 0) return to_weight_by_products(w, x, g, s, base);
  if (turns_input<T>(s) && s.n > 0) {
    const ConvShape e = exchanged(s);
    return to_weight_by_channels(w, g, x, e, channels_of<T>(e), true, base);
  }
  const Channels<T> p = channels_of<T>(s);
  if (p.use && s.n > 0) return to_weight_by_channels(w, x, g, s, p, false, base);
  const Layouts<T> both = layouts_of<T>(s);
  const Padded& l = both.x;
  const int64_t channels = s.c / s.groups, rows = s.k / s.groups;
  const int64_t steps = channels * s.t * s.r * s.s;
  const int64_t length = both.length, volume = both.volume, chunk = both.chunk;
  const Space<T> space = space_of<T>(base, s, both);
  for (int64_t k = 0; k < steps; ++k) space.offset[k] = step_x(l, s, k);
  for (int64_t i = 0; i < s.k * steps; ++i) w[i] = 0;
  const int64_t blocks_m = ceil_div(rows, kDotM), blocks_t = ceil_div(steps, kDotT);
  for (int64_t n = 0; n < s.n; n += chunk) {
    const int64_t images = min_of(chunk, s.n - n);
    copy_planes(space.first, x + n * s.c * s.d * s.h * s.w, images * s.c, l, l.plane);
    copy_planes(space.second, g + n * s.k * s.o * s.p * s.q, images * s.k, both.g, length);
    // Tasks are tiles of blocks whose rows of g and planes of x stay in the L2 together.
    int64_t tile_m = kNearBytes / (kDotM * images * volume * int64_t{sizeof(T)});
    int64_t tile_t =
        kNearBytes / (images * l.volume * int64_t{sizeof(T)}) * s.t * s.r * s.s / kDotT;
    tile_m = max_of(1, min_of(tile_m, blocks_m));
    tile_t = max_of(1, min_of(tile_t, blocks_t));
    while (s.groups * ceil_div(blocks_m, tile_m) * ceil_div(blocks_t, tile_t) < 8 &&
           tile_m * tile_t > 1) {
      if (tile_m > tile_t) {
        tile_m = ceil_div(tile_m, 2);
      } else {
        tile_t = ceil_div(tile_t, 2);
      }
    }
    const int64_t tiles_m = ceil_div(blocks_m, tile_m), tiles_t = ceil_div(blocks_t, tile_t);
    const int64_t cost = images * volume * kDotM * kDotT * tile_m * tile_t;
    parallel_for(
        s.groups * tiles_m * tiles_t, max_of(1, (1 << 19) / cost), [&](int64_t begin, int64_t end) {
          for (int64_t task = begin; task < end; ++task) {
            const int64_t group = task / tiles_t / tiles_m;
            const int64_t m0 = task / tiles_t % tiles_m * tile_m, n0 = task % tiles_t * tile_t;
            for (int64_t bt = n0; bt < min_of(n0 + tile_t, blocks_t); ++bt) {
              const int64_t t0 = bt * steps / blocks_t, t1 = (bt + 1) * steps / blocks_t;
              for (int64_t bm = m0; bm < min_of(m0 + tile_m, blocks_m); ++bm) {
                const int64_t i0 = bm * rows / blocks_m, i1 = (bm + 1) * rows / blocks_m;
                const int64_t row = group * rows + i0;
                each_volume(images, s.o, [&](int64_t image, int64_t count) {
                  const T* planes = space.first + (image * s.c + group * channels) * l.volume;
                  dots_m<T, kDotM>(i1 - i0, t1 - t0, w + row * steps + t0, steps,
                                   space.second + (image * s.k + row) * volume,
                                   s.o == 1 ? s.k * length : length, volume, planes,
                                   s.o == 1 ? s.c * l.volume : s.stride_d * l.plane,
                                   space.offset + t0, count, length);
                });
              }
            }
          }
        });
  }
}

template void conv_to_weight<float>(float*, const float*, const float*, const ConvShape&, void*);
template void conv_to_weight<double>(double*, const double*, const double*, const ConvShape&,
                                     void*);
template int64_t conv_to_weight_workspace<float>(const ConvShape&);
template int64_t conv_to_weight_workspace<double>(const ConvShape&);

}  // namespace mg::MG_ISA
