// Pooling on the GPU. Contract: csrc/kernels/pool.h, except that 16-bit floats are taken (computed
// in float32), and that the gradient of maxima knows the windows instead of scattering. Planes have
// fewer than 2^31 elements.
#pragma once

#include "cuda/kernels.h"
#include "kernels/pool.h"

namespace mg::cuda {

// pool.cu
// index may be nullptr.
Error max_pool(void* out, int32_t* index, const void* x, DType type, const PoolShape& shape,
               Stream stream);
// out (planes, h, w) gets the values (planes, p, q) whose place in the plane stands in index: each
// element of out looks at the windows that it may lie in, so that the order is fixed. Kernels of 0:
// of adaptive_max_pool.
Error max_pool_backward(void* out, const void* grad, const int32_t* index, DType type,
                        const PoolShape& shape, Stream stream);
Error avg_pool(void* out, const void* x, DType type, const PoolShape& shape, bool count_pad,
               int64_t divisor, Stream stream);
Error avg_pool_backward(void* out, const void* grad, DType type, const PoolShape& shape,
                        bool count_pad, int64_t divisor, Stream stream);
// Parts of planes: of the windows only the sizes count.
Error adaptive_avg_pool(void* out, const void* x, DType type, const PoolShape& shape,
                        Stream stream);
Error adaptive_avg_pool_backward(void* out, const void* grad, DType type, const PoolShape& shape,
                                 Stream stream);
Error adaptive_max_pool(void* out, int32_t* index, const void* x, DType type,
                        const PoolShape& shape, Stream stream);

}  // namespace mg::cuda
