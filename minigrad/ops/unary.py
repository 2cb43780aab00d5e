"""Functions of one operand."""

from __future__ import annotations

from typing import Any

from ._elementwise import Unary, unary
from .arith import mul

__all__ = ["exp"]


class Exp(Unary):
    """e^input."""

    __slots__ = ()
    kernel = "exp"
    to_float = True
    saves_output = (0,)
    fresh = True

    def backward(self, grad: Any) -> Any:
        """grad * e^input."""
        return mul(grad, self.saved[0])


def exp(input: Any, *, out: Any = None) -> Any:
    """`e ** input`, elementwise."""
    return unary(Exp, input, out)
