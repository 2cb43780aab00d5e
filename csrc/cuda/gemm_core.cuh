// What all forms of the matrix product share: operands that know where their elements lie, the
// order of tiles, parts of k, and what happens to the sums.
//
// A product is C (m, n) = A (m, k) B (k, n) for every matrix of a batch. A kernel is put together
// from two operands and an output:
//
//   operand    element (o, k), o being a row of A or a column of B; at(given, batch) moves it there
//   output     at(given, batch), store(row, column, sum)
//
// `given` is the kernel's own parameter (__grid_constant__), of which the operand is a copy:
// strides that are indexed in a copy would make the compiler put all of it in local memory.
//
// so that convolutions use the same kernels with operands that gather (conv_core.cuh).
#pragma once

#include "cuda/device.h"
#include "cuda/kernels.h"
#include "cuda/mgcuda.cuh"

namespace mg::cuda {

constexpr int kBatchDims = 6;

// The offsets of a batch's matrices in one operand; they are fewer than 2^31.
struct BatchOffsets {
  int dims = 0;
  int shape[kBatchDims];
  int64_t stride[kBatchDims];

  MG_DEVICE int64_t operator()(int64_t index) const {
    int64_t offset = 0;
    uint32_t rest = static_cast<uint32_t>(index);  // a division of 64 bits is a call
    for (int i = dims - 1; i >= 0; --i) {
      const uint32_t size = static_cast<uint32_t>(shape[i]), next = rest / size;
      offset += static_cast<int64_t>(rest - next * size) * stride[i];
      rest = next;
    }
    return offset;
  }
};

template <class T>
struct MatrixOperand {
  using Element = T;
  const T* data;
  int64_t outer, inner;  // strides: from row (column) to row, and along k
  int extent;            // rows (columns)
  bool along_k;          // neighbours in memory lie along k, else along the rows (columns)
  bool wide;             // and can be read 16 bytes at a time
  BatchOffsets batch;

  MG_DEVICE void at(const MatrixOperand& given, int64_t index) {
    data = given.data + given.batch(index);
    outer = given.outer;
    inner = given.inner;
    extent = given.extent;
    along_k = given.along_k;
    wide = given.wide;
  }
  MG_DEVICE T element(int o, int k, int depth) const {
    return o < extent && k < depth ? data[o * outer + k * inner] : T();
  }
  MG_DEVICE const T* address(int o, int k) const { return data + o * outer + k * inner; }
  // How many elements from (o, k) on, in the order of memory, exist: at most `most`.
  MG_DEVICE int run(int o, int k, int depth, int most) const {
    if (o >= extent || k >= depth) return 0;
    const int left = along_k ? depth - k : extent - o;
    return left < most ? left : most;
  }
};

// One whose type is not looked at yet.
template <>
struct MatrixOperand<void> {
  const void* data;
  int64_t outer, inner;
  int extent;
  bool along_k, wide;
  BatchOffsets batch;
};

// What to do with a sum: alpha sum + beta C + bias, relu. The type of C is looked up as it is
// stored, which spares a kernel for each.
template <class Sum>
struct MatrixOutput {
  using Accumulator = Sum;
  void* data;
  const void* bias;
  DType dtype;
  int64_t rows, columns;  // strides
  Sum alpha, beta;
  bool relu;
  bool bias_of_rows = false;  // C is written transposed: a row of the product is a column of C
  bool wide = false;          // four neighbours of a row can be written at once
  BatchOffsets batch;
  int64_t offset = 0;

  MG_DEVICE void at(const MatrixOutput& given, int64_t index) {
    data = given.data;
    bias = given.bias;
    dtype = given.dtype;
    rows = given.rows;
    columns = given.columns;
    alpha = given.alpha;
    beta = given.beta;
    relu = given.relu;
    bias_of_rows = given.bias_of_rows;
    wide = given.wide;
    offset = given.batch(index);
  }
  MG_DEVICE Sum read(const void* from, int64_t i) const {
    if constexpr (sizeof(Sum) == 8) {
      return static_cast<const double*>(from)[i];
    } else {
      if (dtype == DType::kFloat32) return static_cast<const float*>(from)[i];
      if (dtype == DType::kFloat16) return to_float(static_cast<const __half*>(from)[i]);
      return to_float(static_cast<const __nv_bfloat16*>(from)[i]);
    }
  }
  MG_DEVICE void write(int64_t i, Sum x) const {
    if constexpr (sizeof(Sum) == 8) {
      static_cast<double*>(data)[i] = x;
    } else {
      if (dtype == DType::kFloat32) {
        static_cast<float*>(data)[i] = x;
      } else if (dtype == DType::kFloat16) {
        static_cast<__half*>(data)[i] = from_float<__half>(x);
      } else {
        static_cast<__nv_bfloat16*>(data)[i] = from_float<__nv_bfloat16>(x);
      }
    }
  }
  MG_DEVICE Sum finished(int64_t at, int row, int column, Sum sum) const {
    Sum x = alpha * sum;
    if (beta != 0) x += beta * read(data, at);
    if (bias) x += read(bias, bias_of_rows ? row : column);
    return relu && x < 0 ? Sum(0) : x;
  }
  MG_DEVICE void store(int row, int column, Sum sum) const {
    const int64_t at = offset + row * rows + column * columns;
    write(at, finished(at, row, column, sum));
  }
  // `count` columns from `column` on, a multiple of 4, exist.
  MG_DEVICE void store(int row, int column, int count, const Pack<Sum, 4>& sums) const {
    if (!wide || count < 4) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (j < count) store(row, column + j, sums.v[j]);
      }
      return;
    }
    const int64_t at = offset + row * rows + column;
    Sum x[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) x[j] = finished(at + j, row, column + j, sums.v[j]);
    if constexpr (sizeof(Sum) == 8) {
      write4<double>(at, x);
    } else {
      if (dtype == DType::kFloat32) {
        write4<float>(at, x);
      } else if (dtype == DType::kFloat16) {
        write4<__half>(at, x);
      } else {
        write4<__nv_bfloat16>(at, x);
      }
    }
  }
  template <class T>
  MG_DEVICE void write4(int64_t at, const Sum (&x)[4]) const {
    Pack<T, 4> pack;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if constexpr (sizeof(T) == 2) {
        pack.v[j] = from_float<T>(x[j]);
      } else {
        pack.v[j] = x[j];
      }
    }
    *reinterpret_cast<Pack<T, 4>*>(static_cast<T*>(data) + at) = pack;
  }
};

