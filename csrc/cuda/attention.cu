// Attention: puts strides and types in the kernels' form and chooses among them.
#include "cuda/attention_core.cuh"

namespace mg::cuda {
namespace {

void set_batch(const AttentionArgs& args, const int64_t* strides, BatchOffsets* batch) {
  batch->dims = args.dims;
  for (int i = 0; i < args.dims; ++i) {
    batch->shape[i] = static_cast<int>(args.shape[i]);
    batch->stride[i] = strides[i];
  }
}

template <class T>
AttentionRows<T> rows_of(const AttentionArgs& args, const AttentionOperand& x) {
  constexpr int64_t kUnit = 16 / sizeof(T);
  AttentionRows<T> rows;
  rows.data = reinterpret_cast<T*>(x.data);
  rows.row = x.row;
  rows.wide = x.row % kUnit == 0 && reinterpret_cast<uintptr_t>(x.data) % 16 == 0;
  for (int i = 0; i < args.dims; ++i) rows.wide = rows.wide && x.batch[i] % kUnit == 0;
  set_batch(args, x.batch, &rows.batch);
  return rows;
}

template <class T>
Error run(const AttentionArgs& args, DType mask, bool backward, Stream stream) {
  AttentionCall<T> call = {};
  call.q = rows_of<T>(args, args.q);
  call.k = rows_of<T>(args, args.k);
  call.v = rows_of<T>(args, args.v);
  call.out = rows_of<T>(args, args.out);
  if (backward) {
    call.grad = rows_of<T>(args, args.grad);
    call.dq = rows_of<T>(args, args.dq);
    call.dk = rows_of<T>(args, args.dk);
    call.dv = rows_of<T>(args, args.dv);
  }
  call.top = args.top;
  call.inverse = args.inverse;
  call.delta = static_cast<float*>(args.workspace);
  call.mask.kind = args.mask_kind;
  call.mask.dtype = mask;
  call.mask.data = args.mask;
  call.mask.row = args.mask_row;
  call.mask.column = args.mask_column;
  set_batch(args, args.mask_batch, &call.mask.batch);
  call.mask.causal = args.causal;
  call.mask.scale = args.scale;
  call.count = args.count;
  call.queries = static_cast<int>(args.queries);
  call.keys = static_cast<int>(args.keys);
  call.width = static_cast<int>(args.width);
  call.value_width = static_cast<int>(args.value_width);
  return backward ? backward_of(call, stream) : forward_of(call, stream);
}

Error choose(const AttentionArgs& args, DType dtype, DType mask, bool backward, Stream stream) {
  constexpr int64_t kMost = (int64_t{1} << 31) - 256;
  if (!attention_takes(args, dtype) || args.queries > kMost || args.keys > kMost ||
      args.count > kMost) {
    return cudaErrorInvalidValue;
  }
  if (args.count == 0) return 0;
  if (dtype == DType::kFloat16) return run<__half>(args, mask, backward, stream);
  if (dtype == DType::kBFloat16) return run<__nv_bfloat16>(args, mask, backward, stream);
  return run<float>(args, mask, backward, stream);
}

}  // namespace

bool attention_takes(const AttentionArgs& args, DType dtype) {
  const bool narrow = dtype == DType::kFloat16 || dtype == DType::kBFloat16;
  const int64_t width = max_of(args.width, args.value_width);
  if (width > 128 || (!narrow && dtype != DType::kFloat32)) return false;
  // Before 8.0 a block has 64 KiB of shared memory, too little for the gradients' tiles.
  return device_traits().capability >= 80 || (!narrow && width <= 64);
}

Error attention_forward(const AttentionArgs& args, DType dtype, DType mask, Stream stream) {
  return choose(args, dtype, mask, false, stream);
}

Error attention_backward(const AttentionArgs& args, DType dtype, DType mask, Stream stream) {
  return choose(args, dtype, mask, true, stream);
}

}  // namespace mg::cuda
