"""The optimizer steps: compiled, or in NumPy where those refuse a layout or dtype."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _C, numpy_adafactor, numpy_optim, numpy_optim_more

__all__ = [
    "adadelta_step",
    "adafactor_step",
    "adagrad_step",
    "adam_step",
    "adamax_step",
    "asgd_step",
    "lamb_step",
    "lerp_tensors",
    "lion_step",
    "nadam_step",
    "radam_step",
    "rmsprop_step",
    "rprop_step",
    "scale_tensors",
    "sgd_step",
    "tensor_norms",
]


def _compiled(plain: Callable[..., None]) -> Callable[..., None]:
    """The compiled function of that name, which says False if it leaves the work to NumPy."""
    kernel = getattr(_C, plain.__name__)

    @functools.wraps(plain)
    def step(*args: Any) -> None:
        if not kernel(*args):
            plain(*args)

    return step


sgd_step = _compiled(numpy_optim.sgd_step)
adam_step = _compiled(numpy_optim.adam_step)
rmsprop_step = _compiled(numpy_optim.rmsprop_step)
adagrad_step = _compiled(numpy_optim.adagrad_step)
nadam_step = _compiled(numpy_optim_more.nadam_step)
radam_step = _compiled(numpy_optim_more.radam_step)
adamax_step = _compiled(numpy_optim_more.adamax_step)
adadelta_step = _compiled(numpy_optim_more.adadelta_step)
asgd_step = _compiled(numpy_optim_more.asgd_step)
rprop_step = _compiled(numpy_optim_more.rprop_step)
lion_step = _compiled(numpy_optim_more.lion_step)
lamb_step = _compiled(numpy_optim_more.lamb_step)
lerp_tensors = _compiled(numpy_optim_more.lerp_tensors)
adafactor_step = _compiled(numpy_adafactor.adafactor_step)
scale_tensors = _compiled(numpy_optim_more.scale_tensors)

_ORDERS = {1.0: 1, 2.0: 2, float("inf"): 0}


def tensor_norms(arrays: list[np.ndarray], order: float) -> np.ndarray:
    """The vector norm of every array, in float64. See `numpy_optim_more.tensor_norms`."""
    code = _ORDERS.get(order)
    norms = _C.tensor_norms(arrays, code) if code is not None else None
    return numpy_optim_more.tensor_norms(arrays, order) if norms is None else norms
