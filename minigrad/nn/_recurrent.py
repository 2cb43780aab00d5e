"""What recurrent layers and cells share."""

from __future__ import annotations

from typing import Any

from ..ops._nn import torch_name


def need_one_dtype(x: Any, states: tuple, weights: tuple) -> None:
    """RuntimeError, as PyTorch's of its products, unless all tensors have one dtype."""
    dtype = weights[0]._array.dtype
    for one in (x, *states, *weights):
        if one is not None and one._array.dtype != dtype:
            raise RuntimeError(
                "mat1 and mat2 must have the same dtype, but got "
                f"{torch_name(one._array)} and {torch_name(weights[0]._array)}"
            )
