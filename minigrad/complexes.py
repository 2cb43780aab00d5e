"""PyTorch's functions of complex numbers, which raise an error that says they are not here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .ops._shape import need_tensor

__all__ = ["complex", "polar", "view_as_complex", "view_as_real"]


def _absent(name: str) -> Callable:
    """The function `name`, which raises NotImplementedError."""

    def function(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"{name}: complex numbers are not in minigrad, whose tensors are real; keep the real "
            "and the imaginary part as two tensors"
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "NotImplementedError: minigrad's tensors are real."
    return function


complex = _absent("complex")
polar = _absent("polar")
view_as_complex = _absent("view_as_complex")
cfloat, cdouble, chalf = (_absent(f"Tensor.{name}") for name in ("cfloat", "cdouble", "chalf"))


def view_as_real(input: Any) -> Any:
    """RuntimeError, as PyTorch's, for real tensors: there are no others."""
    need_tensor("view_as_real", input)
    raise RuntimeError("view_as_real is only supported for complex tensors")
