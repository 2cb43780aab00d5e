// Convolution as a matrix product whose operands are gathered as they are read: nothing is copied
// or laid out anew. Images are (n, channels, pixels) as everywhere in the project; a tile's lanes
// run along the pixels, so that their reads and writes lie side by side. (Channels last would need
// a copy of each operand before and of the result after.)
//
//   forward    out[k, pixel of g]  = sum over taps (c, t, r, s)   w[k, tap] x[pixel, tap]
//   to input   out[c, pixel of x]  = sum over taps (k, t, r, s)   w[c, tap] g[pixel, tap]
//   to weight  out[k, tap]         = sum over pixels of g         g[k, pixel] x[pixel, tap]
//
// Groups are the batch of the product.
//
// What it costs by mma.sync on an H200 (reckoned, not measured): a stage of 64 x 128 x 32 elements
// of 16 bits is 0.5 MFLOP, 206 cycles of a multiprocessor's matrix units at 62 % of 4096 FLOP a
// cycle. The 12 KiB it gathers are no limit, but finding them is: forward about 1100 instructions a
// warp and stage (as compiled for 9.0a; the gradient to the weight 1300), 2200 cycles for eight
// warps on four schedulers, 24 loads among them: some 9 % of the matrix units' rate. A thread's
// pixel (or tap) is split once a tile, what runs along k once a chunk and then counted on; the 32
// taps of a stage in a table in shared memory, made a stage ahead, are what to do next. 80 to 120
// registers, 46 KiB: two or three blocks of 256 threads a multiprocessor.
#pragma once

#include "cuda/gemm_core.cuh"
#include "cuda/gemm_mma_core.cuh"
#include "cuda/gemm_simt_core.cuh"

namespace mg::cuda {

// n / divisor by a multiplication, for 0 <= n < 2^31.
struct FastDivide {
  uint32_t divisor = 1, multiplier = 0, shift = 0;

  FastDivide() = default;
  explicit FastDivide(int64_t by) : divisor(static_cast<uint32_t>(by)) {
    while ((uint64_t{1} << shift) < divisor) ++shift;
    multiplier = static_cast<uint32_t>(
        ((uint64_t{1} << 32) * ((uint64_t{1} << shift) - divisor)) / divisor + 1);
  }
  MG_DEVICE int quotient(int n) const {
    const uint32_t x = static_cast<uint32_t>(n);
    return static_cast<int>((__umulhi(x, multiplier) + x) >> shift);
  }
  // n = result * divisor + *rest.
  MG_DEVICE int split(int n, int* rest) const {
    const int q = quotient(n);
    *rest = n - q * static_cast<int>(divisor);
    return q;
  }
};

// A number written as (outer, depth, row, column) of an array whose last three sizes these are.
struct FastPlaces {
  struct Number {
    int outer, place[3];
  };
  FastDivide volume, plane, row;
  int size[3];

  FastPlaces() = default;
  FastPlaces(int64_t depths, int64_t rows, int64_t columns)
      : volume(depths * rows * columns),
        plane(rows * columns),
        row(columns),
        size{static_cast<int>(depths), static_cast<int>(rows), static_cast<int>(columns)} {}
  MG_DEVICE Number split(int n) const {
    Number result;
    int rest;
    result.outer = volume.split(n, &rest);
    result.place[0] = plane.split(rest, &rest);
    result.place[1] = row.split(rest, &result.place[2]);
    return result;
  }
  // The number that follows, without a division.
  MG_DEVICE void next(Number* n) const {
    int carry = 1;
#pragma unroll
    for (int i = 2; i >= 0; --i) {
      const int to = n->place[i] + carry;
      carry = to == size[i];
      n->place[i] = carry ? 0 : to;
    }
    n->outer += carry;
  }
};

// A pixel of one image, or a tap: what it adds to a place along each dimension of the other image,
// and to the offset of its element.
struct Place {
  int64_t offset;
  int at[3];
};

// The element of the image that a tap at a pixel reads. kBackwards: from an image of g for a pixel
// of x, where the strides must divide evenly.
template <class T, bool kBackwards>
struct Patches {
  const T* data;
  int channels;       // of the whole image
  int of_group;       // of a group: those that the taps run over
  int size[3];        // of the image that is read
  int volume;         // their product
  bool linear;        // the sum of two offsets is one: not where strides divide
  FastPlaces pixels;  // of the other image
  FastPlaces taps;
  int stride[3], pad[3], dilation[3];
  FastDivide by_stride[3];
  int pixel_count, tap_count;

