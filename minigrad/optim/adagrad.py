"""Adagrad."""

from __future__ import annotations

from typing import Any

from ..autograd.row_grads import RowGrad, as_array
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


class Adagrad(Optimizer):
    """Adagrad (Duchi et al., 2011): p -= rate * g / (sqrt(sum of g^2) + eps).

    The rate of step t is lr / (1 + (t - 1) * lr_decay); the sums start at
    `initial_accumulator_value`. `foreach` and `fused` change nothing: one kernel updates the whole
    group.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_not_negative("lr_decay value", lr_decay)
        check_not_negative("weight_decay value", weight_decay)
        check_not_negative("initial_accumulator_value value", initial_accumulator_value)
        check_not_negative("epsilon value", eps)
        check_fused(fused, foreach, differentiable)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                self._start(self.state[p], p, group)

    def _dense_grad(self, p: Any, grad: Any, group: dict[str, Any]) -> Any:
        if group["weight_decay"] != 0:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")
        taken = as_array(grad)
        if taken.__class__ is not RowGrad or p._array.dtype.itemsize == 2:
            return grad.to_dense()
        rows, values = taken.summed()  # the other rows do not change
        state = self.state[p]
        param, sums = cpu.embedding(p._array, rows), cpu.embedding(state["sum"]._array, rows)
        self._update([param], [values], [sums], [state["step"]._array], group)
        p._array[rows], state["sum"]._array[rows] = param, sums
        return None

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        state["step"] = new_step()
        state["sum"] = zeros_like(p, group["initial_accumulator_value"])

    def _missing_options(self) -> dict[str, Any]:
        return {"foreach": None, "maximize": False, "differentiable": False, "fused": None}

    def share_memory(self) -> None:
        """Moves the sums to memory that other processes see, too."""
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["sum"].share_memory_()

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        sums, steps = self._arrays(tensors, group, "sum", "step")
        self._update(params, grads, sums, steps, group)

    @staticmethod
    def _update(params: list, grads: list, sums: list, steps: list, group: dict[str, Any]) -> None:
        cpu.adagrad_step(
            params,
            grads,
            sums,
            steps,
            number(group["lr"]),
            group["lr_decay"],
            group["eps"],
            number(group["weight_decay"]),
            group["maximize"],
        )
