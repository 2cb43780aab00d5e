"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ... import ops
from ...autograd.variable import Variable


def parameters_to_vector(parameters: Iterable[Any]) -> Any:
    """The elements of all parameters in one 1-d tensor (differentiable)."""
    return ops.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Lets each parameter's data be its part of `vec` (they share memory with it)."""
    if not isinstance(vec, Variable):
        raise TypeError(f"expected torch.Tensor, but got: {vec.__class__.__name__}")
    array = vec._array
    start = 0
    for p in parameters:
        shape = p._array.shape
        part = array[start : start + p._array.size]
        if part.size != p._array.size:
            raise RuntimeError(
                f"shape '{list(shape)}' is invalid for input of size {part.size}: vec has "
                f"{array.size} elements, too few for the parameters"
            )
        p._array = part.reshape(shape)
        start += part.size
