// The stream of random numbers: MT19937 over a state of 625 words (624 and the number used), and
// what PyTorch's CPU generator makes of its outputs, bit for bit. Serial: one draw after the other.
#pragma once

#include "common.h"

namespace mg {

constexpr int kStreamWords = 624;

void stream_seed(uint32_t* state, uint32_t seed);
// The next n outputs.
void stream_draw32(uint32_t* state, uint32_t* out, int64_t n);
// Pairs of outputs, the first in the high half.
void stream_draw64(uint32_t* state, uint64_t* out, int64_t n);
// Multiples of 2^-24 in [0, 1), one output each; of 2^-53, two outputs each.
void stream_uniform32(uint32_t* state, float* out, int64_t n);
void stream_uniform64(uint32_t* state, double* out, int64_t n);
// Turns blocks of 16 uniforms into normals, in place (Box and Muller; in float32 with the
// approximations of Cephes).
void stream_normal_blocks(float* data, int64_t blocks);
void stream_normal_blocks(double* data, int64_t blocks);
// Permutes n values: swaps each i but the last with i + draw % (n - i).
void stream_shuffle(uint32_t* state, int64_t* data, int64_t n);

}  // namespace mg
