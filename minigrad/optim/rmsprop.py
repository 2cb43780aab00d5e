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

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        squares, steps = [], []
        buffers: list | None = [] if group["momentum"] > 0 else None
        averages: list | None = [] if group["centered"] else None
        for p in tensors:
            state = self.state[p]
            if not state:
                state["step"] = new_step()
                state["square_avg"] = zeros_like(p)
                if buffers is not None:
                    state["momentum_buffer"] = zeros_like(p)
                if averages is not None:
                    state["grad_avg"] = zeros_like(p)
            squares.append(state["square_avg"]._array)
            steps.append(state["step"]._array)
            if buffers is not None:
                buffers.append(state["momentum_buffer"]._array)
            if averages is not None:
                averages.append(state["grad_avg"]._array)
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
