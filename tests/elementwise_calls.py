"""The elementwise kernels by their names: None, what NumPy would have to do, is a failure."""

from __future__ import annotations

import numpy as np

from minigrad.kernels import fast


def unary(name: str, x: np.ndarray) -> np.ndarray:
    result = fast.fast_unary(object, fast.spec(name, 1, (), (), False), x)
    assert result is not None
    return result


def binary(name: str, x: object, y: object) -> np.ndarray:
    result = fast.fast_binary(object, fast.spec(name, 2, (), (), False), x, y)
    assert result is not None
    return result
