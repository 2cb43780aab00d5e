// Collects the families of one instruction set into its KernelTable.
#include "kernels.h"

#if defined(MG_BASE_ISA)  // compiled for some matrix products alone
#if !defined(MG_TABLE_BASE)
#define MG_TABLE_BASE MG_BASE_ISA  // whose table has the rest
#endif
namespace mg::MG_TABLE_BASE {
const KernelTable& table();
}

namespace mg::MG_ISA {

#if defined(__AVX512BF16__)
extern const ConvOf<bfloat16> kConvPairs;
extern const GemmKernels kGemm;
#else
extern const Int8Kernels kInt8;
#endif

const KernelTable& table() {
  static const KernelTable kTable = [] {
    KernelTable mixed = MG_TABLE_BASE::table();
#if defined(__AVX512BF16__)
    mixed.gemm = kGemm;
    mixed.conv.bf16 = kConvPairs;
#else
    mixed.int8 = kInt8;
#endif
    return mixed;
  }();
  return kTable;
}

}  // namespace mg::MG_ISA
#else
namespace mg::MG_ISA {

extern const AttentionKernels kAttention;
extern const BatchNormKernels kBatchNorm;
extern const CastKernels kCast;
extern const ConvKernels kConv;
extern const CtcKernels kCtc;
extern const DistanceKernels kDistance;
extern const DropoutKernels kDropout;
extern const ElementwiseKernels kElementwise;
extern const FactorKernels kFactor;
extern const GemmKernels kGemm;
extern const GridSampleKernels kGridSample;
extern const IndexKernels kIndex;
extern const Int8Kernels kInt8;
extern const LossKernels kLoss;
extern const MovementKernels kMovement;
extern const OptimKernels kOptim;
extern const PatchKernels kPatches;
extern const PoolKernels kPool;
extern const QuantizeKernels kQuantize;
extern const ReduceKernels kReduce;
extern const ResampleKernels kResample;
extern const RnnKernels kRnn;
extern const RowNormKernels kRowNorm;
extern const SoftmaxKernels kSoftmax;
extern const SortKernels kSort;
extern const SparseKernels kSparse;

// Members in the order of KernelTable.
const KernelTable& table() {
  static const KernelTable kTable = {
      kAttention,   kBatchNorm, kCast,    kConv,       kCtc,      kDistance, kDropout,
      kElementwise, kFactor,    kGemm,    kGridSample, kIndex,    kInt8,     kLoss,
      kMovement,    kOptim,     kPatches, kPool,       kQuantize, kReduce,   kResample,
      kRnn,         kRowNorm,   kSoftmax, kSort,       kSparse,
  };
  return kTable;
}

}  // namespace mg::MG_ISA
#endif
