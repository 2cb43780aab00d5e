"""RAdam."""

from __future__ import annotations

from typing import Any

from ..kernels import cpu
from .optimizer import Optimizer, check_moments, new_step, number, zeros_like


class RAdam(Optimizer):
    """Adam with a rectified learning rate (Liu et al., 2020).

    While the average of g^2 is over too few steps (r <= 5 below) its root is left out; after that
    the step is multiplied by sqrt((r - 4) (r - 2) r0 / ((r0 - 4) (r0 - 2) r)) with
    r0 = 2 / (1 - beta2) - 1 and r = r0 - 2 t beta2^t / (1 - beta2^t). `weight_decay` is added to g,
    or shrinks p directly with `decoupled_weight_decay`. `foreach` and `capturable` change nothing:
    one kernel updates the whole group.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_moments(lr, betas, eps, weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _missing_options(self) -> dict[str, Any]:
        return {
            "foreach": None,
            "maximize": False,
            "capturable": False,
            "differentiable": False,
            "decoupled_weight_decay": False,
        }

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        state["step"] = new_step()
        state["exp_avg"] = zeros_like(p)
        state["exp_avg_sq"] = zeros_like(p)

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        states = self._arrays(tensors, group, "exp_avg", "exp_avg_sq", "step")
        cpu.radam_step(
            params,
            grads,
            *states,
            number(group["lr"]),
            *group["betas"],
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
            group["maximize"],
        )
