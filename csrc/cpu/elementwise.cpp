// Comparisons and selection, and the table of the whole family.
#include "kernels/elementwise.h"

#include "rows.h"
#include "walk.h"

namespace mg::MG_ISA {
namespace {

#define MG_COMPARE(Name, operation)  \
  struct Name {                      \
    template <class V>               \
    MG_INLINE auto apply(V a, V b) { \
      return a operation b;          \
    }                                \
  };
MG_COMPARE(Eq, ==)
MG_COMPARE(Ne, !=)
MG_COMPARE(Lt, <)
MG_COMPARE(Le, <=)
MG_COMPARE(Gt, >)
MG_COMPARE(Ge, >=)
#undef MG_COMPARE

#define MG_ROWS(Op) {compare_row<Op, float>, compare_row<Op, double>}

// In the order of CompareOp.
const Row kCompare[][kFloatTypes] = {
    MG_ROWS(Eq), MG_ROWS(Ne), MG_ROWS(Lt), MG_ROWS(Le), MG_ROWS(Gt), MG_ROWS(Ge),
};
const Row kWhere[kFloatTypes] = {
    where_row<float>,
    where_row<double>,
};

}  // namespace

extern const Row kBinary[][kFloatTypes];
extern const Row kUnary[][kFloatTypes];

extern const ElementwiseKernels kElementwise = {
    walk_run, walk_copy, kBinary, kUnary, kCompare, kWhere,
};

}  // namespace mg::MG_ISA
