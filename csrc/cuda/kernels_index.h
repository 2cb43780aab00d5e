// Elements at numbered places on the GPU. Contract: csrc/kernels/index.h, except that
//
//   index        negative numbers count from the end only with `wrap`; a number out of range leaves
//                *bad = 1 (unless it is nullptr); `take` gives bytes of ones there (NaN), `put` and
//                `add` leave it out
//   order        put: which of several values for one place stays is not told
//   determinism  add: not, where places repeat (atomic additions); add_sorted: yes
#pragma once

#include "cuda/kernels_elementwise.h"
#include "kernels/index.h"

namespace mg::cuda {

// The walk over the elements that are moved: operand 0 is the other array, 1 the table (stride 0
// along the indexed dimension), 2 the index.
struct IndexCall {
  StridedWalk<3> walk;
  void* other;
  void* table;
  const int64_t* index;
  int64_t step, count;  // of the table along the indexed dimension
  int32_t* bad;
  bool wrap;
};

// table (count, width) += the rows of `rows` (n, width) by their numbers; order sorts the numbers,
// stably. Rows with the number `skip` count nothing.
struct SortedRows {
  DType type;
  void* table;
  const void* rows;
  const int64_t *index, *order;
  int64_t n, width, count, skip;
  int32_t* bad;
};

// index.cu
Error take(int64_t item, const IndexCall& call, Stream stream);
Error put(int64_t item, const IndexCall& call, Stream stream);
// float32 or float64.
Error add(bool twice, const IndexCall& call, Stream stream);
Error add_sorted(const SortedRows& call, Stream stream);

}  // namespace mg::cuda
