"""Batching rules of functions of elements, of conversions and of what needs no rule."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from .. import attributes, conversion, dispatch, in_place, ops
from ..autograd import engine
from ..autograd.record import alias
from ..autograd.variable import Variable
from ..creation import filled, new
from ..exchange import code_of
from ..nn import functional
from ..ops import _inplace, _operators
from ..ops.arith import Rsub, Sub
from ..tensor import Tensor
from . import _indexing, _shapes, _user_functions
from ._batched import (
    RULES,
    batched,
    data_dependent,
    deepest,
    is_at,
    loop,
    plain,
)
from ._binding import bind, broadcasting, rule

rule(
    broadcasting,
    # one operand
    "abs absolute acos acosh angle arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan "
    "atanh bitwise_not ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 expit fix "
    "floor frac gelu i0 i0e i1 i1e isfinite isinf isnan isneginf isposinf isreal lgamma log "
    "log10 log1p log2 logical_not logit logsigmoid mish mvlgamma nan_to_num neg negative ndtri "
    "polygamma positive rad2deg reciprocal round rsqrt sgn sigmoid sign signbit silu sin sinc "
    "sinh softplus softsign softshrink hardshrink tanhshrink sqrt square tan tanh trunc clone "
    "contiguous celu elu hardsigmoid hardswish hardtanh leaky_relu relu relu6 selu threshold "
    "frexp "
    # several, broadcast
    "add addcdiv addcmul arctan2 atan2 bitwise_and bitwise_left_shift bitwise_or "
    "bitwise_right_shift bitwise_xor clamp clamp_max clamp_min clip copysign div divide eq "
    "float_power floor_divide fmax fmin fmod gcd ge greater greater_equal gt heaviside hypot "
    "isclose lcm ldexp le lerp less less_equal logaddexp logaddexp2 logical_and logical_or "
    "logical_xor lt maximum minimum mul multiply ne nextafter not_equal pow remainder "
    "rsub sub subtract true_divide xlogy",
)


def _inplace_activation(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`relu(x, inplace=True)`: the result is written over the argument."""
    p = bind(function, args, kwargs)
    if not p.pop("inplace", False):
        return broadcasting(function, args, {k: v for k, v in kwargs.items() if k != "inplace"}
                            if "inplace" in kwargs else kwargs)  # fmt: skip
    x = p.pop("input")
    return _inplace.write(x, lambda old: function(old, **p))


rule(_inplace_activation, "celu elu hardsigmoid hardswish hardtanh leaky_relu mish relu relu6 selu "
     "silu threshold")  # fmt: skip


