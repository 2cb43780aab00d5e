"""Lion."""

from __future__ import annotations

from typing import Any

from ..kernels import cpu
from .optimizer import Optimizer, check_betas, check_lr, check_not_negative, number, zeros_like


class Lion(Optimizer):
    """Lion (Chen et al., 2023): p -= lr * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * p).

    m = beta2 * m + (1 - beta2) * g afterwards. Steps have the same size in every element: the
    authors take a learning rate 3 to 10 times smaller than AdamW's, a weight decay so much larger.
    Not in PyTorch. `foreach` changes nothing: one kernel updates the whole group.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-4,
        betas: tuple = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_betas(betas)
        check_not_negative("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        state["exp_avg"] = zeros_like(p)

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        (averages,) = self._arrays(tensors, group, "exp_avg")
        cpu.lion_step(
            params,
            grads,
            averages,
            number(group["lr"]),
            *group["betas"],
            group["weight_decay"],
            group["maximize"],
        )
