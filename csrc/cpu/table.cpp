// Collects the families of one instruction set into its KernelTable.
#include "kernels.h"

namespace mg::MG_ISA {

extern const CastKernels kCast;
extern const ElementwiseKernels kElementwise;

// Members in the order of KernelTable.
const KernelTable& table() {
  static const KernelTable kTable = {
      kCast,
      kElementwise,
  };
  return kTable;
}

}  // namespace mg::MG_ISA
