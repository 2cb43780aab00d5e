"""Adam."""

from __future__ import annotations

from typing import Any

from ..autograd.variable import Variable
from ..kernels import cpu
from .optimizer import (
    Optimizer,
    check_fused,
    check_lr,
    check_not_negative,
    new_step,
    number,
    zeros_like,
)


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015): p -= lr * m' / (sqrt(v') + eps).

    m and v are exponential averages of g and g^2 with `betas`, m' and v' corrected for their start
    at 0. `weight_decay` is added to g, or shrinks p directly with `decoupled_weight_decay` (AdamW).
    `amsgrad` divides by the largest v so far. `foreach` and `fused` change nothing: one kernel
    updates the whole group. `capturable`: the count of steps stands on the parameter's device.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if foreach and not capturable:
            for name, value in (("lr", lr), ("betas[0]", betas[0]), ("betas[1]", betas[1])):
                if isinstance(value, Variable):
                    raise ValueError(
                        f"{name} as a Tensor is not supported for capturable=False and foreach=True"
                    )
        check_lr(lr)
        check_not_negative("epsilon value", eps)
        check_not_negative("weight_decay value", weight_decay)
        _check_betas(betas)
        check_fused(fused, foreach, differentiable)
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _missing_options(self) -> dict[str, Any]:
        return {
            "amsgrad": False,
            "maximize": False,
            "foreach": None,
            "capturable": False,
            "differentiable": False,
            "decoupled_weight_decay": False,
            "fused": None,
        }

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        names = ["exp_avg", "exp_avg_sq", "step"]
        if group["amsgrad"]:
            names.append("max_exp_avg_sq")
        averages, squares, steps, *largest = self._arrays(tensors, group, *names)
        beta1, beta2 = group["betas"]
        cpu.adam_step(
            params,
            grads,
            averages,
            squares,
            largest[0] if largest else None,
            steps,
            number(group["lr"]),
            number(beta1),
            number(beta2),
            group["eps"],
            number(group["weight_decay"]),
            group["decoupled_weight_decay"],
            group["maximize"],
        )

    def _dense_grad(self, p: Any, grad: Any, group: dict[str, Any]) -> Any:
        raise RuntimeError(
            "Adam does not support sparse gradients, please consider SparseAdam instead"
        )

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        state["step"] = new_step(beside=p if group["capturable"] else None)
        state["exp_avg"] = zeros_like(p)
        state["exp_avg_sq"] = zeros_like(p)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros_like(p)


def _check_betas(betas: Any) -> None:
    """ValueError unless they are two numbers, or two tensors of one element, in [0, 1)."""
    for i in (0, 1):
        if isinstance(betas[i], Variable) and betas[i]._array.size != 1:
            raise ValueError(f"Tensor betas[{i}] must be 1-element")
        if not 0.0 <= number(betas[i]) < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")
    if not any(all(isinstance(beta, kind) for beta in betas) for kind in (float, Variable)):
        raise ValueError("betas must be either both floats or both Tensors")
