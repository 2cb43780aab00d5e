"""Recurrent layers, one direction of one layer: compiled, or in NumPy for what that does not take.

16-bit floats are computed in float32 and rounded at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C, numpy_recurrent
from .nn import _narrow, _wide
from .numpy_recurrent import GRU, LSTM, RELU, TANH

__all__ = ["GRU", "LSTM", "RELU", "TANH", "recurrent", "recurrent_backward"]


def _ready(array: Any) -> Any:
    """An operand in float32 or float64 and in C order; None stays None."""
    return None if array is None else np.ascontiguousarray(_wide(array))


def recurrent(mode: int, reverse: bool, sizes: Any, *operands: Any) -> tuple:
    """See `numpy_recurrent.recurrent`."""
    done = _C.recurrent(mode, reverse, sizes, *operands)
    if done is not None:
        return done
    dtype = operands[0].dtype
    given = tuple(map(_ready, operands))
    done = _C.recurrent(mode, reverse, sizes, *given)
    if done is None:
        done = numpy_recurrent.recurrent(mode, reverse, sizes, *given)
    out, h, c, *kept = done
    return _narrow(out, dtype), _narrow(h, dtype), c if c is None else _narrow(c, dtype), *kept


def recurrent_backward(mode: int, reverse: bool, sizes: Any, grads: tuple, *rest: Any) -> tuple:
    """See `numpy_recurrent.recurrent_backward`."""
    done = _C.recurrent_backward(mode, reverse, sizes, grads, *rest)
    if done is not None:
        return done
    *operands, want = rest
    dtype = operands[0].dtype
    grads, given = tuple(map(_ready, grads)), tuple(map(_ready, operands))
    done = _C.recurrent_backward(mode, reverse, sizes, grads, *(*given, want))
    if done is None:
        done = numpy_recurrent.recurrent_backward(mode, reverse, sizes, grads, *(*given, want))
    return tuple([g if g is None else _narrow(g, dtype) for g in done])
