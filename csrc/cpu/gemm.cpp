// C = alpha * A B + beta * C (+ bias, relu). Large products run the blocked loops of gemm_core.h;
// smaller ones read A and perhaps B in place, and products with a vector are streamed once.
#include "kernels/gemm.h"

#include "cpu/gemm_batch.h"
#include "cpu/gemm_columns.h"
#include "cpu/gemm_core.h"
#include "cpu/gemm_pack.h"
#include "cpu/gemm_vector.h"

#if defined(MG_BASE_ISA)
namespace mg::MG_BASE_ISA {
extern const GemmKernels kGemm;
}
#endif

namespace mg::MG_ISA {
namespace {

enum class Path { kEmpty, kDot, kNarrow, kSpread, kDirect, kPanels, kColumns, kBlocked };

// Up to here packing costs more than it saves: a B that stays in the L2 while rows of A pass, or
// few rows of A.
constexpr int64_t kDirectB = 160 << 10;              // elements of B
constexpr int64_t kDirectM = 32, kMostDirectM = 96;  // for all of kNearB, for half of it
constexpr int64_t kNearB = 1 << 20;  // beyond, strips of a row-major B come too slowly from memory
// Up to here each task packs its own columns of B: no thread waits for another. A is read in place
// (kPanels) or packed first (kColumns): a transposed one has each step of k on another page, rows
// of B from beyond the L2 want wide strips, and packing a few rows costs little.
constexpr int64_t kPanelsA = 1 << 20, kPanelsTurnedA = 1 << 18;  // elements of A
// Beyond so many rows the panels of A leave the L2.
constexpr int64_t kTurnedNear = 12 << 10, kTurnedN = 192;  // elements of A, columns of B
constexpr int64_t kColumnsM = 256, kMostColumnsM = 512, kTurnedM = 1024;
constexpr int64_t kSmallWork = 1 << 18;   // multiply-adds: about 64 x 64 x 64
constexpr int64_t kDirectTask = 1 << 18;  // multiply-adds of a task: about 5 us
constexpr int64_t kDirectDepth = 1024;    // of k in one chain of sums; a panel of B stays in the L2
constexpr int64_t kStreamDepth = 256;
constexpr int64_t kLocalB = 4096;  // elements of a transposed B that the direct path copies

// Which path one matrix of the batch takes: by its sizes and strides only.
template <class T>
Path path_of(const GemmArgs& g) {
  if (g.k == 0) return Path::kEmpty;
  const bool small = g.m * g.n * g.k <= kSmallWork;
  if (g.m == 1 && g.k > 1 && g.a_cs == 1) {
    if (g.b_cs == 1 && g.n > 1) return Path::kSpread;
    if (g.b_rs == 1) return Path::kDot;
  }
  if (g.n == 1 && g.k > 1 && g.b_rs == 1) {
    if (g.a_cs == 1) return Path::kDot;
    if (g.a_rs == 1) return Path::kSpread;
  }
  if (g.m <= kNarrow && g.b_rs == 1 && g.k >= kNarrowDepth) return Path::kNarrow;
  if (small && (g.b_cs == 1 || g.n == 1 || g.k * g.n <= kLocalB)) return Path::kDirect;
  if (g.n <= kNarrow && g.a_cs == 1) {
    if (g.k >= kNarrowDepth) return Path::kNarrow;
    if (g.b_cs == 1) return Path::kDirect;  // a panel of A would be read once
  }
  if (!small && ((g.m <= kNarrow && g.b_cs == 1) || (g.n <= kNarrow && g.a_rs == 1))) {
    return Path::kSpread;
  }
  const bool near = g.k * g.n <= kNearB;
  const bool turned = g.a_cs != 1;
  const bool in_place = g.m * g.k <= (!turned ? kPanelsA : g.a_rs == 1 ? kPanelsTurnedA : 0);
  // Few rows at a time use little of the lines of a transposed A, over and over.
  if (turned && kDirectRows < 8 && g.b_cs == 1 && g.n >= kTurnedN && g.m <= kTurnedM &&
      g.m * g.k > kTurnedNear && g.m * g.k <= kPanelsA) {
    return Path::kColumns;
  }
  const int64_t direct_b = turned && !in_place ? kDirectB / 2 : kDirectB;
  if (g.b_cs == 1 && near &&
      (g.k * g.n <= direct_b || g.m <= kDirectM ||
       (g.m <= kMostDirectM && g.k * g.n <= kNearB / 2))) {
    return Path::kDirect;
  }
  const int64_t columns_m = near && in_place ? kColumnsM : turned ? kTurnedM : kMostColumnsM;
  if (g.b_cs == 1 && g.m * g.k <= kPanelsA && g.m <= columns_m) return Path::kColumns;
  return in_place && (near || g.b_cs != 1) ? Path::kPanels : Path::kBlocked;
}

// Whether the products of a batch are written past the caches: rows of whole cache lines, so many
// that they would not stay there, and so few steps that writing is what takes the time.
template <class T>
bool streams(const GemmArgs& g) {
  constexpr int64_t line = 64 / sizeof(T);
  if (batch_size(g) * g.m * g.n * int64_t{sizeof(T)} < kStreamBytes) return false;
  bool whole = g.k <= kStreamDepth && g.beta == 0 && g.c_rs % line == 0 &&
               reinterpret_cast<uintptr_t>(g.c) % 64 == 0;
  for (int i = 0; i < g.batch_dims; ++i) whole &= g.c_batch[i] % line == 0;
  return whole;
}

template <class T>
Product<T> product_of(const GemmArgs& g, T* c, void* workspace) {
  return {c,
          g.c_rs,
          g.m,
          g.n,
          g.k,
          static_cast<T>(g.alpha),
          static_cast<T>(g.beta),
          static_cast<const T*>(g.bias),
          g.relu,
          workspace,
          nullptr,
          streams<T>(g)};
}

template <class T>
struct TraitsOf;
template <>
struct TraitsOf<float> {
  using type = F32;
};
template <>
struct TraitsOf<double> {
  using type = F64;
};

// ---- smaller products: the micro-kernel on A and B where they lie ----

// How a product is shared out: rectangles of C of so many rows and columns. If B is packed, each
// task packs its own panels, one after the other.
struct Shares {
  int64_t rows, columns, count;
};

template <class Tr>
Shares shares_of(int64_t m, int64_t n, int64_t k, bool packed) {
  constexpr int64_t kColumns = 2 * Tr::kLanes;
  const int64_t blocks = ceil_div(m, int64_t{kDirectRows}), panels = ceil_div(n, kColumns);
  Shares s = {m, n, 1};
  if (m * n * k < kWorthThreads) return s;
  if (packed) {  // the fewer panels there are, the more tasks pack the same one
    const int64_t parts = max_of(1, min_of(ceil_div(16, panels), m / 128));
    s.rows = ceil_div(blocks, parts) * kDirectRows;
    s.columns = kColumns;
  } else if (blocks >= 16) {  // B is in each thread's L2
    s.rows = ceil_div(kDirectTask, kDirectRows * n * k) * kDirectRows;
  } else {  // each column of B is read by one thread
    s.columns = ceil_div(kDirectTask, m * kColumns * k) * kColumns;
  }
  s.count = ceil_div(m, s.rows) * ceil_div(n, s.columns);
  return s;
}

template <class Tr>
int64_t direct_workspace(int64_t m, int64_t n, int64_t k) {
  return shares_of<Tr>(m, n, k, true).count * min_of(k, kDirectDepth) * Tr::kNR *
         int64_t{sizeof(typename Tr::Packed)};
}

// One tile of `columns` <= 2 vectors; if fewer are there in B, they are read with masks.
template <class Tr>
MG_INLINE void direct_tile(int64_t rows, int64_t columns, bool masked, Tile<Tr>& t) {
  constexpr int L = Tr::kLanes;
  t.tail = columns > L ? columns - L : columns;
  if (columns > L) {
    if (!masked || t.tail == L) return micro_rows<Tr, kDirectRows, 2, true, false>(rows, t);
    micro_rows<Tr, kDirectRows, 2, true, true>(rows, t);
  } else {
    if (!masked || t.tail == L) return micro_rows<Tr, kDirectRows, 1, true, false>(rows, t);
    micro_rows<Tr, kDirectRows, 1, true, true>(rows, t);
  }
}

// A is read where it lies; so are rows of B, unless `packed`.
template <class T>
void direct_product(const Product<T>& p, const T* a, int64_t a_rs, int64_t a_cs, const T* b,
                    int64_t b_rs, int64_t b_cs, bool packed) {
  using Tr = typename TraitsOf<T>::type;
  constexpr int64_t kColumns = 2 * Tr::kLanes;
  T local[kLocalB];
  if (!packed && b_cs != 1 && p.n > 1) {
    turned_copy(local, p.n, b, b_cs, b_rs, p.n, p.k);
    b = local;
    b_rs = p.n;
    b_cs = 1;
  }
  const Shares shares = shares_of<Tr>(p.m, p.n, p.k, packed);
  const int64_t across = ceil_div(p.n, shares.columns);
  parallel_for(shares.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      T* const panel = static_cast<T*>(p.workspace) + q * min_of(p.k, kDirectDepth) * kColumns;
      const int64_t i0 = q / across * shares.rows, i1 = min_of(p.m, i0 + shares.rows);
      const int64_t j0 = q % across * shares.columns, j1 = min_of(p.n, j0 + shares.columns);
      const int64_t tiles = ceil_div(i1 - i0, int64_t{kDirectRows}) * ceil_div(j1 - j0, kColumns);
      Ahead a_ahead = ahead_of(p.next.a, p.next.a_bytes, q, shares.count, tiles);
      Ahead b_ahead = ahead_of(p.next.b, p.next.b_bytes, q, shares.count, tiles);
      Tile<Tr> t = {};
      t.a_row = a_rs;
      t.a_step = a_cs;
      t.b_step = packed ? kColumns : b_rs;
      t.c_rs = p.c_rs;
      t.alpha = p.alpha;
      for (int64_t j = j0; j < j1; j += kColumns) {
        const int64_t columns = min_of(j1 - j, kColumns);
        for (int64_t k = 0; k < p.k; k += kDirectDepth) {
          const bool last = k + kDirectDepth >= p.k;
          t.steps = min_of(p.k - k, kDirectDepth);
          t.b = b + k * b_rs + j * b_cs;
          if (packed) {
            pack_panel<kColumns>(panel, t.b, b_cs, b_rs, columns, t.steps);
            t.b = panel;
          }
          t.beta = k == 0 ? p.beta : 1;
          t.bias = last && p.bias ? p.bias + j : nullptr;
          t.relu = last && p.relu;
          t.plain = p.alpha == 1 && (t.beta == 0 || t.beta == 1) && !t.bias && !t.relu;
          t.stream = p.stream && last && k == 0;
          for (int64_t i = i0; i < i1; i += kDirectRows) {
            t.a = a + i * a_rs + k * a_cs;
            t.c = p.c + i * p.c_rs + j;
            step(a_ahead);
            step(b_ahead);
            direct_tile<Tr>(min_of(i1 - i, int64_t{kDirectRows}), columns, !packed, t);
          }
        }
      }
    }
    if (p.stream) stream_fence();
  });
}

