"""SparseAdam."""

from __future__ import annotations

from typing import Any

from .optimizer import Optimizer, check_betas, check_lr, number


class SparseAdam(Optimizer):
    """Adam for sparse gradients, which updates the rows that have one.

    Gradients here are dense: a step raises PyTorch's RuntimeError for them. Use Adam.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_lr(lr)
        if number(lr) == 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def _step_group(self, group: dict[str, Any]) -> None:
        if any(p._grad is not None for p in group["params"]):
            raise RuntimeError(
                "SparseAdam does not support dense gradients, please consider Adam instead"
            )
