// Attention of float32.
#include "cuda/attention_backward.cuh"
#include "cuda/attention_forward.cuh"

namespace mg::cuda {

template Error forward_of<float>(const AttentionCall<float>& call, Stream stream);
template Error backward_of<float>(const AttentionCall<float>& call, Stream stream);

}  // namespace mg::cuda
