"""What an operation costs: floating-point operations and bytes, from the arrays it was given.

A multiplication and an addition count as two. Counted are products of matrices, linear layers,
convolutions, attention and recurrent layers (with their backward passes), and one for each element
of sums and of elementwise arithmetic, as PyTorch's profiler does (but for recurrent layers, which
it does not count); what has no formula counts none. Bytes are those of the arrays that an operation
reads and of those that it makes: the least that goes through memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import config
from ..autograd.variable import Node, Variable
from ..creation import empty
from ..ops import matmul
from ..random import randn


def array_of(value: Any) -> Any:
    """The array of a tensor, an array itself, None for anything else."""
    if isinstance(value, Variable):
        return value._array
    return value if isinstance(value, np.ndarray) else None


def bytes_of(array: Any) -> int:
    """The memory that an array's elements lie in (repeated ones count once)."""
    if not array.size:
        return 0
    strides = array.strides
    n = math.prod(n for n, stride in zip(array.shape, strides) if stride)
    return n * array.dtype.itemsize


def _results(value: Any) -> list:
    values = value if isinstance(value, (tuple, list)) else [value]
    return [a for a in map(array_of, values) if a is not None]


def _size(value: Any) -> int:
    array = array_of(value)
    return 0 if array is None else int(array.size)


def _product(left: str) -> Callable[[dict, Any], int]:
    """A product of matrices (or vectors): the length of the rows of the argument `left`."""

    def flops(given: dict, out: Any) -> int:
        return 2 * _size(out) * array_of(given[left]).shape[-1]

    return flops


def _convolution(given: dict, out: Any) -> int:
    return 2 * _size(out) * math.prod(array_of(given["weight"]).shape[1:])


def _transposed(given: dict, out: Any) -> int:
    return 2 * _size(given["input"]) * math.prod(array_of(given["weight"]).shape[1:])


def _attention(given: dict, out: Any) -> int:
    rows = array_of(given["key"]).shape[-2]
    return 2 * rows * (_size(given["query"]) + _size(out))


def _elements(given: dict, out: Any) -> int:
    return _size(out)


def _inputs(given: dict, out: Any) -> int:
    return _size(given["input"])


def _matrices(weights: Any) -> tuple[int, int, int]:
    """The elements of w_ih, w_hh and w_hr: what a row of a recurrent layer's input goes through."""
    w_ih, w_hh, _, _, w_hr = weights
    return _size(w_ih), _size(w_hh), _size(w_hr)


def _recurrent(given: dict, out: Any) -> int:
    return 2 * array_of(given["x"]).shape[0] * sum(_matrices(given["weights"]))


FORWARD: dict[str, Callable[[dict, Any], int]] = {
    "mm": _product("input"), "bmm": _product("input"), "matmul": _product("input"),
    "mv": _product("input"), "dot": _product("input"), "linear": _product("input"),
    "addmm": _product("mat1"), "baddbmm": _product("batch1"), "addmv": _product("mat"),
    "conv1d": _convolution, "conv2d": _convolution, "conv3d": _convolution,
    "conv_transpose1d": _transposed, "conv_transpose2d": _transposed,
    "conv_transpose3d": _transposed, "scaled_dot_product_attention": _attention,
    "add": _elements, "sub": _elements, "mul": _elements, "div": _elements,
    "sum": _inputs, "mean": _inputs,
    **dict.fromkeys(["lstm", "gru", "rnn_tanh", "rnn_relu"], _recurrent),
}  # fmt: skip


def _wanted(node: Node, first: int = 2) -> int:
    return sum(fn is not None for fn in node.next[:first])


def _of_product(node: Node, grad: Any) -> int:
    x, y = (array_of(saved) for saved in node.saved)  # what is not needed is None
    inner = x.shape[-1] if x is not None else y.shape[-2 if y.ndim > 1 else -1]
    return 2 * _size(grad) * inner * _wanted(node)


def _of_linear(node: Node, grad: Any) -> int:
    arrays = [a for a in map(array_of, node.saved) if a is not None]
    return 2 * _size(grad) * arrays[0].shape[-1] * _wanted(node) if arrays else 0


