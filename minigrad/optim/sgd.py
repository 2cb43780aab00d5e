"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from ..autograd import variable as _v
from ..autograd.row_grads import RowGrad, as_array
from ..kernels import cpu
from .optimizer import Optimizer, check_fused, check_lr, check_not_negative, number


class SGD(Optimizer):
    """Gradient descent, plain or with momentum: p -= lr * v, v = mu * v + (1 - dampening) * g.

    mu is `momentum`, g the gradient plus `weight_decay * p` (negated first with `maximize`). The
    first v is g; without momentum every v is. `nesterov`: p -= lr * (g + momentum * v).
    The exponential average v = beta * v + (1 - beta) * g is `momentum=beta, dampening=beta`
    (PyTorch's SGD starts it at v = g, not at 0). `foreach` and `fused` change nothing: one kernel
    updates the whole group.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_not_negative("momentum value", momentum)
        check_not_negative("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        check_fused(fused, foreach, differentiable)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _missing_options(self) -> dict[str, Any]:
        return {
            "nesterov": False,
            "maximize": False,
            "foreach": None,
            "differentiable": False,
            "fused": False,
        }

    def _dense_grad(self, p: Any, grad: Any, group: dict[str, Any]) -> Any:
        if group["fused"]:
            raise RuntimeError("`_fused_sgd` does not support sparse gradients")
        if group["weight_decay"] != 0:
            raise RuntimeError(
                "SGD: weight_decay is not compatible with sparse gradients: add(sparse, dense) is "
                "not supported"
            )
        rows = as_array(grad)
        if group["momentum"] != 0 or rows.__class__ is not RowGrad:
            return grad.to_dense()
        rate = number(group["lr"])  # without momentum the other rows do not change
        rows.add_to(p._array, rate if group["maximize"] else -rate)
        return None

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        momentum = group["momentum"]
        options = (
            number(group["lr"]),
            momentum,
            group["dampening"],
            number(group["weight_decay"]),
            group["nesterov"],
            group["maximize"],
        )
        if momentum == 0:
            cpu.sgd_step(params, grads, None, *options, False)
            return
        state = self.state
        buffers = []
        new = []
        for i, p in enumerate(tensors):
            buffer = state[p].get("momentum_buffer")
            if buffer is None:
                new.append(i)
            else:
                buffers.append(buffer._array)
        if new:
            self._first_step(new, tensors, params, grads, options)
            if len(new) == len(params):
                return
            kept = [i for i in range(len(params)) if i not in set(new)]
            params = [params[i] for i in kept]
            grads = [grads[i] for i in kept]
        cpu.sgd_step(params, grads, buffers, *options, False)

    def _first_step(
        self, new: list[int], tensors: list, params: list, grads: list, options: tuple
    ) -> None:
        """The step of the parameters that have no momentum buffer yet."""
        buffers = []
        for i in new:
            array = params[i].copy(order="K")
            buffers.append(array)
            self.state[tensors[i]]["momentum_buffer"] = _v.wrap(array)
        cpu.sgd_step([params[i] for i in new], [grads[i] for i in new], buffers, *options, True)
