// Attention of bfloat16.
#include "cuda/attention_backward.cuh"
#include "cuda/attention_forward.cuh"

namespace mg::cuda {

template Error forward_of<__nv_bfloat16>(const AttentionCall<__nv_bfloat16>& call, Stream stream);
template Error backward_of<__nv_bfloat16>(const AttentionCall<__nv_bfloat16>& call, Stream stream);

}  // namespace mg::cuda
