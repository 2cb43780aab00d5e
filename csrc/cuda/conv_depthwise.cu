// Convolutions of few channels in a group: sums of a few taps, bound by memory, for which a tile of
// a product would be nearly empty.
#include "cuda/conv_core.cuh"

namespace mg::cuda {
namespace {

constexpr int kThreads = 256;

// A thread for each element of the result: the sum of the other image's patches times the weight.
template <class T, class Sum, bool kBackwards>
__global__ void __launch_bounds__(kThreads)
    image_kernel(const Patches<T, kBackwards> patches, const T* __restrict__ weight,
                 const ImageOutput<Sum> output, int of_group, int64_t row, int64_t block,
                 int64_t total) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  const int volume = patches.taps.volume.divisor;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < total;
       i += step) {
    const int pixels = output.pixels.divisor;
    const int pixel = static_cast<int>(i % pixels);
    const int64_t rest = i / pixels;
    const int channel = static_cast<int>(rest % output.channels);
    const int image = static_cast<int>(rest / output.channels);
    const int group = channel / of_group, own = channel % of_group;
    Patches<T, kBackwards> x;
    x.at(patches, group);
    const T* w = weight + group * (kBackwards ? patches.of_group : of_group) * block + own * row;
    Sum sum = 0;
    for (int c = 0; c < patches.of_group; ++c) {
      for (int tap = 0; tap < volume; ++tap) {
        // Forward the taps of a channel of x lie in a row of w, backwards in one of each channel of
        // g.
        const int64_t at = kBackwards ? c * block + tap : static_cast<int64_t>(c) * volume + tap;
        sum += widened<Sum>(w[at]) * widened<Sum>(x.read(image * pixels + pixel, c * volume + tap));
      }
    }
    if (output.to.bias) sum += output.to.read(output.to.bias, channel);
    output.to.write(i, sum);
  }
}

// A block for each element of the weight.
template <class T, class Sum>
__global__ void __launch_bounds__(kThreads)
    weight_kernel(const Patches<T, false> patches, const BlockedOperand<T> g,
                  const MatrixOutput<Sum> out, int64_t total) {
  MG_SHARED(Sum, parts, [kThreads / 32]);
  for (int64_t i = blockIdx.x; i < total; i += gridDim.x) {
    const int tap = static_cast<int>(i % patches.tap_count);
    const int64_t rest = i / patches.tap_count;
    const int own = static_cast<int>(rest % g.extent);
    Patches<T, false> x;
    BlockedOperand<T> rows;
    x.at(patches, rest / g.extent);
    rows.at(g, rest / g.extent);
    Sum sum = 0;
    for (int k = threadIdx.x; k < patches.pixel_count; k += kThreads) {
      sum += widened<Sum>(element_of(rows, own, k, patches.pixel_count)) *
             widened<Sum>(x.read(k, tap));
    }
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int j = 1; j < kThreads / 32; ++j) sum += parts[j];
      out.write(i, sum);
    }
    __syncthreads();  // before the parts are written again
  }
}

template <class T, class Sum>
Error run(ConvPart part, const Convolution& c) {
  const ConvShape& s = c.shape;
  const int64_t volume = s.t * s.r * s.s, channels = s.c / s.groups, results = s.k / s.groups;
  const T* w = static_cast<const T*>(c.b);
  if (part == ConvPart::kWeight) {
    Patches<T, false> x;
    fill_patches(s, c.a, &x);
    const int64_t pixels = s.o * s.p * s.q;
    const BlockedOperand<T> g = {
        w, pixels, s.k * pixels, results * pixels, static_cast<int>(results), FastDivide(pixels)};
    const int64_t total = s.k * channels * volume;
    return MG_LAUNCH((weight_kernel<T, Sum>), dim3(grid_for(total, 1, 65535)), dim3(kThreads), 0,
                     c.stream, x, g, plain_output<Sum>(c), total);
  }
  const auto launch = [&](auto kernel, const auto& patches, const ImageOutput<Sum>& out,
                          int64_t of_group, int64_t row, int64_t block) {
    const int64_t total = s.n * out.channels * static_cast<int64_t>(out.pixels.divisor);
    return MG_LAUNCH(kernel, dim3(grid_for(total, kThreads, 65535)), dim3(kThreads), 0, c.stream,
                     patches, w, out, static_cast<int>(of_group), row, block, total);
  };
  if (part == ConvPart::kForward) {
    Patches<T, false> x;
    fill_patches(s, c.a, &x);
    return launch(image_kernel<T, Sum, false>, x, image_output<Sum>(c, s.k, s.o * s.p * s.q),
                  results, channels * volume, channels * volume);
  }
  Patches<T, true> g;
  fill_patches(s, c.a, &g);
  return launch(image_kernel<T, Sum, true>, g, image_output<Sum>(c, s.c, s.d * s.h * s.w), channels,
                volume, channels * volume);
}

}  // namespace

Error conv_depthwise(ConvPart part, const Convolution& c) {
  switch (c.dtype) {
    case DType::kFloat64:
      return run<double, double>(part, c);
    case DType::kFloat16:
      return run<__half, float>(part, c);
    case DType::kBFloat16:
      return run<__nv_bfloat16, float>(part, c);
    default:
      return run<float, float>(part, c);
  }
}

}  // namespace mg::cuda
