"""The optimizer steps in plain NumPy: fallback and oracle of the compiled ones.

Each function updates lists of arrays in place, tensor by tensor, in PyTorch's order of operations.
`steps` are arrays of one element that count the updates; they are incremented here. 16-bit floats
are computed in float32 and rounded when they are written back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["adagrad_step", "adam_step", "rmsprop_step", "sgd_step"]

Arrays = list[np.ndarray]


@contextlib.contextmanager
def _wide(*arrays: np.ndarray | None) -> Iterator[list[Any]]:
    """The arrays themselves, or float32 copies of 16-bit ones that are written back afterwards."""
    work = [a if a is None or a.itemsize > 2 else a.astype(np.float32) for a in arrays]
    with np.errstate(all="ignore"):
        yield work
        for array, wide in zip(arrays, work, strict=True):
            if wide is not array and array is not None and wide is not None:
                array[...] = wide.astype(array.dtype)


def _gradient(g: np.ndarray, p: np.ndarray, weight_decay: float, maximize: bool) -> np.ndarray:
    """The gradient in the computing type, with its sign and weight decay."""
    g = g.astype(p.dtype, copy=False)
    if maximize:
        g = -g
    return g + p.dtype.type(weight_decay) * p if weight_decay != 0 else g


def _lerp(start: np.ndarray, end: np.ndarray, weight: float) -> None:
    """start += weight * (end - start), in PyTorch's form, which is exact at both ends."""
    w = start.dtype.type(weight)
    if weight < 0.5:
        start += w * (end - start)
    else:
        start[...] = end - (end - start) * start.dtype.type(1 - weight)


def sgd_step(
    params: Arrays,
    grads: Arrays,
    momentum_buffers: Arrays | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """p -= lr * v with v = momentum * v + (1 - dampening) * g; v = g the `first` time.

    Without momentum, v is g (`momentum_buffers` is None). Nesterov: p -= lr * (g + momentum * v).
    """
    buffers: list = momentum_buffers if momentum_buffers is not None else [None] * len(params)
    for param, grad, buffer in zip(params, grads, buffers, strict=True):
        with _wide(param, buffer) as (p, v):
            scalar = p.dtype.type
            g = _gradient(grad, p, weight_decay, maximize)
            if v is not None:
                if first:
                    v[...] = g
                else:
                    v *= scalar(momentum)
                    v += scalar(1 - dampening) * g
                g = g + scalar(momentum) * v if nesterov else v
            p += scalar(-lr) * g


def adam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    max_exp_avg_sqs: Arrays | None,
    steps: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """Adam (Kingma and Ba, 2015); AdamW if `decoupled`; AMSGrad with `max_exp_avg_sqs`."""
    largest: list = max_exp_avg_sqs if max_exp_avg_sqs is not None else [None] * len(params)
    for param, grad, exp_avg, exp_avg_sq, max_sq, step in zip(
        params, grads, exp_avgs, exp_avg_sqs, largest, steps, strict=True
    ):
        step += 1
        t = float(step)
        size = lr / (1 - beta1**t)
        root = (1 - beta2**t) ** 0.5
        with _wide(param, exp_avg, exp_avg_sq, max_sq) as (p, m, v, w):
            scalar = p.dtype.type
            g = _gradient(grad, p, 0.0 if decoupled else weight_decay, maximize)
            if decoupled and weight_decay != 0:
                p *= scalar(1 - lr * weight_decay)
            _lerp(m, g, 1 - beta1)
            v *= scalar(beta2)
            v += scalar(1 - beta2) * g * g
            if w is not None:
                np.maximum(w, v, out=w)
                v = w
            denominator = np.sqrt(v) / scalar(root) + scalar(eps)
            p += scalar(-size) * m / denominator


def rmsprop_step(
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    momentum_buffers: Arrays | None,
    grad_avgs: Arrays | None,
    steps: Arrays,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """RMSprop (Hinton); centered with `grad_avgs`, with momentum if there are buffers."""
    buffers: list = momentum_buffers if momentum_buffers is not None else [None] * len(params)
    averages: list = grad_avgs if grad_avgs is not None else [None] * len(params)
    for param, grad, square_avg, buffer, grad_avg, step in zip(
        params, grads, square_avgs, buffers, averages, steps, strict=True
    ):
        step += 1
        with _wide(param, square_avg, buffer, grad_avg) as (p, s, b, a):
            scalar = p.dtype.type
            g = _gradient(grad, p, weight_decay, maximize)
            s *= scalar(alpha)
            s += scalar(1 - alpha) * g * g
            if a is None:
                root = np.sqrt(s)
            else:
                _lerp(a, g, 1 - alpha)
                root = np.sqrt(s - a * a)
            root = root + scalar(eps)
            if b is None:
                p += scalar(-lr) * g / root
            else:
                b *= scalar(momentum)
                b += g / root
                p += scalar(-lr) * b


def adagrad_step(
    params: Arrays,
    grads: Arrays,
    sums: Arrays,
    steps: Arrays,
    lr: float,
    lr_decay: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Adagrad (Duchi et al., 2011): p -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(sum) + eps)."""
    for param, grad, total, step in zip(params, grads, sums, steps, strict=True):
        step += 1
        rate = lr / (1 + (float(step) - 1) * lr_decay)
        with _wide(param, total) as (p, s):
            g = _gradient(grad, p, weight_decay, maximize)
            s += g * g
            p += p.dtype.type(-rate) * g / (np.sqrt(s) + p.dtype.type(eps))
