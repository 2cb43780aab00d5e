"""RMSprop."""

from __future__ import annotations

from typing import Any

from ..kernels import cpu
from .optimizer import Optimizer, check_lr, check_not_negative, new_step, number, zeros_like


class RMSprop(Optimizer):
    """RMSprop (Hinton): p -= lr * g / (sqrt(s) + eps), s = alpha * s + (1 - alpha) * g^2.

    `centered` subtracts the square of the averaged gradient from s under the root; with `momentum`
    the quotients are summed in a buffer first. `foreach` and `capturable` change nothing: one
    kernel updates the whole group.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative("epsilon value", eps)
        check_not_negative("momentum value", momentum)
        check_not_negative("weight_decay value", weight_decay)
        check_not_negative("alpha value", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _missing_options(self) -> dict[str, Any]:
        return {
            "momentum": 0,
            "centered": False,
            "foreach": None,
            "maximize": False,
            "differentiable": False,
            "capturable": False,
        }

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        state["step"] = new_step(beside=p if group["capturable"] else None)
        state["square_avg"] = zeros_like(p)
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = zeros_like(p)

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        has_momentum, centered = group["momentum"] > 0, group["centered"]
        squares, steps = self._arrays(tensors, group, "square_avg", "step")
        buffers = self._arrays(tensors, group, "momentum_buffer")[0] if has_momentum else None
        averages = self._arrays(tensors, group, "grad_avg")[0] if centered else None
        cpu.rmsprop_step(
            params,
            grads,
            squares,
            buffers,
            averages,
            steps,
            number(group["lr"]),
            group["alpha"],
            group["eps"],
            number(group["weight_decay"]),
            group["momentum"],
            group["maximize"],
        )
