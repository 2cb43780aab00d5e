// Comparisons, selection and operations of three operands; copies and constants.
#include "cuda/loops.cuh"
#include "cuda/vmath.cuh"

namespace mg::cuda {
namespace {

struct Compare {
  CompareOp op;
  template <class V, int N>
  MG_DEVICE void operator()(const V (&v)[2][N], V (&r)[N]) const {
#define MG_COMPARE(Name, operation)                                             \
  case CompareOp::k##Name:                                                      \
    for (int i = 0; i < N; ++i) r[i] = v[0][i] operation v[1][i] ? V(1) : V(0); \
    break;
    switch (op) {
      MG_COMPARE(Eq, ==)
      MG_COMPARE(Ne, !=)
      MG_COMPARE(Lt, <)
      MG_COMPARE(Le, <=)
      MG_COMPARE(Gt, >)
      default:
        MG_COMPARE(Ge, >=)
    }
#undef MG_COMPARE
  }
};

#define MG_TERNARY(Name, a, b, c, expression)                  \
  struct Name {                                                \
    template <class V>                                         \
    static MG_DEVICE V apply(V a, V b, V c, const Params& p) { \
      (void)p;                                                 \
      return expression;                                       \
    }                                                          \
  };
MG_TERNARY(Addcmul, a, b, c, a + V(p.at[0]) * b * c)
MG_TERNARY(Addcdiv, a, b, c, a + V(p.at[0]) * b / c)
// From the nearer end, so that the weights 0 and 1 are exact.
MG_TERNARY(Lerp, a, b, c, abs(c) < V(0.5) ? a + c * (b - a) : b - (b - a) * (V(1) - c))
#undef MG_TERNARY

struct Ternary {
  TernaryOp op;
  Params params;
  template <class V, int N>
  MG_DEVICE void operator()(const V (&v)[3][N], V (&r)[N]) const {
#define MG_CASE(Name)                                                                  \
  case TernaryOp::k##Name:                                                             \
    for (int i = 0; i < N; ++i) r[i] = Name::apply(v[0][i], v[1][i], v[2][i], params); \
    break;
    switch (op) {
      MG_CASE(Addcmul)
      MG_CASE(Addcdiv)
      default:
        MG_CASE(Lerp)
    }
#undef MG_CASE
  }
};

struct Select {
  template <class V, int N>
  MG_DEVICE void operator()(const V (&v)[3][N], V (&r)[N]) const {
#pragma unroll
    for (int i = 0; i < N; ++i) r[i] = v[0][i] ? v[1][i] : v[2][i];
  }
};

template <class T>
Error where_items(const MapCall<3>& call, Stream stream) {
  return map_elements<T, uint8_t, T, 3>(call, Select(), stream);
}

struct Same {
  template <class V, int N>
  MG_DEVICE void operator()(const V (&v)[1][N], V (&r)[N]) const {
#pragma unroll
    for (int i = 0; i < N; ++i) r[i] = v[0][i];
  }
};

// A matrix to its transpose through a tile in shared memory, so that both reads and writes run
// along rows: in (batch, rows, columns) with strides, out[batch][column][row] dense in rows.
constexpr int kTile = 32, kTileRows = 8;

struct Matrices {
  int64_t batches, rows, columns;          // of in
  int64_t in_batch, in_row, in_column;     // strides; in_column is 1
  int64_t out_batch, out_row, out_column;  // out_row is 1
};

template <class T>
__global__ void __launch_bounds__(kTile* kTileRows)
    transpose_kernel(T* __restrict__ out, const T* __restrict__ in, const Matrices m) {
  MG_SHARED(T, tile, [kTile][kTile + 1]);  // one more column: the columns lie in different banks
  const int64_t tiles_across = ceil_div(m.columns, kTile), tiles_down = ceil_div(m.rows, kTile);
  const int64_t tiles = m.batches * tiles_across * tiles_down;
  for (int64_t t = blockIdx.x; t < tiles; t += gridDim.x) {
    const int64_t batch = t / (tiles_across * tiles_down), rest = t % (tiles_across * tiles_down);
    const int64_t row = rest / tiles_across * kTile, column = rest % tiles_across * kTile;
    const T* from = in + batch * m.in_batch;
    T* to = out + batch * m.out_batch;
#pragma unroll
    for (int i = threadIdx.y; i < kTile; i += kTileRows) {
      if (row + i < m.rows && column + threadIdx.x < m.columns) {
        tile[i][threadIdx.x] = from[(row + i) * m.in_row + column + threadIdx.x];
      }
    }
    __syncthreads();
#pragma unroll
    for (int i = threadIdx.y; i < kTile; i += kTileRows) {
      if (column + i < m.columns && row + threadIdx.x < m.rows) {
        to[(column + i) * m.out_column + row + threadIdx.x] = tile[threadIdx.x][i];
      }
    }
    __syncthreads();  // the tile is read before the next one is written
  }
}

// Whether a walk is one over matrices that lie transposed in the two operands.
bool as_matrices(const MapCall<1>& call, Matrices* m) {
  const auto& w = call.walk;
  if (w.ndim < 2 || w.ndim > 3 || w.size >= INT64_C(1) << 40) return false;
  const int row = w.ndim - 1;  // the result's innermost dimension
  const int column = w.stride[1][w.ndim - 2] == 1 ? w.ndim - 2 : w.ndim == 3 ? 0 : -1;
  if (column < 0 || w.stride[1][column] != 1 || w.stride[0][row] != 1) return false;
  const int batch = 3 - row - column;
  *m = {1, w.shape[row], w.shape[column], 0, w.stride[1][row], 1, 0, 1, w.stride[0][column]};
  if (w.ndim == 3) {
    m->batches = w.shape[batch];
    m->in_batch = w.stride[1][batch];
    m->out_batch = w.stride[0][batch];
  }
  return m->rows >= 8 && m->columns >= 8;
}

template <class T>
Error copy_items(const MapCall<1>& call, Stream stream) {
  Matrices m;
  if (call.walk.size > 0 && as_matrices(call, &m)) {
    const int64_t tiles = m.batches * ceil_div(m.rows, kTile) * ceil_div(m.columns, kTile);
    return MG_LAUNCH((transpose_kernel<T>), blocks_for(tiles, 1), dim3(kTile, kTileRows), 0, stream,
                     static_cast<T*>(call.out), static_cast<const T*>(call.in[0]), m);
  }
  return map_elements<T, T, T, 1>(call, Same(), stream);
}

template <class T>
struct Fill {
  T value;
  template <class V, int N>
  MG_DEVICE void operator()(const V (&)[1][N], V (&r)[N]) const {
#pragma unroll
    for (int i = 0; i < N; ++i) r[i] = value;
  }
};

template <class T>
Error fill_items(const MapCall<1>& call, const void* value, Stream stream) {
  Fill<T> fill;
  memcpy(&fill.value, value, sizeof(T));
  return map_elements<T, T, T, 1>(call, fill, stream);
}

template <class T>
Error compare_as(CompareOp op, const MapCall<2>& call, Stream stream) {
  return map_elements<uint8_t, T, T, 2>(call, Compare{op}, stream);
}

template <class T>
Error ternary_as(TernaryOp op, const MapCall<3>& call, Stream stream) {
  const Params params = {{call.params[0], call.params[1], call.params[2]}};
  return map_elements<T, T, T, 3>(call, Ternary{op, params}, stream);
}

}  // namespace

#define MG_BY_TYPE(type, function, ...)            \
  switch (type) {                                  \
    case FloatType::kFloat32:                      \
      return function<float>(__VA_ARGS__);         \
    case FloatType::kFloat64:                      \
      return function<double>(__VA_ARGS__);        \
    case FloatType::kFloat16:                      \
      return function<__half>(__VA_ARGS__);        \
    default:                                       \
      return function<__nv_bfloat16>(__VA_ARGS__); \
  }
#define MG_BY_ITEM(item, function, ...)       \
  switch (item) {                             \
    case 1:                                   \
      return function<uint8_t>(__VA_ARGS__);  \
    case 2:                                   \
      return function<uint16_t>(__VA_ARGS__); \
    case 4:                                   \
      return function<uint32_t>(__VA_ARGS__); \
    default:                                  \
      return function<uint64_t>(__VA_ARGS__); \
  }

Error compare(CompareOp op, FloatType type, const MapCall<2>& call, Stream stream) {
  MG_BY_TYPE(type, compare_as, op, call, stream);
}
Error where(int64_t item, const MapCall<3>& call, Stream stream) {
  MG_BY_ITEM(item, where_items, call, stream);
}
Error ternary(TernaryOp op, FloatType type, const MapCall<3>& call, Stream stream) {
  MG_BY_TYPE(type, ternary_as, op, call, stream);
}
Error copy(int64_t item, const MapCall<1>& call, Stream stream) {
  MG_BY_ITEM(item, copy_items, call, stream);
}
Error fill(int64_t item, const MapCall<1>& call, const void* value, Stream stream) {
  MG_BY_ITEM(item, fill_items, call, value, stream);
}

}  // namespace mg::cuda