def _prelu(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    x, weight = p["input"], p["weight"]
    ndim = x._array.ndim
    if weight._array.ndim == 1 and (not ndim or ndim > 2):
        weight = ops.reshape(weight, (-1, *(1,) * (ndim - 2)) if ndim else ())
    return ops.where(ops.ge(x, 0), x, ops.mul(x, weight))


rule(_prelu, "prelu")


def _values(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Functions of one tensor that change no shape: conversions, copies."""
    x = args[0] if args else kwargs["input"]
    rest = args[1:]
    level = deepest((x, *rest), kwargs.values())
    if not is_at(x, level):  # the other one says the dtype alone
        return function(x, *[v.value if is_at(v, level) else v for v in rest], **kwargs)
    result = function(x.value, *[v.value if is_at(v, level) else v for v in rest], **kwargs)
    if result is x.value:
        return x
    return batched(result, level) if isinstance(result, Variable) else result


_CONVERSIONS: list[Callable] = [
    conversion.to, conversion.type_, conversion.type_as, conversion.cpu, conversion.cuda, alias,
    attributes.detach, Tensor.float, Tensor.double, Tensor.half, Tensor.bfloat16, Tensor.int,
    Tensor.long, Tensor.short, Tensor.char, Tensor.byte, Tensor.bool, Tensor.cfloat,
    Tensor.cdouble, Tensor.chalf, filled.zeros_like, filled.ones_like, filled.empty_like,
]  # fmt: skip
RULES.update(dict.fromkeys(_CONVERSIONS, _values))


def _full_like(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    value = p.pop("fill_value", None)
    names = ("dtype", "device")
    result = filled.zeros_like(p["input"], **{n: p[n] for n in names if n in p})
    return ops.add(result, value) if isinstance(value, Variable) else result.fill_(value)


RULES[filled.full_like] = _full_like


def _new(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`x.new_zeros(size)` and the like: one for each sample."""
    x, *sizes = args
    level = deepest(args)
    size = kwargs.pop("size", None)
    shape = tuple(size if size is not None else
                  sizes[0] if sizes and isinstance(sizes[0], (tuple, list)) else sizes)  # fmt: skip
    if function is Tensor.new_full:
        size, value = (*sizes, kwargs.pop("fill_value", None))[:2] if sizes else (size, None)
        return _new(Tensor.new_zeros, (x, tuple(size)), kwargs).fill_(value)
    return batched(function(x.value, (level.size, *shape), **kwargs), level)


for _name in ("new_zeros", "new_ones", "new_empty", "new_full"):
    RULES[getattr(Tensor, _name)] = _new
RULES[new.new_tensor] = None

# -- what a sample cannot say --------------------------------------------------------------------


def _asks(what: str) -> Callable:
    def refuse(function: Callable, args: tuple, kwargs: dict) -> Any:
        raise data_dependent(what)

    return refuse


RULES[attributes.is_nonzero] = _asks("a Tensor in some data-dependent control flow")
for _function in (
    conversion.item, conversion.tolist, conversion.to_float, conversion.to_int,
    conversion.to_complex, conversion.to_index, conversion.contains,
):  # fmt: skip
    RULES[_function] = _asks("the value of a Tensor (.item(), int(), float(), an index)")
rule(_asks("a Tensor in some data-dependent control flow"), "allclose equal")


def _no_array(function: Callable, args: tuple, kwargs: dict) -> Any:
    raise RuntimeError(
        "Cannot access data pointer of Tensor that doesn't have storage: inside vmap a tensor "
        f"stands for one sample of a batch; {function.__name__} is not possible"
    )


for _other in (
    conversion.numpy, conversion.dlpack, conversion.reduce, attributes.untyped_storage,
    attributes.data_ptr, attributes.set_, attributes.resize_,
):  # fmt: skip
    RULES[_other] = _no_array


def _iterate(function: Callable, args: tuple, kwargs: dict) -> Any:
    if not args[0]._array.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(ops.unbind(args[0]))


RULES[conversion.iterate] = _iterate
RULES[conversion.reverse] = lambda f, a, k: ops.flip(a[0], (0,)) if a[0]._array.ndim else a[0]
RULES[conversion.format_] = lambda f, a, k: repr(a[0])
RULES[conversion.deepcopy] = lambda f, a, k: a[0].__deepcopy__(a[1])
RULES[attributes.stride] = lambda f, a, k: f(ops.select(a[0].value, 0, 0), *a[1:], **k)
RULES[attributes.is_contiguous] = RULES[attributes.stride]
RULES[attributes.is_shared] = RULES[attributes.is_complex] = lambda f, a, k: f(a[0].value)
# All samples at once: of complex numbers these are more than the tensor itself.
_PARTS: list[Callable] = [
    attributes.conj, attributes.conj_physical, attributes.real, attributes.imag,
]  # fmt: skip
RULES.update(dict.fromkeys(_PARTS, _values))
RULES[attributes.detach_] = lambda f, a, k: _indexing.renew(a[0], a[0].value.detach())

# -- what is made of other functions ---------------------------------------------------------------

_BODIES: list[Callable] = [
    attributes.size, attributes.dim, attributes.numel, attributes.element_size,
    attributes.is_floating_point, attributes.is_signed, attributes.is_same_size,
    attributes.is_inference, attributes.is_conj, attributes.is_neg, attributes.same_tensor,
    attributes.get_device, attributes.is_pinned, conversion.length, _operators.invert,
    _operators.where_method, _operators.polygamma_method, _operators.sum_to_size,
    functional.softmax, functional.softmin, functional.log_softmax,
    functional.multi_head_attention_forward,
]  # fmt: skip
RULES.update(dict.fromkeys(_BODIES))
# Closures that differ by what they close over alone: in-place forms, reflected operators.
_MADE = {
    code_of(f)
    for f in (
        _inplace.in_place(ops.exp), _inplace.in_place_arithmetic(ops.add),
        _operators.comparing(ops.eq), _operators.reflected(ops.sub), vars(in_place)["exp_"],
        _operators.reflected_as(ops.sub, Sub, Rsub),
    )
}  # fmt: skip
_VIEWS = code_of(_inplace.in_place_view(ops.t, "t_"))


def _register_made() -> None:
    spaces = [*(vars(cls) for cls in Tensor.__mro__[:-1]), vars(in_place), vars(functional)]
    for space in spaces:
        for function in space.values():
            if not isinstance(function, FunctionType) or function in RULES:
                continue
            code = code_of(function)
            if code in _MADE:
                RULES[function] = None
            elif code is _VIEWS:
                op = getattr(ops, function.__name__[:-1])
                RULES[function] = _indexing.in_place_view(op)


_register_made()


def _backward(function: Callable, args: tuple, kwargs: dict) -> Any:
    """A node's backward with gradients of many samples: its own body, or each sample on its own."""
    node, grad, keep_graph, create_graph, needed = args
    try:
        return plain(function)(node, grad, True, create_graph, needed)
    except dispatch.NeedsLoop:
        return loop(function, (node, grad, True, create_graph, needed), kwargs)


RULES[engine._backward] = _backward
RULES[_user_functions.apply] = _user_functions.mapped_apply
INTERNAL = [engine._backward, _user_functions.apply, *_shapes.INTERNAL, *_indexing.INTERNAL]
