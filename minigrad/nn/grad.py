"""The gradients of convolutions as functions of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..autograd import enable_grad, grad, is_grad_enabled

__all__ = [
    "conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input",
    "conv3d_weight",
]  # fmt: skip

_CONVOLUTIONS = (ops.conv1d, ops.conv2d, ops.conv3d)


def _gradients(n: int) -> tuple[Callable, Callable]:
    """The gradients of convolution over n dimensions to its input and to its weight."""
    conv = _CONVOLUTIONS[n - 1]

    def of_input(
        input_size: Any,
        weight: Any,
        grad_output: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        # The convolution is linear: its input's values do not matter, only their shape.
        zeros = weight.new_zeros(tuple(input_size)).requires_grad_()
        with enable_grad():
            out = conv(zeros, weight, None, stride, padding, dilation, groups)
        return grad(out, zeros, grad_output, create_graph=is_grad_enabled())[0]

    def of_weight(
        input: Any,
        weight_size: Any,
        grad_output: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        zeros = input.new_zeros(tuple(weight_size)).requires_grad_()
        with enable_grad():
            out = conv(input, zeros, None, stride, padding, dilation, groups)
        return grad(out, zeros, grad_output, create_graph=is_grad_enabled())[0]

    for function, to in ((of_input, "input"), (of_weight, "weight")):
        function.__name__ = function.__qualname__ = f"conv{n}d_{to}"
        function.__doc__ = f"""The gradient of `conv{n}d` to its {to}, for the output's gradient.

    `{to}_size` is the shape of the {to}. RuntimeError for shapes that do not fit together.
    """
    return of_input, of_weight


conv1d_input, conv1d_weight = _gradients(1)
conv2d_input, conv2d_weight = _gradients(2)
conv3d_input, conv3d_weight = _gradients(3)