// ---- vectors and narrow matrices ----

template <class T>
VectorProduct<T> vector_product_of(const GemmArgs& g, T* c, const T* a, const T* b) {
  const T alpha = static_cast<T>(g.alpha), beta = static_cast<T>(g.beta);
  const T* bias = static_cast<const T*>(g.bias);
  if (g.m == 1 && g.a_cs == 1 && g.b_rs == 1) {
    return {c, b, a, 1, g.b_cs, g.n, g.k, alpha, beta, bias, 1, g.relu};
  }
  return {c, a, b, g.c_rs, g.a_rs, g.m, g.k, alpha, beta, bias, 0, g.relu};
}

// Which of the matrices is the narrow one; `space` is for its copy.
template <class T>
NarrowProduct<T> narrow_product_of(const GemmArgs& g, T* c, const T* a, const T* b, void* space,
                                   bool narrow_b) {
  const T alpha = static_cast<T>(g.alpha), beta = static_cast<T>(g.beta);
  const T* bias = static_cast<const T*>(g.bias);
  T* copy = static_cast<T*>(space);
  if (narrow_b) {
    return {c,      a,      b, copy,  g.m,  g.n,  g.k, g.a_rs, g.a_cs, g.b_cs,
            g.b_rs, g.c_rs, 1, alpha, beta, bias, 0,   1,      g.relu};
  }
  return {c,      b, a,      copy,  g.n,  g.m,  g.k, g.b_cs, g.b_rs, g.a_rs,
          g.a_cs, 1, g.c_rs, alpha, beta, bias, 1,   0,      g.relu};
}

