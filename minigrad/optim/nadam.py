"""NAdam."""

from __future__ import annotations

from typing import Any

from ..kernels import cpu
from .optimizer import Optimizer, check_moments, check_not_negative, new_step, number, zeros_like


class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016).

    p -= lr * ((1 - mu) / (1 - M) * g + mu_next / (1 - M * mu_next) * m) / (sqrt(v') + eps) with
    v' = v / (1 - beta2^t), mu = beta1 * (1 - 0.96^(t * momentum_decay) / 2) and M the product of
    all mu so far.
    `weight_decay` is added to g, or shrinks p directly with `decoupled_weight_decay`. `foreach` and
    `capturable` change nothing: one kernel updates the whole group.
    """

    _scalar_states = ("step", "mu_product")

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_moments(lr, betas, eps, weight_decay)
        check_not_negative("momentum_decay value", momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
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
        state["mu_product"] = new_step(1.0)
        state["exp_avg"] = zeros_like(p)
        state["exp_avg_sq"] = zeros_like(p)

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        states = self._arrays(tensors, group, "exp_avg", "exp_avg_sq", "step", "mu_product")
        cpu.nadam_step(
            params,
            grads,
            *states,
            number(group["lr"]),
            *group["betas"],
            group["eps"],
            group["weight_decay"],
            group["momentum_decay"],
            group["decoupled_weight_decay"],
            group["maximize"],
        )
