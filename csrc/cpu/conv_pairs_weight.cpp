// Convolution of bfloat16 by products of pairs: the gradient to the weight. The pairs are
// neighbouring places of a row, as they lie in memory; the loops are conv_weight.cpp's.
#include "cpu/conv_pairs.h"

namespace mg::MG_ISA {
namespace {

struct WeightPlan {
  Padded x;
  int64_t rows, channels, steps, image;
  int64_t row, places;  // pairs in a row of g, in an image
  int64_t stored, tiles, chunk;
};

WeightPlan weight_plan(const ConvShape& s) {
  WeightPlan p;
  p.x = layout_x(s);
  p.rows = s.k / s.groups;
  p.channels = s.c / s.groups;
  p.steps = p.channels * s.t * s.r * s.s;
  p.image = times(s.c, p.x.volume);
  p.row = ceil_div(s.q, 2);
  p.places = s.o * s.p * p.row;
  p.stored = in_panels<float>(p.rows);
  p.tiles = ceil_div(p.steps, kTile);
  p.chunk = images_of_chunk<float>(s.n, p.image / 2 + times(s.groups * p.stored, p.places));
  return p;
}

struct WeightSpace {
  float* sums;
  int64_t* offset;
  uint16_t* x;
  uint32_t* g;
  int64_t bytes;
};

WeightSpace space_of(void* base, const ConvShape& s, const WeightPlan& p) {
  const Space<float> space = divide<float>(base, s.groups * p.stored * p.tiles * kTile,
                                           p.chunk * p.places, ceil_div(p.chunk * p.image, 2),
                                           times(times(p.chunk, s.groups * p.stored), p.places));
  return {space.weight, space.offset, reinterpret_cast<uint16_t*>(space.first),
          reinterpret_cast<uint32_t*>(space.second), space.bytes};
}

// g of some images to panels of pairs: [group][panel][image][row][pair][channel of panel].
void turn_gradient(uint32_t* to, const bfloat16* g, const ConvShape& s, const WeightPlan& p,
                   int64_t images) {
  constexpr int W = 2 * kF;
  const int64_t panels = ceil_div(p.rows, W), channel = s.o * s.p * s.q;
  const bool odd = s.q % 2;
  const int64_t lines = odd ? s.o * s.p : 1, line = odd ? s.q : channel;
  parallel_for(
      s.groups * panels * images, max_of(1, 16384 / (p.places * W)),
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t n = i % images, group = i / images / panels, row = i / images % panels * W;
          const int64_t count = min_of(W, p.rows - row), width = count > kF ? W : kF;
          uint32_t* panel = to + ((group * p.stored + row) * images + n * width) * p.places;
          if (count < width) memset(panel, 0, static_cast<size_t>(width * p.places) * 4);
          const bfloat16* from = g + ((n * s.groups + group) * p.rows + row) * channel;
          for (int64_t y = 0; y < lines; ++y, from += line) {
            transpose(reinterpret_cast<char*>(panel), width * 4,
                      reinterpret_cast<const char*>(from), channel * 2, line / 2, count, 4, false);
            panel += line / 2 * width;
            if (!odd) continue;
            for (int64_t j = 0; j < count; ++j) panel[j] = from[j * channel + line - 1].bits;
            panel += width;
          }
        }
      });
}

// sums[group][panel][tap][channel of panel] += what the images give.
void add_images(const ConvShape& s, const WeightPlan& p, const WeightSpace& space, int64_t images,
                bool first) {
  constexpr int W = 2 * kF;
  const int64_t all = ceil_div(p.rows, W), length = images * p.places;
  int64_t block = min_of(p.tiles, 16), panels = min_of(all, 16);
  while (s.groups * ceil_div(all, panels) * ceil_div(p.tiles, block) < 16 && block * panels > 1) {
    if (panels > 1) {
      panels = ceil_div(panels, 2);
    } else {
      block = ceil_div(block, 2);
    }
  }
  const int64_t blocks = ceil_div(p.tiles, block), parts = ceil_div(all, panels);
  const auto add = [&](int64_t group, int64_t panel, int64_t tile, int64_t j) {
    const uint16_t* from[kTile];
    for (int i = 0; i < kTile; ++i) {
      from[i] = space.x + group * p.channels * p.x.volume +
                step_x(p.x, s, min_of(tile * kTile + i, p.steps - 1));
    }
    const int64_t row = panel * W, width = p.rows - row > kF ? W : kF;
    gather_pairs(from, space.offset + j, min_of(kSegment, length - j),
                 space.g + (group * p.stored + row) * length + j * width, width, !first || j > 0,
                 space.sums + ((group * p.stored + row) * p.tiles + tile * width) * kTile, from[0]);
  };
  const int64_t cost = block * panels * kTile * W * length;
  parallel_for(
      s.groups * blocks * parts, max_of(1, (1 << 20) / cost), [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t group = task / parts / blocks;
          const int64_t tile0 = task / parts % blocks * block, panel0 = task % parts * panels;
          for (int64_t j = 0; j < length; j += kSegment) {
            for (int64_t panel = panel0; panel < min_of(panel0 + panels, all); ++panel) {
              for (int64_t tile = tile0; tile < min_of(tile0 + block, p.tiles); ++tile) {
                add(group, panel, tile, j);
              }
            }
          }
        }
      });
}

}  // namespace

int64_t pairs_to_weight_workspace(const ConvShape& s) {
  return space_of(nullptr, s, weight_plan(s)).bytes;
}

void pairs_to_weight(bfloat16* w, const bfloat16* x, const bfloat16* g, const ConvShape& s,
                     void* base) {
  const WeightPlan p = weight_plan(s);
  const WeightSpace space = space_of(base, s, p);
  for (int64_t n = 0, j = 0; n < min_of(p.chunk, s.n); ++n) {
    for (int64_t z = 0; z < s.o; ++z) {
      const int64_t plane = n * p.image + z * s.stride_d * p.x.plane;
      for (int64_t y = 0; y < s.p; ++y) {
        for (int64_t q = 0; q < p.row; ++q) space.offset[j++] = plane + y * p.x.x.length + 2 * q;
      }
    }
  }
  for (int64_t n = 0; n < s.n; n += p.chunk) {
    const int64_t images = min_of(p.chunk, s.n - n);
    copy_planes(space.x, reinterpret_cast<const uint16_t*>(x) + n * s.c * s.d * s.h * s.w,
                images * s.c, p.x, p.x.plane);
    turn_gradient(space.g, g + n * s.k * s.o * s.p * s.q, s, p, images);
    add_images(s, p, space, images, n == 0);
  }
  each_channel_panel<float>(s.groups, p.rows, p.tiles * kTile,
                            [&](int64_t at, int64_t row, int64_t count, int64_t width) {
                              for (int64_t i = 0; i < p.steps; i += kF) {
                                const int64_t steps = min_of(kF, p.steps - i);
                                for (int64_t k = 0; k < count; k += kF) {
                                  vf v[kF] = {};
                                  const float* from = space.sums + at + i * width + k;
                                  for (int64_t j = 0; j < steps; ++j) v[j] = load(from + j * width);
                                  turn(v);
                                  bfloat16* to = w + (row + k) * p.steps + i;
                                  for (int64_t j = 0; j < min_of(kF, count - k); ++j) {
                                    store_partial(to + j * p.steps, v[j], steps);
                                  }
                                }
                              }
                            });
}

}  // namespace mg::MG_ISA
