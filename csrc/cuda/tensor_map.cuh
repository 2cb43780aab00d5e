// Descriptions of matrices for the copies of hopper.cuh.
#pragma once

#include "cuda/hopper.cuh"

namespace mg::cuda {

// A batch of matrices, sizes and strides in elements; the elements of a row are neighbours. A copy
// moves a box of box_rows rows (at most 256) of 128 bytes.
struct MatrixBoxes {
  const void* data;
  int64_t columns, rows, batches;
  int64_t row_stride, batch_stride;
  int box_rows;
};

#ifdef __CUDACC__

// The driver's function, found as the runtime finds its own: the module links no libcuda.
inline decltype(&cuTensorMapEncodeTiled) tensor_map_encoder() {
  static const auto found = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult result;
#if CUDART_VERSION >= 12050
    const cudaError_t error = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function,
                                                               12000, cudaEnableDefault, &result);
#else
    const cudaError_t error =
        cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &function, cudaEnableDefault, &result);
#endif
    if (error != cudaSuccess || result != cudaDriverEntryPointSuccess) function = nullptr;
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
  }();
  return found;
}

// False where the driver does not take them: data and strides that are no multiples of 16 bytes,
// sizes of 2^32. Elements are __nv_bfloat16, __half, or float that is to be rounded to TF32.
template <class T>
bool make_tensor_map(const MatrixBoxes& m, TensorMap* map) {
  const auto encode = tensor_map_encoder();
  if (!encode) return false;
  constexpr CUtensorMapDataType kType = sizeof(T) == 4 ? CU_TENSOR_MAP_DATA_TYPE_TFLOAT32
                                        : std::is_same_v<T, __half>
                                            ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                            : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  const cuuint64_t sizes[3] = {static_cast<cuuint64_t>(m.columns), static_cast<cuuint64_t>(m.rows),
                               static_cast<cuuint64_t>(m.batches)};
  const cuuint64_t strides[2] = {static_cast<cuuint64_t>(m.row_stride) * sizeof(T),
                                 static_cast<cuuint64_t>(m.batch_stride) * sizeof(T)};
  const cuuint32_t box[3] = {128 / sizeof(T), static_cast<cuuint32_t>(m.box_rows), 1};
  const cuuint32_t every[3] = {1, 1, 1};
  return encode(map, kType, 3, const_cast<void*>(m.data), sizes, strides, box, every,
                CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

#else

template <class T>
bool make_tensor_map(const MatrixBoxes& m, TensorMap* map) {
  constexpr int kItem = sizeof(T);
  const int64_t bytes = (m.row_stride | m.batch_stride) * kItem;
  if (reinterpret_cast<uintptr_t>(m.data) % 16 || bytes % 16 || m.box_rows > 256) return false;
  *map = {m.data, kItem, m.columns, m.rows, m.batches, m.row_stride, m.batch_stride, m.box_rows};
  return true;
}

#endif

}  // namespace mg::cuda
