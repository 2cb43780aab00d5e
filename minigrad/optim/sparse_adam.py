"""SparseAdam."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd.inplace import bump
from .optimizer import Optimizer, check_betas, check_lr, number, zeros_like


class SparseAdam(Optimizer):
    """Adam for sparse gradients: what has no gradient keeps its value and its averages.

    RuntimeError for dense gradients.
    """

    _scalar_states = ()  # the step is a Python number

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

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        state["step"] = 0
        state["exp_avg"] = zeros_like(p)
        state["exp_avg_sq"] = zeros_like(p)

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors = [p for p in group["params"] if p._grad is not None]
        for p in tensors:
            if not p._grad.is_sparse:
                raise RuntimeError(
                    "SparseAdam does not support dense gradients, please consider Adam instead"
                )
        averages, squares = self._arrays(tensors, group, "exp_avg", "exp_avg_sq")
        for p, average, square in zip(tensors, averages, squares, strict=True):
            state = self.state[p]
            state["step"] += 1
            grad = p._grad.detach().coalesce()
            places, values = tuple(grad.indices()._array), grad.values()._array
            if values.size:
                self._update(p._array, places, values, average, square, state["step"], group)
                bump(p)

    @staticmethod
    def _update(
        param: np.ndarray,
        places: tuple,
        values: np.ndarray,
        average: np.ndarray,
        square: np.ndarray,
        step: int,
        group: dict[str, Any],
    ) -> None:
        """Adam's rule for the given places of the arrays; each of them appears once."""
        scalar = param.dtype.type
        g = -values if group["maximize"] else values
        beta1, beta2 = group["betas"]
        m, v = average[places], square[places]
        m += (g - m) * scalar(1 - beta1)
        v += (g * g - v) * scalar(1 - beta2)
        average[places], square[places] = m, v
        rate = number(group["lr"]) * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        param[places] -= scalar(rate) * (m / (np.sqrt(v) + scalar(group["eps"])))
