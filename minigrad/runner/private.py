"""What programs use of PyTorch's private names and minigrad has under no name of its own.

Only programs that run as PyTorch's see these, by the table `PRIVATE` of `names`.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from .. import autograd, cuda, ops
from ..backend import device as Device
from ..creation import arange, tensor
from ..nn._attention import additive_mask
from ..size import Size

# Checks -------------------------------------------------------------------------------------------


def assert_(condition: Any, message: str) -> None:
    """`assert` as a function. AssertionError."""
    if not condition:
        raise AssertionError(message)


def _checker(error: type[Exception]) -> Callable:
    def check(cond: Any, message: Callable[[], str] | None = None) -> None:
        if not isinstance(cond, bool):
            raise TypeError(f"cond must be a bool, but got {type(cond)}")
        if cond:
            return
        if message is None:
            raise error("Expected cond to be True, but got False.")
        if not callable(message):
            raise TypeError("message must be a callable")
        raise error(str(message()))

    return check


check, check_index = _checker(RuntimeError), _checker(IndexError)
check_type, check_value = _checker(TypeError), _checker(ValueError)
check_not_implemented = _checker(NotImplementedError)


def check_is_size(i: int, message: Callable[[], str] | None = None, *, max: Any = None) -> None:
    """RuntimeError for negative numbers and for those above `max`."""
    check(i >= 0 and (max is None or i <= max), message)


# Lists of tensors and devices ---------------------------------------------------------------------


def flatten_dense_tensors(tensors: Sequence[Any]) -> Any:
    """All elements in one vector, as communication of gradients wants them."""
    if len(tensors) == 1:
        return tensors[0].contiguous().view(-1)
    return ops.cat([t.contiguous().view(-1) for t in tensors])


def unflatten_dense_tensors(flat: Any, tensors: Sequence[Any]) -> tuple:
    """Views of a vector in the shapes of `tensors`, one behind the other."""
    views, at = [], 0
    for t in tensors:
        views.append(flat.narrow(0, at, t.numel()).view_as(t))
        at += t.numel()
    return tuple(views)


def take_tensors(tensors: Iterable[Any], size_limit: int) -> Iterator[list]:
    """Lists of tensors of one type, of about `size_limit` bytes each."""
    lists: dict[str, list] = {}
    sizes: dict[str, int] = {}
    for t in tensors:
        kind, size = t.type(), t.numel() * t.element_size()
        if sizes.get(kind, 0) + size > size_limit and lists.get(kind):
            yield lists[kind]
            lists[kind], sizes[kind] = [], 0
        lists.setdefault(kind, []).append(t)
        sizes[kind] = sizes.get(kind, 0) + size
    yield from lists.values()


def get_device_index(device: Any, optional: bool = False, allow_cpu: bool = False) -> int | None:
    """The number of a device; -1 for the CPU, which must be allowed. ValueError without one."""
    if isinstance(device, str):
        device = Device(device)
    if isinstance(device, Device):
        if device.type == "cpu" and not allow_cpu:
            raise ValueError(f"Expected a non cpu device, but got: {device}")
        device = -1 if device.type == "cpu" else (device.index or 0)
    if device is None:
        if not optional:
            raise ValueError(
                "Expected a torch.device with a specified index or an integer, but got: None"
            )
        return 0 if cuda.is_available() else None
    return int(device)


class ExceptionWrapper:
    """An exception of another thread or process, with its traceback as text."""

    def __init__(self, exc_info: Any = None, where: str = "in background"):
        kind, value, trace = exc_info or sys.exc_info()
        self.exc_type: Any = kind
        self.exc_msg = "".join(traceback.format_exception(kind, value, trace))
        self.where = where

    def reraise(self) -> NoReturn:
        """Raises it here: of the same class where that takes a message alone."""
        message = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        try:
            error = self.exc_type(message)
        except Exception:
            raise RuntimeError(message) from None
        raise error


# Operations ---------------------------------------------------------------------------------------


def shape_as_tensor(input: Any) -> Any:
    """The shape as a tensor of int64."""
    return tensor(list(input.shape))


def reshape_from_tensor(input: Any, shape: Any) -> Any:
    """`input` in the shape that a tensor holds."""
    return input.reshape(shape.tolist())


def dim_arange(like: Any, dim: int) -> Any:
    """The indices along a dimension."""
    return arange(like.shape[dim])


def softmax(input: Any, dim: int, half_to_float: bool) -> Any:
    """`softmax`, whose third argument belongs to CUDA."""
    return ops.softmax(input, dim)


def log_softmax(input: Any, dim: int, half_to_float: bool) -> Any:
    """`log_softmax`, whose third argument belongs to CUDA."""
    return ops.log_softmax(input, dim)


def weight_norm(v: Any, g: Any, dim: int = 0) -> Any:
    """v in the length g along all dimensions but `dim`."""
    return v * (g / ops.norm_except_dim(v, 2, dim))


def infer_size(a: Sequence[int], b: Sequence[int]) -> Size:
    """The shape that two shapes broadcast to. RuntimeError if they do not."""
    try:
        return Size(np.broadcast_shapes(tuple(a), tuple(b)))
    except ValueError:
        raise RuntimeError(
            f"The size of tensor a {tuple(a)} must match the size of tensor b {tuple(b)}"
        ) from None


def cond(pred: Any, true_fn: Callable, false_fn: Callable, operands: Any = ()) -> Any:
    """`true_fn(*operands)` or `false_fn(*operands)`."""
    return (true_fn if pred else false_fn)(*operands)


# Attention ----------------------------------------------------------------------------------------


def canonical_mask(
    mask: Any, mask_name: str, other_type: Any, other_name: str, target_type: Any,
    check_other: bool = True,
) -> Any:  # fmt: skip
    """A mask as numbers to add to scores. AssertionError for one of integers."""
    if mask is not None and check_other and other_type not in (None, mask.dtype):
        warnings.warn(
            f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type "
            "for both instead.",
            stacklevel=2,
        )
    return additive_mask(mask, mask_name, target_type)


def none_or_dtype(input: Any) -> Any:
    """The dtype of a tensor, None of None."""
    return None if input is None else input.dtype


def in_projection(q: Any, k: Any, v: Any, *weights: Any) -> tuple:
    """Queries, keys and values through layers of their own: three weights, then three biases."""
    w, b = weights[:3], (*weights[3:], None, None, None)[:3]
    return tuple(ops.linear(x, wx, bx) for x, wx, bx in zip((q, k, v), w, b, strict=True))


def in_projection_packed(q: Any, k: Any, v: Any, w: Any, b: Any = None) -> tuple:
    """Queries, keys and values through layers whose weights lie in one matrix."""
    biases = (None, None, None) if b is None else b.chunk(3)
    return in_projection(q, k, v, *w.chunk(3), *biases)


def reduction_number(reduction: str) -> int:
    """PyTorch's number of a loss's reduction. ValueError for names that are none."""
    numbers = {"none": 0, "mean": 1, "elementwise_mean": 1, "sum": 2}
    if reduction not in numbers:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return numbers[reduction]


# Optimizers ---------------------------------------------------------------------------------------


def use_grad_for_differentiable(step: Callable) -> Callable:
    """A `step` that records only where the optimizer's option `differentiable` is set."""

    @functools.wraps(step)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        with autograd.set_grad_enabled(bool(self.defaults.get("differentiable", False))):
            return step(self, *args, **kwargs)

    return wrapped


