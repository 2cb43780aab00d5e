// Attention of float16.
#include "cuda/attention_backward.cuh"
#include "cuda/attention_forward.cuh"

namespace mg::cuda {

template Error forward_of<__half>(const AttentionCall<__half>& call, Stream stream);
template Error backward_of<__half>(const AttentionCall<__half>& call, Stream stream);

}  // namespace mg::cuda
