"""Device 'meta': tensors with a shape and a type and no memory. Loaded when first asked for.

A `MetaTensor`'s array is a `LogicalArray`, so every public function hands it to
`MetaTensor.__torch_function__`, which runs the function on zeros in its place and keeps the shapes
and types of the results: right for every function, at the cost of computing it. What depends on
values is refused. No graph is recorded: results say that they require grad, `backward` raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import (
    attributes,
    conversion,
    creation,
    dispatch,
    dtypes,
    fills,
    ops,
    queries,
    random,
)
from .autograd import modes
from .autograd.record import alias, apply, apply_view
from .autograd.variable import Variable, is_float, set_requires_grad
from .backend import META, as_place, device, is_meta
from .creation import _common, new
from .dispatch import LogicalArray
from .generator import default_generator
from .nn import init
from .nn.parameter import Parameter
from .ops import assign, subscript
from .size import Size
from .tensor import Tensor

_plain = dispatch.plain


def _no_data() -> NotImplementedError:
    return NotImplementedError("Cannot copy out of meta tensor; no data!")


class MetaTensor(Tensor, arms=False):
    """A tensor on device 'meta'."""

    __slots__ = ("_live",)
    is_meta = True
    is_cpu = False
    device = property(lambda self: META)
    shape = property(lambda self: Size(self._array.shape))

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rule = _RULES.get(func)
        if rule is None:
            rule = _in_place if _writes(func.__name__) else _on_zeros
        return rule(func, args, kwargs or {})

    @staticmethod
    def apply_node(cls: type, inputs: tuple, *args: Any) -> Any:
        """Applies a node for the shapes of its outputs."""
        if cls.views_input:  # type: ignore[attr-defined]
            return _on_zeros(lambda x: apply_view(cls, x, *args), inputs, {})
        return _on_zeros(lambda *xs: apply(cls, xs, *args), inputs, {})

    def as_parameter(self, requires_grad: bool) -> MetaParameter:
        """`Parameter(self, requires_grad)`."""
        return _new(MetaParameter, self._array, requires_grad)

    def __repr__(self, **options: Any) -> str:
        parts = ["...", "device='meta'", f"size={tuple(self.shape)}"]
        if self.dtype != dtypes._default:
            parts.append(f"dtype={self.dtype}")
        if self._fn is not None:
            parts.append("requires_grad=True")
        return f"tensor({', '.join(parts)})"

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            memo[id(self)] = _new(type(self), self._array, self._fn is not None)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        parts = (self._array.shape, self._array.dtype, self._fn is not None)
        return (_rebuild, (isinstance(self, MetaParameter), *parts))

    def backward(self, *args: Any, **kwargs: Any) -> None:
        """NotImplementedError: no graph is recorded."""
        raise NotImplementedError(
            "backward: was called on a meta tensor; needed: a tensor with data (minigrad records "
            "no graph on device 'meta')"
        )

    @property
    def data(self) -> Any:
        """The same without a graph."""
        return _new(MetaTensor, self._array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, MetaTensor):
            raise RuntimeError(
                "data: a tensor with data was assigned to a meta tensor's; needed: to_empty, or "
                "load_state_dict with assign=True"
            )
        self._array = value._array


class MetaParameter(MetaTensor, Parameter, arms=False):
    """A parameter on device 'meta'."""

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        return _new(cls, data._array, requires_grad)

    def __repr__(self, **options: Any) -> str:
        return "Parameter containing:\n" + super().__repr__(**options)


def _new(cls: type, array: Any, requires_grad: bool = False) -> Any:
    t: Any = object.__new__(cls)
    t._array = LogicalArray(array.shape, array.dtype)
    t._fn = t._grad = t._cell = t._view = None
    t._live = dispatch.Live(Tensor)
    if requires_grad:
        set_requires_grad(t, True)
    return t


def make(array: Any) -> MetaTensor:
    """A meta tensor of the shape and type of an array."""
    return _new(MetaTensor, array)


def _rebuild(is_parameter: bool, shape: tuple, dtype: Any, requires_grad: bool) -> Any:
    cls = MetaParameter if is_parameter else MetaTensor
    return _new(cls, LogicalArray(shape, dtype), requires_grad)


# -- what functions do -----------------------------------------------------------------------------


def _writes(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__")


def _flat(values: Iterable) -> Iterable:
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _flat(value)
        else:
            yield value


def _zeros_for(value: Any, given: dict) -> Any:
    """A nest of arguments with zeros for meta tensors; `given` notes what stands for what."""
    if isinstance(value, MetaTensor):
        if id(value) not in given:
            array = value._array
            given[id(value)] = Tensor._from_array(_common.zeroed(array.shape, array.dtype))
        return given[id(value)]
    if value.__class__ in (tuple, list):
        return value.__class__(_zeros_for(v, given) for v in value)
    return value


def _kept(result: Any, recorded: bool) -> Any:
    """A nest of results as meta tensors."""
    if isinstance(result, Variable):
        return _new(MetaTensor, result._array, recorded and is_float(result._array))
    if isinstance(result, (tuple, list)):
        items = [_kept(r, recorded) for r in result]
        if isinstance(result, list):
            return items
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)
    return result


def _run(function: Callable, args: tuple, kwargs: dict) -> tuple[Any, bool]:
    """The function's result on zeros, and whether it would be recorded."""
    meta = []
    for value in _flat((*args, *kwargs.values())):
        if isinstance(value, MetaTensor):
            meta.append(value)
        elif isinstance(value, Variable) and value._array.ndim:
            raise RuntimeError(
                f"{getattr(function, '__name__', 'apply')}: Expected all tensors to be on the same "
                "device, but found at least two devices, meta and cpu!"
            )
    recorded = modes.is_grad_enabled() and any(t._fn is not None for t in meta)
    given: dict = {}
    args, kwargs = _zeros_for(args, given), {k: _zeros_for(v, given) for k, v in kwargs.items()}
    before, state = modes.set_recording(False), default_generator.clone_state()
    try:
        return function(*args, **kwargs), recorded
    finally:
        modes.set_recording(before)
        default_generator.assign(state)


