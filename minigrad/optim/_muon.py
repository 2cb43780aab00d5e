"""Muon."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import bfloat16
from ..kernels import cpu
from ..ops import addmm, matmul
from .optimizer import Optimizer, check_lr, number, zeros_like

_ADJUSTMENTS = ("original", "match_rms_adamw")


class Muon(Optimizer):
    """Momentum whose matrices are made orthogonal by Newton-Schulz iterations (Jordan, 2024).

    For matrices only: the weights of hidden layers. b = momentum * b + (1 - momentum) * g; the step
    is `lr` times the orthogonal factor of b (of g moved towards b with `nesterov`), computed in
    bfloat16, times sqrt(max(1, rows / columns)) or, with `adjust_lr_fn="match_rms_adamw"`,
    0.2 * sqrt(max(rows, columns)). Weight decay is decoupled: p *= 1 - lr * weight_decay.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn is not None and adjust_lr_fn not in _ADJUSTMENTS:
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p._array.ndim != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with size: "
                        f"{p.size()}"
                    )

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        state["momentum_buffer"] = zeros_like(p._grad)

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        (buffers,) = self._arrays(tensors, group, "momentum_buffer")
        lr, momentum = number(group["lr"]), group["momentum"]
        cpu.lerp_tensors(buffers, grads, 1 - momentum)
        updates = buffers
        if group["nesterov"]:
            updates = [grad.copy() for grad in grads]
            cpu.lerp_tensors(updates, buffers, momentum)
        if group["weight_decay"] != 0:
            cpu.scale_tensors(params, 1 - lr * group["weight_decay"])
        for param, update in zip(params, updates, strict=True):
            unit = _unit(update, group["eps"])
            if not group["nesterov"] and update.dtype == unit.dtype:
                update[...] = unit  # PyTorch's update shares the memory of a bfloat16 buffer
            direction = _orthogonal(unit, group["ns_coefficients"], group["ns_steps"])
            rate = lr * _adjustment(group["adjust_lr_fn"], param.shape)
            wide = param.astype(np.float32) if param.itemsize == 2 else param
            wide -= direction.astype(wide.dtype) * wide.dtype.type(rate)
            if wide is not param:
                param[...] = wide.astype(param.dtype)


def _adjustment(kind: str | None, shape: tuple[int, ...]) -> float:
    rows, columns = shape
    if kind == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))


def _unit(matrix: np.ndarray, eps: float) -> np.ndarray:
    """The matrix over its Frobenius norm, in bfloat16."""
    dtype = bfloat16.numpy
    x = matrix.astype(dtype)
    norm = cpu.tensor_norms([np.ascontiguousarray(x)], 2.0)[0].astype(dtype).astype(np.float32)
    return (x.astype(np.float32) / max(norm, np.float32(eps))).astype(dtype)


def _orthogonal(
    matrix: np.ndarray, coefficients: tuple[float, float, float], steps: int
) -> np.ndarray:
    """A matrix near U V^T for one U S V^T in bfloat16: X = a X + (b A + c A A) X with A = X X^T."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = np.ascontiguousarray(matrix.T) if tall else matrix
    for _ in range(steps):
        gram = matmul(x, x.T)
        x = addmm(x, addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
