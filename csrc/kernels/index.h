// Contract of the index family: elements taken from, written to and added at numbered places of
// one dimension of a table; arrays joined along a dimension.
//
//   shapes       `Places` walks over the elements that are moved: for each the strides of the
//                table (0 along the indexed dimension), of the index (0 where one number serves
//                several elements) and of the other array (the result, or the values)
//   index        int64, in [low, count); negative numbers count from the end. It is checked while
//                it is read, a line before the line's elements are moved: a kernel returns false,
//                and what it has written means nothing, where a number is out of range
//   aliasing     none
//   order        add: an element's values are added in the order of the walk, as is written (the
//                last one stays); so the walk must be in C order of the index
//   workspace    none
//   determinism  bitwise equal for every thread count
#pragma once

#include "kernels/elementwise.h"

namespace mg {

struct Places {
  int ndim;                  // 1 .. kWalkDims
  int64_t size;              // elements
  int64_t shape[kWalkDims];  // outermost first
  int64_t table[kWalkDims];  // strides, in elements
  int64_t index[kWalkDims];
  int64_t other[kWalkDims];
  bool along[kWalkDims];  // a dimension of the index that runs along the indexed dimension
  int64_t step;           // stride of the table along the indexed dimension
  int64_t count;          // extent of the indexed dimension
  int64_t low;            // -count or 0: whether some numbers may count from the end
  bool checked;           // `valid` has seen the index
  int64_t skip;           // add: rows with this number count nothing; -1: none. Only where the
                          // innermost stride of the index is 0
};

// Types that are added; integers wrap around, so the sign does not matter.
enum class AddType { kUInt8, kUInt16, kUInt32, kUInt64, kFloat32, kFloat64, kCount };

enum class CombineOp { kProduct, kLargest, kSmallest };  // NaN is the extremum

struct IndexKernels {
  // Whether every number of the index is in its range, for what is to be written in place.
  bool (*valid)(const int64_t* index, const Places& places);
  // other = table at the places; elements of `item` = 1, 2, 4 or 8 bytes.
  bool (*take)(void* other, const void* table, const int64_t* index, int64_t item,
               const Places& places);
  // table at the places = other.
  bool (*put)(void* table, const void* other, const int64_t* index, int64_t item,
              const Places& places);
  // table at the places += other.
  bool (*add)(void* table, const void* other, const int64_t* index, AddType type,
              const Places& places);
  // table at the places = op of it and other: float32, float64 and (kUInt64) signed int64.
  bool (*combine)(void* table, const void* other, const int64_t* index, AddType type, CombineOp op,
                  const Places& places);
  void (*zero)(void* out, int64_t bytes);
  // out (outer, sum of bytes): the rows (outer, bytes[k]) of `count` dense arrays side by side.
  void (*join)(void* out, const void* const* in, const int64_t* bytes, int64_t count,
               int64_t outer);
};

}  // namespace mg