def get_value(x: Any) -> Any:
    """The number in a tensor of one element, or the number given."""
    return x.item() if hasattr(x, "item") else x


def default_to_fused_or_foreach(
    params: Any, differentiable: bool, use_fused: bool = False
) -> tuple[bool, bool]:
    """(fused, foreach): neither is needed, as every update is one compiled call."""
    return False, False


# Checkpoints --------------------------------------------------------------------------------------


def detach_variable(inputs: Any) -> tuple:
    """Tensors of a tuple as leaves that require a gradient where those did."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            "Only tuple of tensors is supported. Got Unsupported input type: "
            f"{type(inputs).__name__}"
        )
    return tuple(
        x.detach().requires_grad_(x.requires_grad) if hasattr(x, "detach") else x for x in inputs
    )


# The compiled module ------------------------------------------------------------------------------


def nothing(*args: Any, **kwargs: Any) -> None:
    """Does nothing: options of a compiler that is not there."""


def never(*args: Any, **kwargs: Any) -> bool:
    """False: what was set before, of options that change nothing."""
    return False


def noop_context_fn() -> tuple:
    """Two contexts that do nothing, for a checkpoint's forward and its second run."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def flag(enable: bool = True) -> Any:
    """A context that does nothing, for a switch that changes nothing here."""
    return contextlib.nullcontext()


def set_module(obj: Any, mod: str) -> None:
    """Says which module an object is of."""
    if not isinstance(mod, str):
        raise TypeError("The mod argument should be a string")
    obj.__module__ = mod
