// Convolutions of arrays, for the file that records them.
#pragma once

#include "bindings/array.h"
#include "kernels/conv.h"

namespace mg {

// Which of the three arrays of `ConvShape` is computed from the others.
enum class ConvResult { kForward, kInput, kWeight };

// Writes `out` (g, x or w) from a and b (x and w, g and w, x and g) and a bias, which need not be
// there; all are known to belong to `s`. True, or False where nothing is done (see ConvKernels).
PyObject* run_convolution(const char* kernel, ConvResult which, const Array& out, const Array& a,
                          const Array& b, const Array& bias, const ConvShape& s);

}  // namespace mg