// ---- one matrix of each dtype ----

template <class T>
void plain_product(const GemmArgs& g, T* c, const T* a, const T* b, void* workspace,
                   const Following& next) {
  using Tr = typename TraitsOf<T>::type;
  Product<T> p = product_of<T>(g, c, workspace);
  p.next = next;
  switch (path_of<T>(g)) {
    case Path::kEmpty:
      return empty_product(p);
    case Path::kDot:
      return dot_product(vector_product_of<T>(g, c, a, b));
    case Path::kNarrow:
      return narrow_product(
          narrow_product_of<T>(g, c, a, b, workspace, g.n <= kNarrow && g.a_cs == 1));
    case Path::kSpread:
      return spread_product(
          narrow_product_of<T>(g, c, a, b, workspace, g.n <= kNarrow && g.a_rs == 1));
    case Path::kDirect:
      return direct_product(p, a, g.a_rs, g.a_cs, b, g.b_rs, g.b_cs, false);
    case Path::kPanels:
      return direct_product(p, a, g.a_rs, g.a_cs, b, g.b_rs, g.b_cs, true);
    case Path::kColumns:
      return columns_product<Tr>(p, MatrixA<Tr, T>{a, g.a_rs, g.a_cs},
                                 MatrixB<Tr, T>{b, g.b_rs, g.b_cs});
    case Path::kBlocked:
      return blocked_product<Tr>(p, MatrixA<Tr, T>{a, g.a_rs, g.a_cs},
                                 MatrixB<Tr, T>{b, g.b_rs, g.b_cs});
  }
}