def _on_zeros(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Most functions: shapes and types are those of the result for zeros."""
    where, out = kwargs.get("device"), kwargs.get("out")
    if where is not None:
        kwargs = {k: v for k, v in kwargs.items() if k != "device"}
        as_place(where)
    result, recorded = _run(function, args, kwargs)
    if where is not None and not is_meta(where):
        return result
    if out is not None:
        outs, results = [[v] if isinstance(v, Variable) else v for v in (out, result)]
        for target, value in zip(outs, results):
            target._array = LogicalArray(value._array.shape, target._array.dtype)
        return out
    return _kept(result, recorded)


def _in_place(function: Callable, args: tuple, kwargs: dict) -> Any:
    """What writes to its first argument, whose shape it may change."""
    target = args[0] if args else next(iter(kwargs.values()))
    result, _ = _run(function, args, kwargs)
    if not isinstance(target, Variable) or not isinstance(result, Variable):
        return target
    if isinstance(target, MetaTensor):
        target._array = LogicalArray(result._array.shape, result._array.dtype)
    return target


def _fill(function: Callable, args: tuple, kwargs: dict) -> Any:
    """What gives a tensor values: there is nothing to do."""
    return args[0] if args else next(iter(kwargs.values()))


def _copy(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`copy_`: nothing to do into a meta tensor, impossible out of one."""
    target, source = args[0], args[1] if len(args) > 1 else kwargs.get("src")
    if not isinstance(target, MetaTensor):
        raise _no_data()
    if isinstance(source, Variable):
        queries._shape.broadcast_shapes(source._array.shape, target._array.shape)
    return target


def _setitem(function: Callable, args: tuple, kwargs: dict) -> None:
    """`t[index] = value`."""
    if not isinstance(args[0], MetaTensor):
        raise _no_data()
    _run(subscript.getitem, args[:2], {})


def _body(function: Callable, args: tuple, kwargs: dict) -> Any:
    """What reads shape and type alone: the function itself."""
    return _plain(function)(*args, **kwargs)


def _to(function: Callable, args: tuple, kwargs: dict) -> Any:
    self = args[0]
    others = [v for v in (*args[1:], *kwargs.values()) if isinstance(v, Variable)]
    if not isinstance(self, MetaTensor):  # t.to(other)
        return make(_plain(function)(self, others[0].dtype)._array)
    wanted, where, _ = conversion._target(args[1:], kwargs)
    if others and not isinstance(others[0], MetaTensor):
        raise _no_data()
    if where is not None and not is_meta(as_place(where)):
        raise _no_data()
    if wanted is None or wanted == self._array.dtype:
        return self
    recorded = self._fn is not None and modes.is_grad_enabled()
    array = LogicalArray(self._array.shape, wanted)
    return _new(MetaTensor, array, recorded and is_float(array))


def _detached(function: Callable, args: tuple, kwargs: dict) -> Any:
    return make(args[0]._array)


def _new_like(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`t.new_zeros(...)`: on 'meta' unless another device is named."""
    where = kwargs.get("device")
    result = _plain(function)(*args, **kwargs)
    return result if where is not None and not is_meta(where) else make(result._array)


def _needs_data(error: Callable[[str], Exception]) -> Callable:
    def refuse(function: Callable, args: tuple, kwargs: dict) -> Any:
        raise error(function.__name__)

    return refuse


def _iterate(function: Callable, args: tuple, kwargs: dict) -> Any:
    if not args[0]._array.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(ops.unbind(args[0]))


def _getitem(function: Callable, args: tuple, kwargs: dict) -> Any:
    for index in _flat((args[1],)):
        if isinstance(index, MetaTensor) and index._array.dtype.kind in "b":
            raise _depends("indexing by a mask")
    return _on_zeros(function, args, kwargs)


def _depends(name: str) -> Exception:
    return NotImplementedError(
        f"{name}: the result's shape depends on values, which meta tensors do not have; needed: "
        "tensors with data"
    )


def _unreadable(name: str) -> Exception:
    return RuntimeError("Tensor.item() cannot be called on meta tensors")


def _not_numpy(name: str) -> Exception:
    return TypeError(
        "can't convert meta device type tensor to numpy. Use Tensor.cpu() to copy the "
        "tensor to host memory first."
    )


def _rules() -> dict[Callable, Callable]:
    rules: dict[Callable, Callable] = {}
    function: Callable
    for function in (
        attributes.size, attributes.dim, attributes.numel, attributes.element_size,
        attributes.is_floating_point, attributes.is_signed, attributes.is_complex,
        attributes.is_same_size, attributes.is_inference, attributes.is_conj, attributes.is_neg,
        attributes.same_tensor, attributes.conj, attributes.real, attributes.get_device,
        attributes.is_pinned, conversion.length, Tensor.requires_grad_, Tensor.retain_grad,
        Tensor.register_hook,
    ):  # fmt: skip
        rules[function] = _body
    for function in (
        conversion.item, conversion.to_float, conversion.to_int, conversion.to_complex,
        conversion.to_index, attributes.is_nonzero, conversion.contains, ops.equal, ops.allclose,
    ):  # fmt: skip
        rules[function] = _needs_data(_unreadable)
    rules[conversion.numpy] = rules[conversion.as_numpy] = _needs_data(_not_numpy)
    for function in (
        conversion.tolist, conversion.cpu, conversion.cuda, conversion.dlpack,
        attributes.untyped_storage, attributes.set_,
    ):  # fmt: skip
        rules[function] = _needs_data(lambda name: _no_data())
    for name in (
        "argwhere", "bincount", "masked_select", "nonzero", "repeat_interleave", "unique",
        "unique_consecutive",
    ):  # fmt: skip
        rules[getattr(ops, name)] = _needs_data(_depends)
    for space in (vars(fills), vars(random), vars(init)):
        for name, function in space.items():
            if callable(function) and _writes(name):
                rules[function] = _fill
    rules[assign.fill_] = rules[assign.zero_] = _fill
    rules[assign.copy_] = _copy
    rules[subscript.getitem], rules[subscript.setitem] = _getitem, _setitem
    rules[conversion.to] = rules[conversion.type_as] = _to
    rules[alias] = rules[attributes.detach] = rules[attributes.detach_] = _detached
    rules[conversion.iterate] = _iterate
    rules[attributes.is_shared] = lambda function, args, kwargs: False
    rules[conversion.format_] = lambda function, args, kwargs: repr(args[0])
    rules[attributes.data_ptr] = lambda function, args, kwargs: 0
    for name in vars(new):
        if name.startswith("new_"):
            rules[getattr(Tensor, name)] = _new_like
    return rules


_RULES = _rules()


# -- where tensors are made ------------------------------------------------------------------------

_MAKERS = {
    "arange", "as_tensor", "asarray", "empty", "empty_permuted", "empty_strided", "eye", "full",
    "hamming_window", "hann_window", "kaiser_window", "linspace", "logspace", "normal", "ones",
    "rand", "randint", "randn", "randperm", "range", "scalar_tensor", "tensor", "tril_indices",
    "triu_indices", "zeros", "bartlett_window", "blackman_window",
}  # fmt: skip


class DeviceMode:
    """Within it, functions that make tensors do so on a device, unless told otherwise."""

    def __init__(self, where: device):
        self.where = where
        package = vars(creation) | vars(random)
        self.makers = {package[name] for name in _MAKERS if name in package}

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self.makers and kwargs.get("device") is None:
            kwargs = {**kwargs, "device": self.where}
        return func(*args, **kwargs)


def enter(where: device) -> None:
    """Tensors are made on a device from now on, in this thread, until `leave`."""
    dispatch.push_mode(DeviceMode(where), Tensor)


def leave() -> None:
    """Takes the last `enter` back."""
    dispatch.pop_mode()
