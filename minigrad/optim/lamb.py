"""LAMB."""

from __future__ import annotations

from typing import Any

from ..kernels import cpu
from .optimizer import Optimizer, check_moments, new_step, number, zeros_like


class LAMB(Optimizer):
    """LAMB (You et al., 2020): p -= lr * |p| / |u| * u.

    u = m' / (sqrt(v') + eps) + weight_decay * p; m' and v' are Adam's averages, corrected for
    their start at 0; the norms are each tensor's, and their ratio is 1 where one of them is 0. For
    large batches. Not in PyTorch. `foreach` changes nothing: one kernel updates the whole group.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_moments(lr, betas, eps, weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        state["step"] = new_step()
        state["exp_avg"] = zeros_like(p)
        state["exp_avg_sq"] = zeros_like(p)

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        states = self._arrays(tensors, group, "exp_avg", "exp_avg_sq", "step")
        cpu.lamb_step(
            params,
            grads,
            *states,
            number(group["lr"]),
            *group["betas"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
