"""Forward-mode differentiation with dual tensors, which minigrad does not have."""

from __future__ import annotations

from typing import Any, NoReturn


def _missing(*args: Any, **kwargs: Any) -> NoReturn:
    raise NotImplementedError(
        "autograd.forward_ad: minigrad has no dual tensors; autograd.functional.jvp and func.jvp "
        "compute the same products"
    )


make_dual = unpack_dual = enter_dual_level = exit_dual_level = _missing


class dual_level:
    """A level of forward-mode differentiation: NotImplementedError on entering."""

    def __enter__(self) -> int:
        _missing()

    def __exit__(self, *exc: object) -> None:
        pass
