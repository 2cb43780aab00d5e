"""Adamax."""

from __future__ import annotations

from typing import Any

from ..kernels import cpu
from .optimizer import Optimizer, check_moments, new_step, number, zeros_like


class Adamax(Optimizer):
    """Adam with the infinity norm (Kingma and Ba, 2015): p -= lr / (1 - beta1^t) * m / u.

    m is the exponential average of g and u = max(beta2 * u, |g| + eps). `foreach` and `capturable`
    change nothing: one kernel updates the whole group.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
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
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _missing_options(self) -> dict[str, Any]:
        return {"foreach": None, "maximize": False, "capturable": False, "differentiable": False}

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        state["step"] = new_step()
        state["exp_avg"] = zeros_like(p)
        state["exp_inf"] = zeros_like(p)

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        states = self._arrays(tensors, group, "exp_avg", "exp_inf", "step")
        cpu.adamax_step(
            params,
            grads,
            *states,
            number(group["lr"]),
            *group["betas"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