  MG_DEVICE void at(const Patches& given, int64_t group) {
    *this = given;
    data += group * of_group * volume;
  }
  MG_DEVICE Place pixel(const FastPlaces::Number& n) const {
    Place p;
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      p.at[i] = kBackwards ? n.place[i] + pad[i] : n.place[i] * stride[i] - pad[i];
    }
    p.offset = offset_of(static_cast<int64_t>(n.outer) * channels, p.at);
    return p;
  }
  MG_DEVICE Place tap(const FastPlaces::Number& n) const {
    Place p;
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      p.at[i] = kBackwards ? -n.place[i] * dilation[i] : n.place[i] * dilation[i];
    }
    p.offset = offset_of(n.outer, p.at);
    return p;
  }
  // One with which nothing is found.
  MG_DEVICE static Place nowhere() { return {0, {0, 0, -(1 << 30)}}; }
  // nullptr where it would lie beside the image.
  MG_DEVICE const T* find(const Place& pixel, const Place& tap) const {
    int to[3];
#pragma unroll
    for (int i = 0; i < 3; ++i) to[i] = pixel.at[i] + tap.at[i];
    int64_t offset = pixel.offset + tap.offset;
    if constexpr (kBackwards) {
      if (!linear) {
#pragma unroll
        for (int i = 0; i < 3; ++i) {
          if (to[i] < 0) return nullptr;
          int rest;
          to[i] = by_stride[i].split(to[i], &rest);
          if (rest) return nullptr;
        }
        offset += (to[0] * size[1] + to[1]) * size[2] + to[2];
      }
    }
    bool inside = true;
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      inside = inside && static_cast<uint32_t>(to[i]) < static_cast<uint32_t>(size[i]);
    }
    return inside ? data + offset : nullptr;
  }
  MG_DEVICE const T* find(int pixel_number, int tap_number) const {
    return find(pixel(pixels.split(pixel_number)), tap(taps.split(tap_number)));
  }
  MG_DEVICE T read(int pixel_number, int tap_number) const {
    const T* found = find(pixel_number, tap_number);
    return found ? *found : T();
  }

 private:
  MG_DEVICE int64_t offset_of(int64_t outer, const int (&to)[3]) const {
    return outer * volume + (linear ? (to[0] * size[1] + to[1]) * size[2] + to[2] : 0);
  }
};

// What a gathered operand reads, or 0.
template <class Operand>
MG_DEVICE typename Operand::Element element_of(const Operand& x, int o, int k, int depth) {
  const typename Operand::Element* found = x.find(o, k, depth);
  return found ? *found : typename Operand::Element();
}

// Patches as an operand whose columns are pixels and whose k is the taps.
template <class T, bool kBackwards>
struct PixelOperand : Patches<T, kBackwards> {
  using Element = T;
  using Anchor = Place;
  using Cursor = FastPlaces::Number;
  static constexpr bool kLanesAlongK = false;
  MG_DEVICE Anchor anchor(int o) const {
    return o < this->pixel_count ? this->pixel(this->pixels.split(o)) : this->nowhere();
  }
  MG_DEVICE Cursor cursor(int k) const { return this->taps.split(k); }
  MG_DEVICE void next(Cursor* c) const { this->taps.next(c); }
  MG_DEVICE const T* look(const Anchor& a, const Cursor& c) const {
    return Patches<T, kBackwards>::find(a, this->tap(c));
  }
  MG_DEVICE const T* find(int o, int k, int depth) const {
    return o < this->pixel_count && k < depth ? Patches<T, kBackwards>::find(o, k) : nullptr;
  }
};
// The other way round: columns are taps, k the pixels.
template <class T>
struct TapOperand : Patches<T, false> {
  using Element = T;
  using Anchor = Place;
  using Cursor = FastPlaces::Number;
  static constexpr bool kLanesAlongK = true;
  MG_DEVICE Anchor anchor(int o) const {
    return o < this->tap_count ? this->tap(this->taps.split(o)) : this->nowhere();
  }
  MG_DEVICE Cursor cursor(int k) const { return this->pixels.split(k); }
  MG_DEVICE void next(Cursor* c) const { this->pixels.next(c); }
  MG_DEVICE const T* look(const Anchor& a, const Cursor& c) const {
    return Patches<T, false>::find(this->pixel(c), a);
  }
  MG_DEVICE const T* find(int o, int k, int depth) const {
    return o < this->tap_count && k < depth ? Patches<T, false>::find(k, o) : nullptr;
  }
};

