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
// Uniforms u in [0, 1) as low + u * (high - low) with one rounding; where that rounds to high, low.
void stream_uniform(uint32_t* state, float* out, int64_t n, double low, double high);
void stream_uniform(uint32_t* state, double* out, int64_t n, double low, double high);
// n >= 16 normals, made of blocks of 16 uniforms (Box and Muller; in float32 with the
// approximations of Cephes). The last 16 are drawn anew if n is no multiple of 16.
void stream_normal(uint32_t* state, float* out, int64_t n, double mean, double std);
void stream_normal(uint32_t* state, double* out, int64_t n, double mean, double std);
// low + draw % span, 0 < span < 2^32.
void stream_integers(uint32_t* state, int64_t* out, int64_t n, int64_t low, uint32_t span);
// Permutes n values: swaps each i but the last with i + draw % (n - i).
void stream_shuffle(uint32_t* state, int64_t* data, int64_t n);

}  // namespace mg
