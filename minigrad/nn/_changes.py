"""Changing all of a module at once: `apply`, dtypes and devices, modes, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..autograd import modes
from ..autograd.row_grads import is_sparse
from ..autograd.variable import Variable, is_float, wrap
from ..backend import as_place, device, memory_format, ndarray
from ..conversion import as_cuda
from ..creation import empty_like
from ..kernels import cpu
from ._members import HasMembers
from .parameter import Parameter

_device = device


class Changes(HasMembers):
    """Changes of all parameters, buffers and modules together, for `Module`."""

    def apply(self, fn: Callable[[Any], Any]) -> Any:
        """Calls `fn(module)` for every module below this one and then for itself."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable, recurse: bool = True) -> Any:
        """Replaces the data of every parameter, gradient and buffer by what `fn` makes of it.

        Parameters stay the same objects, so that an optimizer goes on working.
        """
        if recurse:
            for module in self.children():
                module._apply(fn)
        before = modes.set_recording(False)
        try:
            for name, param in self._parameters.items():
                if param is None:
                    continue
                changed = fn(param)
                if changed.is_meta is not param.is_meta:  # no data to exchange
                    self._parameters[name] = Parameter(changed, param.requires_grad)
                    continue
                param.data = changed
                if param._grad is not None:
                    param._grad.data = fn(param._grad)
            for name, buf in self._buffers.items():
                if buf is not None:
                    self._buffers[name] = fn(buf)
        finally:
            modes.set_recording(before)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """`to(device)`, `to(dtype)`, `to(device, dtype)` or `to(tensor)`, in place; returns self.

        A dtype, which must be floating point, applies to floating-point tensors only;
        `memory_format` to tensors of 4 or 5 dimensions.
        """
        where, dtype, format, later = _parse_to(args, kwargs)
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )
        if where is not None:
            where = as_place(where)  # refuses what cannot be used
        if format is not None:
            return self._apply(lambda t: _arranged(_convert(t, where, dtype, later), format))
        if dtype is None and where is None:
            return self
        return self._apply(lambda t: _convert(t, where, dtype, later))

    def cuda(self, device: Any = None) -> Any:
        """Moves all parameters and buffers to a GPU."""
        return self.to(as_cuda(device))

    def cpu(self) -> Any:
        """Moves all parameters and buffers to the CPU."""
        return self.to("cpu")

    def to_empty(self, *, device: Any, recurse: bool = True) -> Any:
        """Moves all parameters and buffers to a device without their values."""
        where = as_place(device)
        return self._apply(lambda t: empty_like(t, device=where), recurse)

    def type(self, dst_type: Any) -> Any:
        """Converts all parameters and buffers, integer ones too, to `dst_type`."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Any:
        """Converts all floating-point parameters and buffers to float32."""
        return self._apply(lambda t: _convert(t, None, dtypes.float32))

    def double(self) -> Any:
        """Converts all floating-point parameters and buffers to float64."""
        return self._apply(lambda t: _convert(t, None, dtypes.float64))

    def half(self) -> Any:
        """Converts all floating-point parameters and buffers to float16."""
        return self._apply(lambda t: _convert(t, None, dtypes.float16))

    def bfloat16(self) -> Any:
        """Converts all floating-point parameters and buffers to bfloat16."""
        return self._apply(lambda t: _convert(t, None, dtypes.bfloat16))

    def share_memory(self) -> Any:
        """Moves all parameters and buffers to memory that other processes see, too."""
        return self._apply(lambda t: t.share_memory_())

    def train(self, mode: bool = True) -> Any:
        """Sets training mode on or off, for all modules below too."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Any:
        """`train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Sets `requires_grad` of all parameters."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros."""
        for p in self.parameters():
            clear_grad(p, set_to_none)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: there is nothing to compile, and the results are the same."""


def clear_grad(p: Any, set_to_none: bool) -> None:
    """Forgets a parameter's gradient, or fills it with zeros."""
    grad = p._grad
    if set_to_none or grad is None:
        p._grad = None
    elif is_sparse(grad):
        grad.detach_().zero_()
    elif grad._fn is not None:  # still in a graph: that graph keeps the old values
        array = grad._array.copy()
        array.fill(0)
        p._grad = grad.__class__._from_array(array)
    else:
        grad._array.fill(0)


def _parse_to(args: tuple, kwargs: dict) -> tuple[device | None, dtypes.dtype | None, Any, bool]:
    """Device, dtype, memory format and `non_blocking` meant by the arguments of `Module.to`."""
    names: tuple[str, ...] = ("device", "dtype", "non_blocking", "copy")
    if args and args[0].__class__ is dtypes.dtype:
        names = names[1:]
    elif args and isinstance(args[0], Variable):
        names = ("tensor", *names[2:])
    given = dict(zip(names, args))
    allowed = {"device", "dtype", "tensor", "non_blocking", "copy", "memory_format"}
    if len(args) > len(names) or given.keys() & kwargs.keys() or kwargs.keys() - allowed:
        raise _bad_to(args, kwargs)
    given.update(kwargs)
    if not all(isinstance(given.get(flag, False), bool) for flag in ("non_blocking", "copy")):
        raise _bad_to(args, kwargs)
    format = kwargs.get("memory_format")
    if format is not None and format.__class__ is not memory_format:
        raise _bad_to(args, kwargs)
    later = given.get("non_blocking", False)
    tensor, where, dtype = (given.get(name) for name in ("tensor", "device", "dtype"))
    if tensor is not None:
        if not isinstance(tensor, Variable):
            raise _bad_to(args, kwargs)
        return tensor.device, tensor.dtype, format, later
    if not isinstance(where, (str, int, _device, type(None))) or isinstance(where, bool):
        raise _bad_to(args, kwargs)
    if dtype is not None and dtype.__class__ is not dtypes.dtype:
        raise _bad_to(args, kwargs)
    where = _device(where) if isinstance(where, (str, int)) else where
    return where, dtype, format, later


def _bad_to(args: tuple, kwargs: dict) -> TypeError:
    got = [type(a).__name__ for a in args] + [f"{k}={type(v).__name__}" for k, v in kwargs.items()]
    return TypeError(
        f"to() received an invalid combination of arguments - got ({', '.join(got)}); needed: "
        "(device, dtype), (dtype) or (tensor), then non_blocking and copy; memory_format by name"
    )


def _arranged(t: Any, format: Any) -> Any:
    """`t.to(memory_format=format)`, if it has as many dimensions as images or volumes."""
    array = t._array
    if array.__class__ is not ndarray or array.ndim not in (4, 5):
        return t
    return t.to(memory_format=format)


def _convert(
    t: Any, where: device | None, dtype: dtypes.dtype | None, non_blocking: bool = False
) -> Any:
    """`t.to(where, dtype)`, the dtype for floating-point tensors only; t if nothing changes."""
    if where is not None and where != t.device:
        if t.is_meta:
            raise NotImplementedError(
                "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() "
                "instead of torch.nn.Module.to() when moving module from meta to a different "
                "device."
            )
        if where.type != "meta" and hasattr(t, "_placed"):
            return t._placed(where)  # it has no shape yet
        t = t.to(where, non_blocking=non_blocking)
    array = t._array
    if t.is_meta:
        return t if dtype is None or not is_float(array) else t.to(dtype)
    if array.__class__ is not ndarray and dtype is not None and hasattr(t, "_retyped"):
        return t._retyped(dtype)  # it has no shape yet
    if dtype is None or array.dtype == dtype.numpy or not is_float(array):
        return t
    return wrap(cpu.astype(array, dtype.numpy))
