"""Rprop."""

from __future__ import annotations

from typing import Any

from ..kernels import cpu
from .optimizer import Optimizer, check_lr, new_step, number, zeros_like


class Rprop(Optimizer):
    """Resilient backpropagation (Riedmiller and Braun, 1993): p -= sign(g) * step size.

    An element's step size starts at `lr` and is multiplied by etas[1] where g has kept its sign, by
    etas[0] where it has changed it (there this step is left out), and kept within `step_sizes`.
    `foreach` and `capturable` change nothing: one kernel updates the whole group.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        etas: tuple = (0.5, 1.2),
        step_sizes: tuple = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
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
        state["prev"] = zeros_like(p)
        state["step_size"] = zeros_like(p, number(group["lr"]))

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        states = self._arrays(tensors, group, "prev", "step_size", "step")
        cpu.rprop_step(
            params,
            grads,
            *states,
            *group["etas"],
            *group["step_sizes"],
            group["maximize"],
        )
