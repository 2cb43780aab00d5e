// The kernels for the GPU, as the bindings call them. What each computes is told in the header of
// its family in csrc/kernels; here stands only what is different.
//
//   memory       pointers are to the device's memory; workspaces too, of as many bytes as the
//                function that ends in _workspace says
//   stream       every call is enqueued on `stream` and returns at once
//   result       0, or the cudaError_t of the launch (error_text tells it)
//   determinism  the same for every run on the same device, unless said otherwise
//
// No CUDA header is needed here: the bindings are compiled by the C++ compiler.
#pragma once

#include <cstdint>

#include "common.h"
#include "kernels/attention.h"
#include "kernels/conv.h"
#include "kernels/gemm.h"

struct CUstream_st;  // cudaStream_t is a pointer to it

namespace mg::cuda {

using Stream = CUstream_st*;
using Error = int;

// runtime.cu
Error device_count(int* count);  // 0 and an error where there is no driver
const char* error_name(Error error);
const char* error_text(Error error);

// cast.cu: csrc/kernels/cast.h. NaN becomes CUDA's own quiet NaN (its payload is lost).
Error float_to_half(half* out, const float* in, int64_t n, Stream stream);
Error half_to_float(float* out, const half* in, int64_t n, Stream stream);
Error float_to_bfloat16(bfloat16* out, const float* in, int64_t n, Stream stream);
Error bfloat16_to_float(float* out, const bfloat16* in, int64_t n, Stream stream);

// gemm.cu: csrc/kernels/gemm.h. args.workspace may be nullptr: its bytes let a product of few
// results and a long k be divided among more blocks (the parts are added in order; their number
// depends on the sizes, the device and the bytes given). `tf32` lets float32 operands be rounded to
// 10 bits of mantissa for the matrix units (capability 8.0 and above; ignored below). At most 6
// dimensions of the batch remain after those that lie behind each other are joined.
int64_t gemm_workspace(const GemmArgs& args, DType operands);
Error gemm(const GemmArgs& args, DType operands, DType result, bool tf32, Stream stream);

// conv.cu: csrc/kernels/conv.h. Sizes up to 2^31 - 256 pixels and taps; bias may be nullptr.
// Besides float32 and float64 also float16 and bfloat16, summed in float32. No NaN reaches taps
// that do not read it. `tf32` and the workspace as for gemm; parts_workspace says how many bytes
// help a product of so many results, each the sum of `depth` terms.
struct ConvArgs {
  ConvShape shape;
  DType dtype;
  void* out;
  const void *a, *b;  // forward: x, w; to_input: g, w; to_weight: x, g
  void* workspace;
  int64_t workspace_bytes;
};
Error conv_forward(const ConvArgs& args, const void* bias, bool tf32, Stream stream);
Error conv_to_input(const ConvArgs& args, const void* bias, bool tf32, Stream stream);
Error conv_to_weight(const ConvArgs& args, bool tf32, Stream stream);
int64_t parts_workspace(int64_t results, int64_t depth, DType dtype);

// attention.cu: csrc/kernels/attention.h. Operands and gradients are float32, or float16 or
// bfloat16 with sums and softmax in float32 (their `data` are of that type), with rows of at most
// 128 elements, on chips of capability 8.0; before that float32 alone, rows of at most 64.
// attention_takes says whether it can. A float mask is float32 or of the operands' type. The
// workspace is of backward alone: count * queries float32. Probabilities are rounded to the
// operands' type before they are multiplied.
bool attention_takes(const AttentionArgs& args, DType dtype);
Error attention_forward(const AttentionArgs& args, DType dtype, DType mask, Stream stream);
Error attention_backward(const AttentionArgs& args, DType dtype, DType mask, Stream stream);

}  // namespace mg::cuda