// Two steps to an element: k is (outer, inner) with `inner` neighbours. The weight seen from its
// input channels, and g with a row for each channel.
template <class T>
struct BlockedOperand {
  using Element = T;
  using Anchor = const T*;
  struct Cursor {
    int outer, rest;
  };
  static constexpr bool kLanesAlongK = true;
  const T* data;
  int64_t row, block, group;  // strides
  int extent;
  FastDivide inner;

  MG_DEVICE void at(const BlockedOperand& given, int64_t index) {
    *this = given;
    data += index * group;
  }
  MG_DEVICE Anchor anchor(int o) const { return o < extent ? data + o * row : nullptr; }
  MG_DEVICE Cursor cursor(int k) const {
    Cursor c;
    c.outer = inner.split(k, &c.rest);
    return c;
  }
  MG_DEVICE void next(Cursor* c) const {
    const bool carry = ++c->rest == static_cast<int>(inner.divisor);
    c->rest = carry ? 0 : c->rest;
    c->outer += carry;
  }
  MG_DEVICE const T* look(const Anchor& a, const Cursor& c) const {
    return a ? a + (c.outer * block + c.rest) : nullptr;
  }
  MG_DEVICE const T* find(int o, int k, int depth) const {
    if (o >= extent || k >= depth) return nullptr;
    int rest;
    const int outer = inner.split(k, &rest);
    return data + o * row + outer * block + rest;
  }
};

// Images (n, channels, pixels): a row for each channel of the group, a column for each pixel.
template <class Sum>
struct ImageOutput {
  using Accumulator = Sum;
  MatrixOutput<Sum> to;  // its data, bias and dtype
  int channels, of_group;
  FastDivide pixels;
  int first = 0;  // channel of the group

  MG_DEVICE void at(const ImageOutput& given, int64_t group) {
    to.at(given.to, 0);
    channels = given.channels;
    of_group = given.of_group;
    pixels = given.pixels;
    first = static_cast<int>(group) * of_group;
  }
  MG_DEVICE void store(int row, int column, Sum sum) const {
    int pixel;
    const int image = pixels.split(column, &pixel), channel = first + row;
    if (to.bias) sum += to.read(to.bias, channel);
    to.write((static_cast<int64_t>(image) * channels + channel) * pixels.divisor + pixel, sum);
  }
  MG_DEVICE void store(int row, int column, int count, const Pack<Sum, 4>& sums) const {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (j < count) store(row, column + j, sums.v[j]);
    }
  }
};

// Gathered operands on their way to the tiles of the ordinary kernel.
template <class Operand, class Sum, int kExtent, int kDepth, int kThreads>
struct Fetcher {
  static constexpr int kItems = kExtent * kDepth / kThreads;
  typename Operand::Element item[kItems];

  MG_DEVICE static void place(int i, int* o, int* k) {
    const int at = threadIdx.x + i * kThreads;
    *k = Operand::kLanesAlongK ? at % kDepth : at / kExtent;
    *o = Operand::kLanesAlongK ? at / kDepth : at % kExtent;
  }
  MG_DEVICE void get(const Operand& x, int first, int k0, int depth) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      int o, k;
      place(i, &o, &k);
      item[i] = element_of(x, first + o, k0 + k, depth);
    }
  }
  template <class Row>
  MG_DEVICE void put(const Operand&, Row* tile) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      int o, k;
      place(i, &o, &k);
      tile[k][o] = widened<Sum>(item[i]);
    }
  }
};