template <class T>
struct HalfTraits;
template <>
struct HalfTraits<half> {
  using type = F32;
  static constexpr DType dtype = DType::kFloat16;
};
template <>
struct HalfTraits<bfloat16> {
#if defined(__AVX512BF16__)
  using type = Bf16Dot;
#else
  using type = F32;
#endif
  static constexpr DType dtype = DType::kBFloat16;
};

// The sums of all chunks of k but the last are kept in float32, at the start of the workspace.
template <class T>
void half_product(const GemmArgs& g, T* c, const T* a, const T* b, void* workspace,
                  const Following&) {
  using Tr = typename HalfTraits<T>::type;
  const HalfResult result = {reinterpret_cast<uint16_t*>(c),
                             g.c_rs,
                             HalfTraits<T>::dtype,
                             static_cast<float>(g.beta),
                             static_cast<const uint16_t*>(g.bias),
                             g.relu};
  float* sums = static_cast<float*>(workspace);
  const int64_t size = product_sums<Tr>(g.m, g.n, g.k);
  const Product<float> p = {
      sums, size ? g.n : 0, g.m,   g.n,         g.k,    static_cast<float>(g.alpha),
      0,    nullptr,        false, sums + size, &result};
  if (g.k == 0) {  // one tile without sums after the other
    alignas(64) const float none[kF] = {};
    Tile<Tr> t = {};
    t.half = &result;
    for (int64_t i = 0; i < g.m; ++i) {
      for (int64_t j = 0; j < g.n; j += kF) {
        t.tail = min_of(kF, g.n - j);
        t.half_out = result.out + i * result.rs + j;
        t.half_bias = result.bias ? result.bias + j : nullptr;
        finish_tile<Tr, 1>(t, none, 1);
      }
    }
    return;
  }
  blocked_product<Tr>(p, MatrixA<Tr, T>{a, g.a_rs, g.a_cs}, MatrixB<Tr, T>{b, g.b_rs, g.b_cs});
}

