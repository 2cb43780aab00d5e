// Chooses the form of a convolution.
#include "cuda/conv_core.cuh"

namespace mg::cuda {
namespace {

constexpr int64_t kMost = (int64_t{1} << 31) - 256;  // pixels, taps: they are counted in int

bool is_too_large(const ConvShape& s) {
  const int64_t taps = max_of(s.c, s.k) / s.groups * s.t * s.r * s.s;
  return s.n * s.o * s.p * s.q > kMost || s.n * s.d * s.h * s.w > kMost || taps > kMost;
}

// 1 x 1 with nothing around it: for every image a product of matrices as they lie in memory.
bool is_plain_product(const ConvShape& s) {
  return s.t * s.r * s.s == 1 && s.stride_d == 1 && s.stride_h == 1 && s.stride_w == 1 &&
         s.o == s.d && s.p == s.h && s.q == s.w && s.groups == 1;
}

Error plain_product(ConvPart part, const Convolution& c, bool tf32) {
  const ConvShape& s = c.shape;
  const int64_t pixels = s.d * s.h * s.w;
  const bool forward = part == ConvPart::kForward;
  const int64_t rows = forward ? s.k : s.c, depth = forward ? s.c : s.k;
  const int64_t images = s.n, none = 0, image_in = depth * pixels, image_out = rows * pixels;
  GemmArgs g = {};
  g.c = c.out;
  g.a = c.b;  // the weight (k, c), transposed for the gradient to the input
  g.b = c.a;
  g.m = rows;
  g.n = pixels;
  g.k = depth;
  g.a_rs = forward ? s.c : 1;
  g.a_cs = forward ? 1 : s.c;
  g.b_rs = pixels;
  g.b_cs = 1;
  g.c_rs = pixels;
  g.batch_dims = 1;
  g.batch_shape = &images;
  g.a_batch = &none;
  g.b_batch = &image_in;
  g.c_batch = &image_out;
  g.alpha = 1;
  g.workspace = c.workspace;
  g.workspace_bytes = c.workspace_bytes;
  return gemm(g, c.dtype, c.dtype, tf32, c.stream);
}

Error run(ConvPart part, const Convolution& c, bool tf32) {
  const ConvShape& s = c.shape;
  if (s.n == 0 && part != ConvPart::kWeight) return 0;
  if (is_too_large(s)) return cudaErrorInvalidValue;
  if (part != ConvPart::kWeight && !c.bias && is_plain_product(s)) {
    return plain_product(part, c, tf32);
  }
  if (s.groups > 1 && s.c / s.groups * (s.k / s.groups) <= 16) return conv_depthwise(part, c);
  if (device_traits().capability < 80) return conv_simt(part, c);
  return conv_mma(part, c, tf32);
}

}  // namespace

Error conv_forward(const ConvArgs& args, const void* bias, bool tf32, Stream stream) {
  return run(ConvPart::kForward,
             {args.shape, args.dtype, args.out, args.a, args.b, bias, args.workspace,
              args.workspace_bytes, stream},
             tf32);
}

Error conv_to_input(const ConvArgs& args, const void* bias, bool tf32, Stream stream) {
  return run(ConvPart::kInput,
             {args.shape, args.dtype, args.out, args.a, args.b, bias, args.workspace,
              args.workspace_bytes, stream},
             tf32);
}

Error conv_to_weight(const ConvArgs& args, bool tf32, Stream stream) {
  return run(ConvPart::kWeight,
             {args.shape, args.dtype, args.out, args.a, args.b, nullptr, args.workspace,
              args.workspace_bytes, stream},
             tf32);
}

int64_t parts_workspace(int64_t results, int64_t depth, DType dtype) {
  constexpr int kLeastTile = 64 * 64;
  const int64_t wanted = device_traits().multiprocessors * 2 / ceil_div(results + 1, kLeastTile);
  const int64_t parts = min_of(min_of(wanted, depth / 256), 64);
  if (results == 0 || parts < 2) return 0;
  return parts * results * (dtype == DType::kFloat64 ? 8 : 4);
}

}  // namespace mg::cuda
