// Collects the families of one instruction set into its KernelTable.
#include "kernels.h"

namespace mg::MG_ISA {

extern const CastKernels kCast;
extern const ConvKernels kConv;
extern const DropoutKernels kDropout;
extern const ElementwiseKernels kElementwise;
extern const GemmKernels kGemm;
extern const LossKernels kLoss;
extern const OptimKernels kOptim;
extern const PoolKernels kPool;
extern const ReduceKernels kReduce;
extern const SoftmaxKernels kSoftmax;

// Members in the order of KernelTable.
const KernelTable& table() {
  static const KernelTable kTable = {
      kCast, kConv, kDropout, kElementwise, kGemm, kLoss, kOptim, kPool, kReduce, kSoftmax,
  };
  return kTable;
}

}  // namespace mg::MG_ISA
