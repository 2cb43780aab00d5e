// The kernels' contract. Each family has its header in csrc/kernels/, where shapes, layout,
// aliasing, dtypes, workspace and determinism of every kernel stand; here they become one table of
// function pointers, filled once for each instruction set by csrc/cpu/table.cpp.
//
// What holds for every kernel unless its header says otherwise:
//   - arguments come as outputs, inputs, sizes, scalars; more than eight become a struct;
//   - sizes are int64_t and may be 0; strides count elements;
//   - it writes only to its outputs, allocates nothing, throws nothing, and checks nothing: the
//     bindings check;
//   - the result is bitwise the same for every number of threads (split by fixed chunks with
//     parallel_for, combine partial results in the order of the chunks);
//   - denormals are flushed while it runs (KernelScope in csrc/bindings/array.h sees to it).
#pragma once

#include "kernels/attention.h"
#include "kernels/cast.h"
#include "kernels/conv.h"
#include "kernels/ctc.h"
#include "kernels/distance.h"
#include "kernels/dropout.h"
#include "kernels/elementwise.h"
#include "kernels/factor.h"
#include "kernels/gemm.h"
#include "kernels/grid_sample.h"
#include "kernels/index.h"
#include "kernels/int8.h"
#include "kernels/loss.h"
#include "kernels/movement.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/patches.h"
#include "kernels/pool.h"
#include "kernels/quantize.h"
#include "kernels/reduce.h"
#include "kernels/resample.h"
#include "kernels/rnn.h"
#include "kernels/softmax.h"
#include "kernels/sort.h"
#include "kernels/sparse.h"

namespace mg {

struct KernelTable {
  AttentionKernels attention;
  BatchNormKernels batch_norm;
  CastKernels cast;
  ConvKernels conv;
  CtcKernels ctc;
  DistanceKernels distance;
  DropoutKernels dropout;
  ElementwiseKernels elementwise;
  FactorKernels factor;
  GemmKernels gemm;
  GridSampleKernels grid_sample;
  IndexKernels index;
  Int8Kernels int8;
  LossKernels loss;
  MovementKernels movement;
  OptimKernels optim;
  PatchKernels patches;
  PoolKernels pool;
  QuantizeKernels quantize;
  ReduceKernels reduce;
  ResampleKernels resample;
  RnnKernels rnn;
  RowNormKernels row_norm;
  SoftmaxKernels softmax;
  SortKernels sort;
  SparseKernels sparse;
};

// The table of the instruction set in use; csrc/dispatch.cpp chooses it.
const KernelTable& kernels();

}  // namespace mg
