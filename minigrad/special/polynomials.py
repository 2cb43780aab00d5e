"""Orthogonal polynomials of a degree that may differ from element to element. No gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..kernels.orthogonal import POLYNOMIALS
from ..ops._elementwise import Binary, binary
from ..ops._operands import need_one_tensor

__all__ = list(POLYNOMIALS)


def _define(name: str, kernel: Callable) -> Callable:
    def backward(self: Any, grad: Any) -> Any:
        raise NotImplementedError(f"the derivative for 'special_{name}' is not implemented.")

    body = {
        "__slots__": (),
        "cpu": staticmethod(kernel),
        "to_float": True,
        "title": f"special_{name}",
        "backward": backward,
    }
    cls = type("".join(part.title() for part in name.split("_")), (Binary,), body)

    def op(input: Any, n: Any, *, out: Any = None) -> Any:
        need_one_tensor(f"special_{name}", input, n)
        return binary(cls, input, n, out)

    op.__name__ = op.__qualname__ = name
    letter = name.rsplit("_", 1)[1]
    kind = name.rsplit("_polynomial", 1)[0].replace("_", " ")
    op.__doc__ = f"The {kind} polynomial {letter.title()}_n(input), elementwise; 0 for n < 0."
    return op


globals().update({name: _define(name, kernel) for name, kernel in POLYNOMIALS.items()})
