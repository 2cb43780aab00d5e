// Collects the families of one instruction set into its KernelTable.
#include "kernels.h"

#if defined(MG_BASE_ISA)  // compiled for the matrix products alone: the rest is MG_BASE_ISA's
namespace mg::MG_BASE_ISA {
const KernelTable& table();
}

namespace mg::MG_ISA {

extern const GemmKernels kGemm;

const KernelTable& table() {
  static const KernelTable kTable = [] {
    KernelTable mixed = MG_BASE_ISA::table();
    mixed.gemm = kGemm;
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
extern const DistanceKernels kDistance;
extern const DropoutKernels kDropout;
extern const ElementwiseKernels kElementwise;
extern const FactorKernels kFactor;
extern const GemmKernels kGemm;
extern const GridSampleKernels kGridSample;
extern const IndexKernels kIndex;
extern const LossKernels kLoss;
extern const MovementKernels kMovement;
extern const OptimKernels kOptim;
extern const PatchKernels kPatches;
extern const PoolKernels kPool;
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
      kAttention, kBatchNorm,  kCast,  kConv,    kDistance, kDropout, kElementwise, kFactor,
      kGemm,      kGridSample, kIndex, kLoss,    kMovement, kOptim,   kPatches,     kPool,
      kReduce,    kResample,   kRnn,   kRowNorm, kSoftmax,  kSort,    kSparse,
  };
  return kTable;
}

}  // namespace mg::MG_ISA
#endif
