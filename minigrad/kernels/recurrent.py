"""Recurrent layers, one direction of one layer: compiled, or in NumPy for what that does not take.

16-bit floats are computed in float32 and rounded at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import numpy_recurrent
from .nn import _narrow, _wide
from .numpy_recurrent import GRU, LSTM, RELU, TANH

__all__ = ["GRU", "LSTM", "RELU", "TANH", "recurrent", "recurrent_backward"]


def _ready(array: Any) -> Any:
    """An operand in float32 or float64 and in C order; None stays None."""
    return None if array is None else np.ascontiguousarray(_wide(array))


def recurrent(mode: int, reverse: bool, sizes: Any, *operands: Any) -> tuple:
    """See `numpy_recurrent.recurrent`."""
    dtype = operands[0].dtype
    out, h, c, *kept = numpy_recurrent.recurrent(mode, reverse, sizes, *map(_ready, operands))
    return _narrow(out, dtype), _narrow(h, dtype), c if c is None else _narrow(c, dtype), *kept


def recurrent_backward(mode: int, reverse: bool, sizes: Any, grads: tuple, *rest: Any) -> tuple:
    """See `numpy_recurrent.recurrent_backward`."""
    *operands, want = rest
    dtype = operands[0].dtype
    found = numpy_recurrent.recurrent_backward(
        mode, reverse, sizes, tuple(map(_ready, grads)), *map(_ready, operands), want
    )
    return tuple([g if g is None else _narrow(g, dtype) for g in found])