// The sizes of a product and how it is divided among blocks: x of the grid runs over the tiles, y
// over parts of k, z over the batch (but in gemm_wgmma_core.cuh x over all of these).
struct Extents {
  int m, n, k;
  int64_t batches;
  int parts;      // of k
  int part_k;     // k in each but the last, a multiple of every tile's depth
  void* partial;  // (batches, parts, m, n) sums if there are several parts

  MG_DEVICE int k_begin(int part) const { return part * part_k; }
  MG_DEVICE int k_end(int part) const {
    const int end = k_begin(part) + part_k;
    return end < k ? end : k;
  }
};

// A tile's first row and column. Tiles that run together lie in bands of eight rows of tiles, so
// that they read the same parts of A and B.
template <int kM, int kN>
MG_DEVICE void find_tile(const Extents& e, int tile, int* row, int* column) {
  constexpr int kBand = 8;
  const int down = (e.m + kM - 1) / kM, across = (e.n + kN - 1) / kN;
  const int band = tile / (kBand * across);
  const int first = band * kBand, height = down - first < kBand ? down - first : kBand;
  const int within = tile - first * across;
  *row = (first + within % height) * kM;
  *column = within / height * kN;
}

template <class Output, class Sum>
MG_DEVICE void store_four(const Extents& e, const Output& out, int64_t batch, int part, int row,
                          int column, const Pack<Sum, 4>& sums) {
  const int count = e.n - column < 4 ? e.n - column : 4;
  if (row >= e.m || count <= 0) return;
  if (e.parts == 1) {
    out.store(row, column, count, sums);
    return;
  }
  Sum* to = static_cast<Sum*>(e.partial) +
            ((batch * e.parts + part) * e.m + row) * static_cast<int64_t>(e.n) + column;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (j < count) to[j] = sums.v[j];
  }
}

constexpr int kAddThreads = 256;

// Adds the parts in their order.
template <class Output>
__global__ void __launch_bounds__(kAddThreads)
    add_parts(const __grid_constant__ Output output, const __grid_constant__ Extents e) {
  using Sum = typename Output::Accumulator;
  const int64_t matrix = static_cast<int64_t>(e.m) * e.n;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kAddThreads;
  for (int64_t batch = blockIdx.z; batch < e.batches; batch += gridDim.z) {
    Output out;
    out.at(output, batch);
    const Sum* from = static_cast<const Sum*>(e.partial) + batch * e.parts * matrix;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * kAddThreads + threadIdx.x; i < matrix;
         i += step) {
      Sum sum = from[i];
      for (int part = 1; part < e.parts; ++part) sum += from[part * matrix + i];
      out.store(static_cast<int>(i / e.n), static_cast<int>(i % e.n), sum);
    }
  }
}

constexpr unsigned kMostBatches = 65535;  // in one launch; kernels go on from there

template <class Output>
Error add_parts_if_any(const Output& out, const Extents& e, Stream stream) {
  if (e.parts == 1) return 0;
  const dim3 grid(grid_for(static_cast<int64_t>(e.m) * e.n, kAddThreads), 1,
                  grid_for(e.batches, 1, kMostBatches));
  return MG_LAUNCH(add_parts<Output>, grid, dim3(kAddThreads), 0, stream, out, e);
}

// Divides k so that a product of few tiles fills the chip: the number of parts that `bytes` of
// workspace have room for, each with at least `least` of k.
inline void divide_depth(Extents* e, int64_t tiles, int item_bytes, int64_t bytes,
                         void* workspace) {
  constexpr int kLeast = 256, kUnit = 64;
  const int64_t outputs = static_cast<int64_t>(e->m) * e->n * e->batches * item_bytes;
  int64_t parts = device_traits().multiprocessors * 2 / (tiles * e->batches);
  if (parts > e->k / kLeast) parts = e->k / kLeast;
  if (parts > 64) parts = 64;
  if (parts > bytes / outputs) parts = bytes / outputs;
  if (parts < 2 || !workspace) parts = 1;
  e->part_k = static_cast<int>(ceil_div(ceil_div(e->k, parts), kUnit) * kUnit);
  e->parts = e->k ? static_cast<int>(ceil_div(e->k, e->part_k)) : 1;
  e->partial = workspace;
}

}  // namespace mg::cuda
