// Comparisons, selection and operations of three operands, and the table of the whole family.
#include "kernels/elementwise.h"

#include "rows.h"
#include "vmath_double.h"
#include "vmath_more.h"
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

#define MG_TERNARY(Name, a, b, c, expression)              \
  struct Name {                                            \
    template <class V>                                     \
    MG_INLINE V apply(V a, V b, V c, const Params<V>& p) { \
      (void)p;                                             \
      return expression;                                   \
    }                                                      \
  };
MG_TERNARY(Addcmul, a, b, c, a + p.at[0] * b * c)
MG_TERNARY(Addcdiv, a, b, c, a + p.at[0] * b / c)
// From the nearer end, so that the weights 0 and 1 are exact.
MG_TERNARY(Lerp, a, b, c, abs(c) < lanes_of<V>(0.5) ? a + c * (b - a) : b - (b - a) * (1 - c))
MG_TERNARY(Logits, x, t, w, (1 - t) * x + softplus(-x) * (t * (w - 1) + 1))
MG_TERNARY(LogitsSlope, x, t, w, sigmoid(x) * (t * (w - 1) + 1) - w * t)
#undef MG_TERNARY
#undef MG_ROWS
#define MG_ROWS(Op) {ternary_row<Op, float>, ternary_row<Op, double>}

// In the order of TernaryOp.
const Row kTernary[][kFloatTypes] = {MG_ROWS(Addcmul), MG_ROWS(Addcdiv), MG_ROWS(Lerp)};
const Row kLogits[][kFloatTypes] = {MG_ROWS(Logits), MG_ROWS(LogitsSlope)};

}  // namespace

extern const Row kBinary[][kFloatTypes];
extern const Row kUnary[][kFloatTypes];

extern const ElementwiseKernels kElementwise = {
    walk_run, walk_copy, kBinary, kUnary, kCompare, kWhere, kTernary, kLogits,
};

}  // namespace mg::MG_ISA