// And to the stages of the matrix units' kernel, a chunk of k at a time. Elements of 4 bytes are
// copied asynchronously; those of 2, which are too small for that, are held in registers while the
// tile before them is multiplied.
template <class Operand, class Stage, bool kAlongK, int kExtent, int kThreads>
struct Filler {
  using T = typename Operand::Element;
  static constexpr int kChunk = Stage::kChunk, kRowChunks = Stage::kDepth / kChunk;
  static constexpr int kItems = kExtent * kRowChunks / kThreads;
  static_assert(kAlongK, "gathered operands lie along k in shared memory");
  static_assert(kItems * kThreads == kExtent * kRowChunks, "every thread has as many chunks");
  // A thread's rows (columns) are the same in every stage: what is known of them is kept.
  static constexpr int kAnchors = Operand::kLanesAlongK ? kItems : 1;
  static_assert(Operand::kLanesAlongK || kThreads % kExtent == 0, "one column for each thread");
  typename Operand::Anchor anchors[kAnchors];
  Pack<T, kChunk> held[sizeof(T) == 2 ? kItems : 1];

  MG_DEVICE void begin(const Operand& x, int first) {
#pragma unroll
    for (int i = 0; i < kAnchors; ++i) {
      int o, k;
      place(i, &o, &k);
      anchors[i] = x.anchor(first + o);
    }
  }

  MG_DEVICE static void place(int item, int* o, int* k) {
    const int i = threadIdx.x + item * kThreads;
    *o = Operand::kLanesAlongK ? i / kRowChunks : i % kExtent;
    *k = (Operand::kLanesAlongK ? i % kRowChunks : i / kExtent) * kChunk;
  }
  MG_DEVICE void fetch(const Operand& x, T* stage, int, int k0, int depth) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      int o, k;
      place(i, &o, &k);
      typename Operand::Cursor cursor = x.cursor(k0 + k);
#pragma unroll
      for (int j = 0; j < kChunk; ++j) {
        const bool exists = k0 + k + j < depth;
        const T* found = exists ? x.look(anchors[kAnchors == 1 ? 0 : i], cursor) : nullptr;
        x.next(&cursor);
        if constexpr (sizeof(T) == 4) {
          async_copy<4>(Stage::at(stage, o, k) + j, found ? found : x.data, found ? 4 : 0);
        } else {
          held[i].v[j] = found ? *found : T();
        }
      }
    }
  }
  MG_DEVICE void put(T* stage) const {
    if constexpr (sizeof(T) == 2) {
#pragma unroll
      for (int i = 0; i < kItems; ++i) {
        int o, k;
        place(i, &o, &k);
        *reinterpret_cast<Pack<T, kChunk>*>(Stage::at(stage, o, k)) = held[i];
      }
    }
  }
};

// What the forms of a convolution are told.
struct Convolution {
  ConvShape shape;
  DType dtype;
  void* out;
  const void *a, *b;  // as the contract orders them
  const void* bias;
  void* workspace;
  int64_t workspace_bytes;
  Stream stream;
};

template <class T, bool kBackwards>
void fill_patches(const ConvShape& s, const void* image, Patches<T, kBackwards>* p) {
  const int64_t x_channels = s.c / s.groups, g_channels = s.k / s.groups;
  p->data = static_cast<const T*>(image);
  p->channels = static_cast<int>(kBackwards ? s.k : s.c);
  p->of_group = static_cast<int>(kBackwards ? g_channels : x_channels);
  const int64_t x_size[3] = {s.d, s.h, s.w}, g_size[3] = {s.o, s.p, s.q};
  const int64_t stride[3] = {s.stride_d, s.stride_h, s.stride_w};
  const int64_t pad[3] = {s.pad_d, s.pad_h, s.pad_w};
  const int64_t dilation[3] = {s.dilation_d, s.dilation_h, s.dilation_w};
  for (int i = 0; i < 3; ++i) {
    p->size[i] = static_cast<int>(kBackwards ? g_size[i] : x_size[i]);
    p->stride[i] = static_cast<int>(stride[i]);
    p->pad[i] = static_cast<int>(pad[i]);
    p->dilation[i] = static_cast<int>(dilation[i]);
    p->by_stride[i] = FastDivide(stride[i]);
  }
  p->volume = p->size[0] * p->size[1] * p->size[2];
  p->linear = !kBackwards || (stride[0] == 1 && stride[1] == 1 && stride[2] == 1);
  const int64_t* other = kBackwards ? x_size : g_size;
  p->pixels = FastPlaces(other[0], other[1], other[2]);
  p->taps = FastPlaces(s.t, s.r, s.s);
  p->pixel_count = static_cast<int>(s.n * other[0] * other[1] * other[2]);
  p->tap_count = static_cast<int>(p->of_group * s.t * s.r * s.s);
}

