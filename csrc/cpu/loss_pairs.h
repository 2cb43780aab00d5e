// The table of csrc/cpu/loss_pairs.cpp, by type and then by PairLoss.
#pragma once

#include "kernels/loss.h"

namespace mg::MG_ISA {

const PairLossOf<float>* pair_losses(float);
const PairLossOf<double>* pair_losses(double);

}  // namespace mg::MG_ISA
