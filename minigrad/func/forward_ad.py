"""`torch.autograd.forward_ad`: dual tensors, which carry a direction along with their values.

Every operation on a dual tensor gives a dual tensor whose tangent is the derivative in that
direction. It is computed for each operation by differentiating its backward (see `_gradients`), so
operations that have no second gradient cannot be used, and each costs some three times its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import dispatch, element_calls
from ..autograd import modes
from ..autograd.function import Function
from ..autograd.variable import Variable, is_float, set_requires_grad, wrap
from ..tensor import Tensor
from . import _user_functions
from ._batched import flatten, rebuild
from ._gradients import is_foreign, pull, start, zeros

__all__ = [
    "UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual",
    "unpack_dual",
]  # fmt: skip


class _ThreadState(threading.local):
    level = 0  # the number of the running level, 0 outside
    count = 0  # how many have been entered


_state = _ThreadState()


class UnpackedDualTensor(NamedTuple):
    """The values of a dual tensor, and its tangent (None if it has none)."""

    primal: Any
    tangent: Any


class Dual(Tensor, arms=False):
    """A tensor with a tangent of its shape."""

    __slots__ = ("level", "tangent")

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        duals = [t for t in flatten((args, tuple(kwargs.values()))) if _is_dual(t)]
        if not duals:
            with dispatch.DisableTorchFunctionSubclass():
                return dispatch.plain(func)(*args, **kwargs)
        return _call(func, args, kwargs)

    def __repr__(self, **options: Any) -> str:
        text = super().__repr__(**options)
        return f"{text[:-1]}, tangent={self.tangent!r})" if _is_dual(self) else text


def _is_dual(t: Any) -> bool:
    return isinstance(t, Dual) and t.level == _state.level


def _writes(func: Callable) -> bool:
    name = getattr(func, "__name__", "")
    return name == "setitem" or (name.endswith("_") and not name.endswith("__"))


def _call(func: Callable, args: tuple, kwargs: dict) -> Any:
    """Runs a function on the primals, recorded, and pushes the tangents through what it did."""
    entered: dict[int, tuple] = {}  # of each dual tensor: it, its start, the start's first node

    def enter(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            items = [enter(v) for v in value]
            return items if isinstance(value, list) else rebuild(value, items)
        if not _is_dual(value):
            return value
        if id(value) not in entered:
            node = start(wrap(value._array, value._fn), "forward AD")
            entered[id(value)] = (value, node, wrap(node._array, node._fn))
        return entered[id(value)][1]

    recording = modes.set_recording(True)
    try:
        with dispatch.DisableTorchFunctionSubclass():
            given = enter(tuple(args))
            if _writes(func) and not _is_dual(args[0]):
                raise NotImplementedError(
                    f"{getattr(func, '__name__', func)}: a dual tensor would be written to a "
                    "tensor that has no tangent; needed: make_dual of that tensor first"
                )
            result = dispatch.plain(func)(*given, **{k: enter(v) for k, v in kwargs.items()})
            originals = {id(new): value for value, new, _ in entered.values()}
            if func is _user_functions.apply and args[0].jvp is not Function.jvp:
                return _by_jvp(args, result, list(entered.values()), recording)
            if _writes(func):
                target, new, _ = entered[id(args[0])]
                target.tangent = _pushed([new], list(entered.values()), recording)[0]
                return target if result is new else result
            return _as_duals(result, list(entered.values()), originals, recording)
    finally:
        modes.set_recording(recording)


def _by_jvp(args: tuple, result: Any, entered: list, recording: bool) -> Any:
    """The outputs of a user's Function with the tangents that its `jvp` returns."""
    cls, *inputs = args
    outputs = list(result) if isinstance(result, tuple) else [result]
    node = next((t.grad_fn for t in outputs if isinstance(t, Variable) and t._fn is not None), None)
    modes.set_recording(recording)
    assert node is not None
    node.runs_jvp = True
    try:
        tangents = cls.jvp(node, *[v.tangent if _is_dual(v) else None for v in inputs])
    finally:
        node.runs_jvp = False
    tangents = list(tangents) if isinstance(tangents, tuple) else [tangents]
    if len(tangents) != len(outputs):
        raise RuntimeError(
            f"{cls.__name__}.jvp returned {len(tangents)} tangents; needed: one for each of "
            f"{len(outputs)} outputs"
        )
    starts = [first for _, _, first in entered]
    duals = [
        value
        if tangent is None or not isinstance(value, Variable)
        else _dual(value if is_foreign([value], starts) else value.detach(), tangent)
        for value, tangent in zip(outputs, tangents, strict=True)
    ]
    return tuple(duals) if isinstance(result, tuple) else duals[0]


