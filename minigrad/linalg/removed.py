"""Names that PyTorch has removed: calling one says what stands in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["eig", "lstsq", "matrix_rank", "solve", "symeig"]


def _removed(name: str, instead: str) -> Callable:
    def function(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            f"This function was deprecated since version 1.9 and is now removed. Instead of "
            f"torch.{name} use {instead}."
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"RuntimeError: use {instead}."
    return function


eig = _removed("eig", "torch.linalg.eig(A) or torch.linalg.eigvals(A)")
lstsq = _removed("lstsq", "torch.linalg.lstsq(A, B), whose arguments are in the other order")
matrix_rank = _removed("matrix_rank", "torch.linalg.matrix_rank(A, hermitian=symmetric)")
solve = _removed("solve", "torch.linalg.solve(A, B), whose arguments are in the other order")
symeig = _removed("symeig", "torch.linalg.eigh(A, UPLO='U' if upper else 'L')")