template <class Sum>
MatrixOutput<Sum> plain_output(const Convolution& c) {
  MatrixOutput<Sum> out = {};
  out.data = c.out;
  out.bias = c.bias;
  out.dtype = c.dtype;
  out.columns = 1;
  out.alpha = 1;
  return out;
}

template <class Sum>
ImageOutput<Sum> image_output(const Convolution& c, int64_t channels, int64_t pixels) {
  ImageOutput<Sum> out;
  out.to = plain_output<Sum>(c);
  out.channels = static_cast<int>(channels);
  out.of_group = static_cast<int>(channels / c.shape.groups);
  out.pixels = FastDivide(pixels);
  return out;
}

// Puts the operands of the three products together; Run is called with (a, b, out, extents). The
// operand of the weight in the forward product is the one that is a plain matrix: MatrixOperand.
template <class T, class Sum, class Run>
Error forward_product(const Convolution& c, const Run& run) {
  const ConvShape& s = c.shape;
  PixelOperand<T, false> x;
  fill_patches(s, c.a, &x);
  const int64_t rows = s.k / s.groups, taps = x.tap_count;
  MatrixOperand<T> w = {
      static_cast<const T*>(c.b), taps, 1, static_cast<int>(rows), true, false, {}};
  w.wide = taps % (16 / sizeof(T)) == 0 && reinterpret_cast<uintptr_t>(c.b) % 16 == 0;
  w.batch.dims = 1;
  w.batch.shape[0] = static_cast<int>(s.groups);
  w.batch.stride[0] = rows * taps;
  const Extents e = {static_cast<int>(rows), x.pixel_count, x.tap_count, s.groups, 1, 0, nullptr};
  return run(w, x, image_output<Sum>(c, s.k, s.o * s.p * s.q), e);
}

template <class T, class Sum, class Run>
Error input_product(const Convolution& c, const Run& run) {
  const ConvShape& s = c.shape;
  const int64_t volume = s.t * s.r * s.s, rows = s.c / s.groups;
  PixelOperand<T, true> g;
  fill_patches(s, c.a, &g);
  const BlockedOperand<T> w = {static_cast<const T*>(c.b),
                               volume,
                               rows * volume,
                               s.k / s.groups * rows * volume,
                               static_cast<int>(rows),
                               FastDivide(volume)};
  const Extents e = {static_cast<int>(rows), g.pixel_count, g.tap_count, s.groups, 1, 0, nullptr};
  return run(w, g, image_output<Sum>(c, s.c, s.d * s.h * s.w), e);
}

template <class T, class Sum, class Run>
Error weight_product(const Convolution& c, const Run& run) {
  const ConvShape& s = c.shape;
  const int64_t pixels = s.o * s.p * s.q, rows = s.k / s.groups;
  TapOperand<T> x;
  fill_patches(s, c.a, &x);
  const BlockedOperand<T> g = {
      static_cast<const T*>(c.b), pixels, s.k * pixels, rows * pixels, static_cast<int>(rows),
      FastDivide(pixels)};
  MatrixOutput<Sum> out = plain_output<Sum>(c);
  out.rows = x.tap_count;
  out.batch.dims = 1;
  out.batch.shape[0] = static_cast<int>(s.groups);
  out.batch.stride[0] = rows * x.tap_count;
  const Extents e = {static_cast<int>(rows), x.tap_count, x.pixel_count, s.groups, 1, 0, nullptr};
  return run(g, x, out, e);
}

enum class ConvPart { kForward, kInput, kWeight };

template <class T, class Sum, class Run>
Error conv_product(ConvPart part, const Convolution& c, const Run& run) {
  if (part == ConvPart::kForward) return forward_product<T, Sum>(c, run);
  if (part == ConvPart::kInput) return input_product<T, Sum>(c, run);
  return weight_product<T, Sum>(c, run);
}

// The forms, each in its file: on the ordinary units (float32, float64), on matrix units (16 bits,
// TF32), and without any product for groups of a few channels (all types).
Error conv_simt(ConvPart part, const Convolution& c);
Error conv_mma(ConvPart part, const Convolution& c, bool tf32);
Error conv_depthwise(ConvPart part, const Convolution& c);

}  // namespace mg::cuda