def _of_convolution(node: Any, grad: Any) -> int:
    geometry = node.geometry
    return 2 * math.prod(geometry.g_shape) * math.prod(geometry.w_shape[1:]) * _wanted(node)


def _of_attention(node: Node, grad: Any) -> int:
    # Scores and probabilities are made again; then the gradients of v, of the scores, of q and k.
    q, k, v = (array_of(saved) for saved in node.saved[:3])
    return 2 * (q.size // q.shape[-1]) * k.shape[-2] * (3 * q.shape[-1] + 2 * v.shape[-1])


def _of_recurrent(node: Node, grad: Any) -> int:
    # The state's gradient goes through every step, the others are products where they are wanted.
    x, _, _, *weights = node.saved[:8]
    w_ih, w_hh, w_hr = _matrices(weights)
    into, ih, hh, hr = (node.next[i] is not None for i in (0, 3, 4, 7))
    products = w_ih * (into + ih) + w_hh * (1 + hh) + w_hr * (1 + hr)
    return 2 * array_of(x).shape[0] * products


BACKWARD: dict[str, Callable[[Any, Any], int]] = {
    "MatMulBackward0": _of_product,
    "LinearBackward0": _of_linear,
    "ConvolutionBackward0": _of_convolution,
    "ConvolutionInputBackward0": _of_convolution,
    "RecurrentBackward0": _of_recurrent,
    "ScaledDotProductAttentionBackward0": _of_attention,
}


class Cost:
    """Of one call: what it was given, kept until it returns."""

    __slots__ = ("arrays", "given", "name")

    def __init__(self, name: str, given: dict):
        self.name, self.given = name, given
        values = list(given.values())
        node = given.get("self")
        if isinstance(node, Node):
            values += node.saved or ()
        inner = [v for value in values if isinstance(value, (tuple, list)) for v in value]
        found = {id(a): a for a in map(array_of, values + inner) if a is not None}
        self.arrays = list(found.values())

    def counted(self, out: Any) -> tuple[int | None, int]:
        """(floating-point operations or None, bytes) of the call that has returned `out`."""
        made = _results(out)
        moved = sum(map(bytes_of, self.arrays))
        new = [a for a in made if not any(np.may_share_memory(a, b) for b in self.arrays)]
        if made and not new:  # a view, or a write in place
            moved = 0 if all(a.base is not None for a in made) else moved
        moved += sum(map(bytes_of, new))
        return self._flops(out), moved

    def _flops(self, out: Any) -> int | None:
        try:
            if self.name in BACKWARD:
                grad = self.given.get("grad", self.given.get("grads"))
                return BACKWARD[self.name](self.given["self"], grad)
            if self.name in FORWARD and _results(out):
                return FORWARD[self.name](self.given, out)
        except (KeyError, AttributeError, IndexError, TypeError):
            return None  # called with arguments that the formula does not know
        return None


@dataclass(frozen=True)
class Peak:
    """What this machine reaches: floating-point operations and bytes a second."""

    flops: float
    bytes: float

    def share(self, flops: int, moved: int, seconds: float) -> float:
        """The part of the peak that a call reached, of arithmetic or of memory: the larger one."""
        return max(flops / self.flops, moved / self.bytes) / seconds if seconds else 0.0


_peaks: dict[int, Peak] = {}


def measure_peak(again: bool = False) -> Peak:
    """Measured once for each number of threads: the fastest of some products of matrices
    (1024 × 1024, float32) and of some copies of 64 MiB. Takes about half a second.
    """
    threads = config.get_num_threads()
    if again or threads not in _peaks:
        n, elements = 1024, 1 << 24
        a, b = randn(n, n), randn(n, n)
        source, target = randn(elements), empty(elements)
        product = _fastest(lambda: matmul(a, b))
        copy = _fastest(lambda: target.copy_(source))
        _peaks[threads] = Peak(2 * n**3 / product, 2 * 4 * elements / copy)
    return _peaks[threads]


def _fastest(function: Callable[[], Any]) -> float:
    best = math.inf
    for _ in range(6):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best