def _as_duals(result: Any, entered: list, originals: dict, recording: bool) -> Any:
    outputs = [t for t in flatten((result,)) if isinstance(t, Variable) and id(t) not in originals]
    outputs = [t for t in outputs if is_float(t._array) and t._fn is not None]
    tangents = dict(zip(map(id, outputs), _pushed(outputs, entered, recording), strict=True))

    def leave(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            items = [leave(v) for v in value]
            return items if isinstance(value, list) else rebuild(value, items)
        if id(value) in originals:
            return originals[id(value)]
        if id(value) not in tangents:
            return value
        keep = recording and is_foreign([value], [first for _, _, first in entered])
        return _dual(value if keep else value.detach(), tangents[id(value)])

    return leave(result)


def _pushed(outputs: list, entered: list, recording: bool) -> list:
    """The tangents of outputs."""
    weights = [zeros(t) for t in outputs]
    for w in weights:
        set_requires_grad(w, True)
    starts = [first for _, _, first in entered]
    products = pull(outputs, starts, weights, True)
    pairs = [
        (g, value.tangent)
        for g, (value, _, _) in zip(products, entered, strict=True)
        if g is not None
    ]
    again = recording and is_foreign([*outputs, *[t for _, t in pairs]], starts)
    results = pull([g for g, _ in pairs], weights, [t for _, t in pairs], again)
    return [
        zeros(w) if r is None else (r if again else r.detach())
        for r, w in zip(results, weights, strict=True)
    ]


def _dual(t: Any, tangent: Any) -> Dual:
    dual = element_calls.as_subclass(t, Dual)
    dual.level, dual.tangent = _state.level, tangent
    return dual


def enter_dual_level() -> int:
    """Enters a level, inside which dual tensors can be made. RuntimeError inside another."""
    if _state.level:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _state.count += 1
    _state.level = _state.count
    dispatch.register([_user_functions.apply])
    dispatch.arm(Tensor)
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Leaves the level: its dual tensors lose their tangents."""
    if not _state.level or level not in (None, 0):
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is "
            "not supported."
        )
    _state.level = 0
    dispatch.release()


class dual_level:
    """`with dual_level(): ...`"""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: object) -> None:
        exit_dual_level()


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """`tensor` with a tangent of its shape and dtype, sharing its memory and graph.

    RuntimeError outside a level and for tangents that do not fit, ValueError for integers.
    """
    if not _state.level:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    for name, value in (("primal", tensor), ("tangent", tangent)):
        if not isinstance(value, Variable) or not is_float(value._array):
            raise ValueError(
                f"Expected {name} to be floating point or complex, but got: "
                f"{getattr(value, 'dtype', type(value))}"
            )
    if tensor._array.shape != tangent._array.shape or tensor._array.dtype != tangent._array.dtype:
        raise RuntimeError(
            f"Trying to set a forward gradient of shape {list(tangent._array.shape)} and dtype "
            f"{tangent.dtype} to a tensor of shape {list(tensor._array.shape)} and dtype "
            f"{tensor.dtype}"
        )
    if _is_dual(tensor):
        raise RuntimeError("make_dual: the tensor has a tangent already")
    return _dual(tensor, tangent)


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """(primal, tangent) of a tensor; the tangent is None outside a level or if there is none."""
    if not _is_dual(tensor):
        return UnpackedDualTensor(tensor, None)
    with dispatch.DisableTorchFunctionSubclass():
        return UnpackedDualTensor(element_calls.as_subclass(tensor, Tensor), tensor.tangent)
