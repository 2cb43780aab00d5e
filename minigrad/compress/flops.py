"""Floating-point operations of one forward pass, counted from the shapes of what it calls.

A multiplication and an addition count as two, and only products of matrices, convolutions and
attention count, as in `torch.utils.flop_counter`.
"""

from __future__ import annotations

import inspect
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn
from ..dispatch import plain
from ..overrides import TorchFunctionMode
from ._run import arguments, evaluating, tensors_in

__all__ = ["count_flops", "peak_memory"]


def _bound(func: Callable, args: tuple, kwargs: dict) -> dict[str, Any]:
    call = inspect.signature(plain(func)).bind_partial(*args, **kwargs)
    call.apply_defaults()
    return call.arguments


def _linear(func: Callable, args: tuple, kwargs: dict, out: Any) -> int:
    return 2 * out.numel() * args[0].shape[-1]


def _conv(func: Callable, args: tuple, kwargs: dict, out: Any) -> int:
    call = _bound(func, args, kwargs)
    each = math.prod(call["weight"].shape[1:])  # for an element of the side that is spread
    return 2 * each * (call["input"] if "transpose" in func.__name__ else out).numel()


def _matmul(func: Callable, args: tuple, kwargs: dict, out: Any) -> int:
    return 2 * out.numel() * args[0].shape[-1]


def _added(func: Callable, args: tuple, kwargs: dict, out: Any) -> int:
    return 2 * out.numel() * args[1].shape[-1]


def _tensordot(func: Callable, args: tuple, kwargs: dict, out: Any) -> int:
    """The sizes of an (m, k) by (k, n) product say k: k^2 = (m k)(k n) / (m n)."""
    a, b, n = args[0].numel(), args[1].numel(), out.numel()
    return 2 * n * math.isqrt(a * b // n) if n else 0


def _bilinear(func: Callable, args: tuple, kwargs: dict, out: Any) -> int:
    call = _bound(func, args, kwargs)
    a, b = call["input1"].shape[-1], call["input2"].shape[-1]
    return 2 * (out.numel() * a * b + out.numel() * a)


def _attention(func: Callable, args: tuple, kwargs: dict, out: Any) -> int:
    call = _bound(func, args, kwargs)
    q, k, v = call["query"], call["key"], call["value"]
    scores = math.prod(q.shape[:-1]) * k.shape[-2]
    return 2 * scores * (q.shape[-1] + v.shape[-1])


def _heads(func: Callable, args: tuple, kwargs: dict, out: Any) -> int:
    """Three projections, scores, weighted values and the projection behind them."""
    call = _bound(func, args, kwargs)
    q, k, v = call["query"], call["key"], call["value"]
    width = call["out_proj_weight"].shape[1]  # of all heads
    batch = q.shape[1] if q.ndim == 3 else 1
    target, source = q.shape[0], k.shape[0]
    projections = (q.numel() + k.numel() + v.numel() + q.numel()) * width
    return 2 * (projections + 2 * batch * target * source * width)


def _einsum(func: Callable, args: tuple, kwargs: dict, out: Any) -> int:
    """Contractions from left to right, as many as there are operands beyond the first."""
    operands = list(tensors_in(args[1:]))
    equation = args[0].replace(" ", "") if isinstance(args[0], str) else ""
    if len(operands) < 2 or not equation or "." in equation:
        return 0
    sizes: dict[str, int] = {}
    for letters, t in zip(equation.split("->")[0].split(","), operands):
        sizes.update(zip(letters, t.shape))
    return 2 * math.prod(sizes.values()) * (len(operands) - 1)


_FLOPS: dict[str, Callable[[Callable, tuple, dict, Any], int]] = {
    **dict.fromkeys(["conv1d", "conv2d", "conv3d"], _conv),
    **dict.fromkeys([f"conv_transpose{n}d" for n in (1, 2, 3)], _conv),
    **dict.fromkeys(["matmul", "operator_matmul", "mm", "bmm", "mv", "dot", "inner"], _matmul),
    **dict.fromkeys(["addmm", "addmv", "baddbmm", "addbmm"], _added),
    "bilinear": _bilinear,
    "einsum": _einsum,
    "linear": _linear,
    "multi_head_attention_forward": _heads,
    "scaled_dot_product_attention": _attention,
    "tensordot": _tensordot,
}


def _recurrent(module: Any, inputs: Any, out: Any) -> int:
    """Products of a recurrent layer: for each step its input's and its state's."""
    x = next(tensors_in(inputs[0]))
    steps = x.numel() // x.shape[-1]
    weights = [p for n, p in module.named_parameters() if n.startswith("weight_")]
    return 2 * steps * sum(p.numel() for p in weights)


def _memory(t: Any) -> Any:
    """The array that owns a tensor's memory."""
    array = t.integers if t.is_quantized else t._array
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array


class _Counter(TorchFunctionMode):
    """Adds up the operations of calls, and watches the memory that their results take."""

    def __init__(self) -> None:
        self.flops = 0
        self.live = 0
        self.peak = 0
        self.seen: set[int] = set()

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        count = _FLOPS.get(func.__name__)
        if count is not None:
            first = next(tensors_in(out))
            self.flops += count(func, args, kwargs or {}, first)
        self.watch(out)
        return out

    def watch(self, value: Any) -> None:
        """Counts the memory of tensors from now until it is given back."""
        for t in tensors_in(value):
            array = _memory(t)
            if id(array) in self.seen or not hasattr(array, "nbytes"):
                continue
            self.seen.add(id(array))
            self.live += array.nbytes
            self.peak = max(self.peak, self.live)
            weakref.finalize(array, self._gone, id(array), array.nbytes)

    def given(self, tensors: Any) -> None:
        """Leaves out what was there before; of it the inputs, maybe parts, stand in `live`."""
        self.before = [_memory(t) for t in tensors]
        self.seen.update(map(id, self.before))

    def _gone(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.live -= size


def _counted(model: Any, example_inputs: Any) -> _Counter:
    counter = _Counter()

    def add(module: Any, inputs: Any, out: Any) -> None:
        counter.flops += _recurrent(module, inputs, out)
        counter.watch(out)

    def add_integers(module: Any, inputs: Any, out: Any) -> None:
        counter.flops += 2 * module.multiplications(out)
        counter.watch(out)

    hooks = []
    for module in model.modules():
        if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
            hooks.append(module.register_forward_hook(add))
        elif hasattr(module, "multiplications"):  # a layer of integers, no operation of ours
            hooks.append(module.register_forward_hook(add_integers))
    args = arguments(example_inputs)
    inputs = list(tensors_in(args))
    counter.given([*model.parameters(), *model.buffers(), *inputs])
    counter.live = counter.peak = sum(t.numel() * t.element_size() for t in inputs)
    try:
        with evaluating(model), counter:
            model(*args)
    finally:
        for hook in hooks:
            hook.remove()
    return counter


def count_flops(model: Any, example_inputs: Any) -> int:
    """Floating-point operations of one forward pass in evaluation: twice the multiplications.

    `example_inputs`: a tensor, or a tuple of arguments. Counted are linear layers, products of
    matrices, convolutions, attention and recurrent layers, zeros in weights included; elementwise
    work is not. Operations with integers count as those of floats do.
    """
    return _counted(model, example_inputs).flops


def peak_memory(model: Any, example_inputs: Any) -> int:
    """Bytes of the inputs and results that live at once in a forward pass in evaluation, at most.

    Workspace inside one operation does not count, nor do parameters. The number depends on the
    model and the shapes alone.
    """
    return _counted(model, example_inputs).peak