template <class T>
void half_to_float_product(const GemmArgs& g, float* c, const T* a, const T* b, void* workspace,
                           const Following&) {
  using Tr = typename HalfTraits<T>::type;
  const Product<float> p = product_of<float>(g, c, workspace);
  if (g.k == 0) return empty_product(p);
  blocked_product<Tr>(p, MatrixA<Tr, T>{a, g.a_rs, g.a_cs}, MatrixB<Tr, T>{b, g.b_rs, g.b_cs});
}

// ---- workspaces, and the products of a batch ----

template <class T>
int64_t spread_bytes(const GemmArgs& g) {
  const bool narrow_b = g.n <= kNarrow && g.a_rs == 1;
  return spread_sums(narrow_b ? g.m : g.n, narrow_b ? g.n : g.m, g.k) * int64_t{sizeof(T)};
}

template <class T>
int64_t plain_workspace(const GemmArgs& g) {
  switch (path_of<T>(g)) {
    case Path::kNarrow:
      return kNarrow * g.k * int64_t{sizeof(T)};
    case Path::kSpread:
      return spread_bytes<T>(g);
    case Path::kPanels:
      return direct_workspace<typename TraitsOf<T>::type>(g.m, g.n, g.k);
    case Path::kColumns:
      return columns_workspace<typename TraitsOf<T>::type>(g.m, g.n, g.k);
    case Path::kBlocked:
      return core_workspace<typename TraitsOf<T>::type>(g.m, g.n, g.k);
    default:
      return 0;
  }
}

template <class T>
int64_t half_workspace(const GemmArgs& g, DType result) {
  using Tr = typename HalfTraits<T>::type;
  const int64_t sums = result == DType::kFloat32 ? 0 : product_sums<Tr>(g.m, g.n, g.k);
  return core_workspace<Tr>(g.m, g.n, g.k) + sums * 4;
}

int64_t one_workspace(const GemmArgs& g, DType operands, DType result) {
  switch (operands) {
    case DType::kFloat32:
      return plain_workspace<float>(g);
    case DType::kFloat64:
      return plain_workspace<double>(g);
    default:
      break;
  }
  return operands == DType::kFloat16 ? half_workspace<half>(g, result)
                                     : half_workspace<bfloat16>(g, result);
}

int64_t workspace(const GemmArgs& g, DType operands, DType result) {
  const int64_t bytes = one_workspace(g, operands, result), count = batch_size(g);
  if (bytes == 0 || !batch_in_parallel(g, count)) return bytes;
  const int64_t slots = min_of(min_of(get_num_threads(), kSlots), count);
  return kFlagBytes + slots * round_up(bytes, 64);
}

void run(const GemmArgs& g, DType operands, DType result) {
  const bool wide = result == DType::kFloat32;
  const int64_t bytes = one_workspace(g, operands, result);
  switch (operands) {
#if !defined(MG_BASE_ISA)
    case DType::kFloat32:
      return over_batches<float, float>(g, bytes, plain_product<float>);
    case DType::kFloat64:
      return over_batches<double, double>(g, bytes, plain_product<double>);
    case DType::kFloat16:
      if (wide) return over_batches<float, half>(g, bytes, half_to_float_product<half>);
      return over_batches<half, half>(g, bytes, half_product<half>);
#endif
    case DType::kBFloat16:
      if (wide) {
        return over_batches<float, bfloat16>(g, bytes, half_to_float_product<bfloat16>);
      }
      return over_batches<bfloat16, bfloat16>(g, bytes, half_product<bfloat16>);
    default:
#if defined(MG_BASE_ISA)  // all but bfloat16 is MG_BASE_ISA's
      MG_BASE_ISA::kGemm.run(g, operands, result);
#endif
      return;
  }
}

}  // namespace

extern const GemmKernels kGemm = {workspace, run};

}  // namespace mg::MG_ISA
