// Chooses the form of a matrix product, after it has put sizes and strides in the simplest form.
#include "cuda/gemm_forms.cuh"

namespace mg::cuda {
namespace {

constexpr int64_t kMostSize = (int64_t{1} << 31) - 1;

// The batch's dimensions, those of size 1 left out and those that lie behind each other joined.
struct Batch {
  int dims = 0;
  int64_t count = 1;
  int64_t shape[kBatchDims], a[kBatchDims], b[kBatchDims], c[kBatchDims];
};

bool join(const GemmArgs& g, Batch* batch) {
  for (int i = 0; i < g.batch_dims; ++i) {
    const int64_t size = g.batch_shape[i], a = g.a_batch[i], b = g.b_batch[i], c = g.c_batch[i];
    batch->count *= size;
    if (size == 1) continue;
    const int last = batch->dims - 1;
    if (last >= 0 && batch->a[last] == a * size && batch->b[last] == b * size &&
        batch->c[last] == c * size) {
      batch->shape[last] *= size;
      batch->a[last] = a;
      batch->b[last] = b;
      batch->c[last] = c;
      continue;
    }
    if (batch->dims == kBatchDims) return false;
    batch->shape[batch->dims] = size;
    batch->a[batch->dims] = a;
    batch->b[batch->dims] = b;
    batch->c[batch->dims] = c;
    ++batch->dims;
  }
  return true;
}

void set_offsets(const Batch& batch, const int64_t* strides, BatchOffsets* offsets) {
  offsets->dims = batch.dims;
  for (int i = 0; i < batch.dims; ++i) {
    offsets->shape[i] = static_cast<int>(batch.shape[i]);
    offsets->stride[i] = strides[i];
  }
}

// Whether the operand's elements that lie along the tile's rows can be read 16 bytes at a time.
void set_layout(DType dtype, MatrixOperand<void>* x, int64_t depth) {
  // Where both would do, along k; a stride that is never used says nothing.
  x->along_k = x->inner == 1 || (depth == 1 && x->outer != 1);
  const int64_t near = x->along_k ? x->inner : x->outer, far = x->along_k ? x->outer : x->inner;
  const int64_t unit = 16 / item_size(dtype);
  x->wide = near == 1 && far % unit == 0 && reinterpret_cast<uintptr_t>(x->data) % 16 == 0;
  for (int i = 0; i < x->batch.dims; ++i) x->wide = x->wide && x->batch.stride[i] % unit == 0;
}

bool fill(const GemmArgs& args, DType operands, DType result, Product* p) {
  GemmArgs g = args;
  Batch batch;
  if (!join(g, &batch)) return false;
  // Matrices of A that lie behind each other and share B are one of more rows.
  if (batch.dims > 0) {
    const int last = batch.dims - 1;
    if (batch.b[last] == 0 && batch.a[last] == g.m * g.a_rs && batch.c[last] == g.m * g.c_rs) {
      g.m *= batch.shape[last];
      batch.count /= batch.shape[last];
      --batch.dims;
    }
  }
  if (g.m > kMostSize || g.n > kMostSize || g.k > kMostSize - 64) return false;
  if (batch.count > kMostSize) return false;
  p->dtype = operands;
  p->a = {g.a, g.a_rs, g.a_cs, static_cast<int>(g.m), false, false, {}};
  p->b = {g.b, g.b_cs, g.b_rs, static_cast<int>(g.n), false, false, {}};
  p->out.data = g.c;
  p->out.bias = g.bias;
  p->out.dtype = result;
  p->out.rows = g.c_rs;
  p->out.columns = 1;
  p->out.alpha = static_cast<float>(g.alpha);
  p->out.beta = static_cast<float>(g.beta);
  p->out.relu = g.relu;
  p->out.bias_of_rows = false;
  set_offsets(batch, batch.a, &p->a.batch);
  set_offsets(batch, batch.b, &p->b.batch);
  set_offsets(batch, batch.c, &p->out.batch);
  set_layout(operands, &p->a, g.k);
  set_layout(operands, &p->b, g.k);
  p->out.wide = g.c_rs % 4 == 0 && reinterpret_cast<uintptr_t>(g.c) % (4 * item_size(result)) == 0;
  for (int i = 0; i < batch.dims; ++i) p->out.wide = p->out.wide && batch.c[i] % 4 == 0;
  p->alpha = g.alpha;
  p->beta = g.beta;
  p->extents = {static_cast<int>(g.m),
                static_cast<int>(g.n),
                static_cast<int>(g.k),
                batch.count,
                1,
                0,
                nullptr};
  p->workspace = g.workspace;
  p->workspace_bytes = g.workspace ? g.workspace_bytes : 0;
  return true;
}

#ifdef MG_CUDA_HOPPER
// Whether tiles of 128 x 128, with k in parts where there is room for them, keep half of the chip
// busy; the smaller tiles of the other forms spread less work better.
bool fills_hopper(const Product& p) {
  const Extents& e = p.extents;
  if (e.m < 64 || e.n < 64 || e.k < 64) return false;
  const int64_t tiles = ceil_div(e.m, 128) * ceil_div(e.n, 128) * e.batches;
  const int64_t parts = p.workspace_bytes ? max_of(e.k / 256, 1) : 1;
  return tiles * parts * 2 >= device_traits().multiprocessors;
}

Error gemm_wgmma(const Product& p, bool tf32, Stream stream) {
  if (device_traits().capability != 90 || !fills_hopper(p)) return kDeclined;
  if (p.dtype == DType::kFloat16) return gemm_half_wgmma(p, stream);
  if (p.dtype == DType::kBFloat16) return gemm_bfloat16_wgmma(p, stream);
  return p.dtype == DType::kFloat32 && tf32 ? gemm_tf32_wgmma(p, stream) : kDeclined;
}
#else
Error gemm_wgmma(const Product&, bool, Stream) { return kDeclined; }
#endif

}  // namespace

int64_t gemm_workspace(const GemmArgs& args, DType operands) {
  int64_t batches = 1;
  for (int i = 0; i < args.batch_dims; ++i) batches *= args.batch_shape[i];
  if (args.m == 1 || args.n == 1) return 0;
  return parts_workspace(args.m * args.n * batches, args.k, operands);
}

Error gemm(const GemmArgs& args, DType operands, DType result, bool tf32, Stream stream) {
  Product p;
  if (!fill(args, operands, result, &p)) return cudaErrorInvalidValue;
  const Extents& e = p.extents;
  if (e.m == 0 || e.n == 0 || e.batches == 0) return 0;
  if (e.n == 1 || e.m == 1) return gemm_vector(p, stream);
  if (const Error error = gemm_wgmma(p, tf32, stream); error != kDeclined) return error;
  if (device_traits().capability >= 80) {
    if (operands == DType::kFloat16) return gemm_half_mma(p, stream);
    if (operands == DType::kBFloat16) return gemm_bfloat16_mma(p, stream);
    if (operands == DType::kFloat32 && tf32) return gemm_tf32_mma(p, stream);
  }
  return gemm_simt(p, stream);
}

}  // namespace mg::cuda
