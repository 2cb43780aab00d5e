"""Counter-based random bits in NumPy: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw 2011).

The bits of a position are a function of (seed, position) alone: any part of a stream can be
computed again, in any order, and nothing has to be kept for backward.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_CHUNK = 1 << 14  # blocks of four words at a time: the arrays stay in the second-level cache


def philox(seed: int, offset: int, blocks: int) -> Any:
    """uint32 words (blocks, 4): those of the counters offset, offset + 1, ...; key = seed."""
    out = np.empty((blocks, 4), np.uint32)
    for start in range(0, blocks, _CHUNK):
        part = out[start : start + _CHUNK]
        _rounds(part, seed, offset + start)
    return out


def _rounds(out: Any, seed: int, counter: Any) -> None:
    whole = counter.__class__ is int  # else it stands on a device
    first = np.uint64(counter & 0xFFFFFFFFFFFFFFFF) if whole else counter.astype(np.uint64)
    index = np.arange(len(out), dtype=np.uint64) + first
    c0, c1 = index & _LOW, index >> _32
    c2 = np.zeros_like(index)
    c3 = np.zeros_like(index)
    k0, k1 = seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (
            (p1 >> _32) ^ c1 ^ np.uint64(k0),
            p1 & _LOW,
            (p0 >> _32) ^ c3 ^ np.uint64(k1),
            p0 & _LOW,
        )
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    for i, c in enumerate((c0, c1, c2, c3)):
        out[:, i] = c


def philox_mask(seed: int, offset: int, n: int, keep: float) -> Any:
    """n booleans, each True with probability `keep` (in steps of 2^-32)."""
    threshold = min(int(keep * 4294967296.0), 1 << 32)
    if threshold <= 0 or threshold >= 1 << 32:
        return np.full(n, threshold > 0)
    words = philox(seed, offset, -(-n // 4)).reshape(-1)[:n]
    return words < np.uint32(threshold)


def philox_dropout(
    x: Any, seed: int, offset: int, keep: float, scale: float, kept: float, dropped: float
) -> Any:
    """x * mask * scale + (kept where the mask is True, dropped elsewhere), with `philox_mask`."""
    mask = philox_mask(seed, offset, x.size, keep).reshape(x.shape)
    y = dropout(x, mask, scale)
    if kept or dropped:
        y += np.where(mask, kept, dropped).astype(x.dtype)
    return y


def dropout(x: Any, mask: Any, scale: float) -> Any:
    """x * mask * scale; mask broadcasts against x. Not finite values stay so where dropped."""
    noise = mask.astype(x.dtype)
    noise *= x.dtype.type(scale)
    return x * noise
