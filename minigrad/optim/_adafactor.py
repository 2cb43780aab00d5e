"""Adafactor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..dtypes import finfo, from_numpy
from ..kernels import cpu
from .optimizer import Optimizer, check_lr, new_step, number, zeros_like


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern, 2018): of a matrix's squared gradients, rows and columns.

    The averages of g^2 over the rows and over the columns of a matrix (the last two dimensions)
    stand for Adam's average: memory for R + C numbers instead of R * C. Their weight at step t is
    t^beta2_decay. The step is max(eps[1], RMS(p)) * min(lr, 1 / sqrt(t)) times the normed gradient,
    whose RMS is clipped to `d`. eps[0] (default: the dtype's) bounds the averages from below.
    `foreach` changes nothing.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _missing_options(self) -> dict[str, Any]:
        return {"foreach": None}

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        state["step"] = new_step()
        grad = p._grad
        array = grad._array
        if array.ndim > 1:
            *others, rows, columns = array.shape
            state["row_var"] = _v.wrap(np.zeros((*others, rows, 1), array.dtype))
            state["col_var"] = _v.wrap(np.zeros((*others, 1, columns), array.dtype))
        else:
            state["variance"] = zeros_like(grad)

    def _step_group(self, group: dict[str, Any]) -> None:
        tensors, params, grads = self._gather(group)
        if not params:
            return
        (steps,) = self._arrays(tensors, group, "step")
        states = [self.state[p] for p in tensors]
        rows = [state["row_var" if "row_var" in state else "variance"]._array for state in states]
        columns = [state["col_var"]._array if "col_var" in state else None for state in states]
        eps1, eps2 = group["eps"]
        if eps1 is None:
            eps1 = finfo(from_numpy(params[0].dtype)).eps
        cpu.adafactor_step(
            params,
            grads,
            rows,
            columns,
            steps,
            number(group["lr"]),
            group["beta2_decay"],
            eps1,
            eps2,
            group["d"],
            group["weight_decay"],
            group["maximize"],
        )
