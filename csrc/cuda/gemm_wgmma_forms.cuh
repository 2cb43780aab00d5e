// Plain matrix products by wgmma of one element type, and which of them it takes.
#pragma once

#include <numeric>

#include "cuda/gemm_forms.cuh"
#include "cuda/gemm_wgmma_core.cuh"
#include "cuda/tensor_map.cuh"

namespace mg::cuda {

// The map of an operand for tiles of `tile` rows (columns); false where it does not lie as TMA
// needs it: rows of neighbours that begin at multiples of 16 bytes and do not overlap. All of the
// batch's dimensions are one of the map: its stride divides theirs.
template <class T>
bool map_operand(const MatrixOperand<void>& x, int k, int tile, WgmmaOperand* to) {
  const int64_t far = x.along_k ? x.outer : x.inner;
  MatrixBoxes boxes = {};
  boxes.data = x.data;
  boxes.columns = x.along_k ? k : x.extent;
  boxes.rows = x.along_k ? x.extent : k;
  boxes.row_stride = far;
  boxes.box_rows = x.along_k ? tile : 128 / int(sizeof(T));
  if (!x.wide || far < boxes.columns) return false;
  to->batch = x.batch;
  for (int i = 0; i < x.batch.dims; ++i) {
    const int64_t stride = x.batch.stride[i];
    if (stride < 0) return false;
    boxes.batch_stride = std::gcd(boxes.batch_stride, stride);
  }
  boxes.batches = 1;
  for (int i = 0; i < x.batch.dims && boxes.batch_stride > 0; ++i) {
    to->batch.stride[i] = x.batch.stride[i] / boxes.batch_stride;
    boxes.batches += to->batch.stride[i] * (x.batch.shape[i] - 1);
  }
  if (boxes.batch_stride == 0) boxes.batch_stride = boxes.rows * far;  // there is one matrix
  return make_tensor_map<T>(boxes, &to->map);
}

template <class T, class Tile, bool kAAlongK, bool kBAlongK>
Error launch_wgmma(const Product& p, Stream stream) {
  WgmmaOperand a, b;
  if (!map_operand<T>(p.a, p.extents.k, Tile::kM, &a) ||
      !map_operand<T>(p.b, p.extents.k, Tile::kN, &b)) {
    return kDeclined;
  }
  Extents e = p.extents;
  const int64_t tiles = ceil_div(e.m, Tile::kM) * ceil_div(e.n, Tile::kN);
  divide_depth(&e, tiles, sizeof(float), p.workspace_bytes, p.workspace);
  const int64_t work = tiles * e.parts * e.batches;
  const int chip = device_traits().multiprocessors;
  if (work > (int64_t{1} << 31) - 1 - chip) return kDeclined;  // they are counted in int
  const Error error =
      MG_LAUNCH((wgmma_kernel<T, Tile, kAAlongK, kBAlongK>), dim3(grid_for(work, 1, chip)),
                dim3(Tile::kThreads), Tile::kSharedBytes, stream, a, b, p.out, e,
                static_cast<int>(tiles), static_cast<int>(work));
  return error ? error : add_parts_if_any(p.out, e, stream);
}

// The wide tile unless the narrow one is done sooner: rounds of all multiprocessors, a narrow tile
// half the work of a wide one.
inline bool takes_wide_tile(const Extents& e) {
  const int chip = device_traits().multiprocessors;
  const int64_t down = ceil_div(e.m, 128) * e.batches;
  const int64_t wide = ceil_div(down * ceil_div(e.n, 256), chip);
  const int64_t narrow = ceil_div(down * ceil_div(e.n, 128), chip);
  return wide * 2 <= narrow;
}

template <class T, class Tile>
Error wgmma_of_layout(const Product& p, Stream stream) {
  if constexpr (sizeof(T) == 4) {
    if (!p.a.along_k || !p.b.along_k) return kDeclined;
    return launch_wgmma<T, Tile, true, true>(p, stream);
  } else {
    if (p.a.along_k && p.b.along_k) return launch_wgmma<T, Tile, true, true>(p, stream);
    if (p.a.along_k) return launch_wgmma<T, Tile, true, false>(p, stream);
    if (p.b.along_k) return launch_wgmma<T, Tile, false, true>(p, stream);
    return launch_wgmma<T, Tile, false, false>(p, stream);
  }
}

template <class T>
Error wgmma_of_type(const Product& p, Stream stream) {
  if (takes_wide_tile(p.extents)) return wgmma_of_layout<T, WgmmaTile<T, 256>>(p, stream);
  return wgmma_of_layout<T, WgmmaTile<T, 128>>(p, stream);
}

}  // namespace mg::cuda
