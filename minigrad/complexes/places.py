"""Writing at places, copies, convolutions and combined functions of complex tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import creation, dtypes, linalg, native, ops
from ..creation import new
from ..tensor import Tensor
from .rules import body, magnitude, parts_of, product, real_part
from .tensor import REAL, RULES, ComplexTensor, Rule, absent, as_complex, join, pair

_VALUES = ("value", "src")  # arguments that may be complex numbers


def _written(names: tuple[str, ...]) -> Rule:
    """Functions that put values at places of a tensor, of named arguments; `value` is a number."""

    def rule(function: Callable, args: tuple, kwargs: dict) -> Any:
        given = {**dict(zip(names, args)), **kwargs}
        target = given.pop(names[0])
        for name in ("reduce", "accumulate"):
            if given.get(name) in ("multiply", "prod"):
                raise absent(f"{function.__name__} with reduce")
        alpha = given.pop("alpha", 1)
        if alpha != 1:
            given["source"] = ops.mul(given["source"], alpha)
        both = []
        for i in (0, 1):
            chosen = {
                k: _part(v, i) if isinstance(v, Tensor) or k not in _VALUES else pair(v)[i] or 0
                for k, v in given.items()
            }
            both.append(function(_part(target, i), **chosen))
        return join(*both)

    return rule


def _part(value: Any, i: int) -> Any:
    if isinstance(value, ComplexTensor):
        return pair(value)[i]
    if i and isinstance(value, Tensor) and value._array.dtype.kind == "f":
        return ops.mul(value, 0)
    return value


def _where_of(function: Callable, args: tuple, kwargs: dict) -> Any:
    """The method: of the tensor, the condition and the other one."""
    return ops.where(args[1] if len(args) > 1 else kwargs["condition"], args[0], args[-1])


def _convolution(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Bilinear in input and weight; the bias (..., channels) is added."""
    named = dict(zip(("input", "weight", "bias"), args), **kwargs)
    bias = named.pop("bias", None)
    x, weight = named.pop("input"), named.pop("weight")
    for role, other in (("weight", weight), ("bias", bias)):
        if isinstance(other, Tensor) and other.dtype != x.dtype:
            raise RuntimeError(
                f"Input type ({x.dtype.name}) and {role} type ({other.dtype.name}) should be the "
                "same"
            )
    result = product(lambda a, b: function(a, b, None, *args[3:], **named), (x, weight), {})
    if bias is None:
        return result
    dims = weight._array.ndim - 2
    return ops.add(result, ops.reshape(bias, (-1, *[1] * dims)))


def _integral(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Linear in the values, and in the places if they are given."""
    x = args[1] if len(args) > 1 else kwargs.get("x")
    if x is None:
        return parts_of(function, args, kwargs)
    rest = {k: v for k, v in kwargs.items() if k != "x"}
    return product(lambda a, b: function(a, b, *args[2:], **rest), (args[0], x), {})


def _float_power(function: Callable, args: tuple, kwargs: dict) -> Any:
    z, w = (
        v.to(dtypes.complex128 if _is(v) else dtypes.float64) if isinstance(v, Tensor) else v
        for v in args[:2]
    )
    return ops.pow(z, w)


def _is(t: Any) -> bool:
    return isinstance(t, ComplexTensor)


def _logsumexp(function: Callable, args: tuple, kwargs: dict) -> Any:
    """log(sum(exp(z - m))) + m, m the largest real part."""
    z, dim, keepdim = [*args, *[kwargs.get(k, False) for k in ("dim", "keepdim")[len(args) - 1 :]]]
    largest = ops.amax(pair(z.detach())[0], dim, True)
    total = ops.sum(ops.exp(ops.sub(z, largest)), dim, True)
    result = ops.add(ops.log(total), largest)
    return result if keepdim or not z._array.ndim else ops.squeeze(result, dim)


def _like(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`zeros_like`, `ones_like` and `full_like`: of another type, if one is given."""
    z, *value = args
    value = value or [v for k, v in kwargs.items() if k == "fill_value"]
    options = {k: v for k, v in kwargs.items() if k not in ("dtype", "fill_value")}
    dtype = kwargs.get("dtype") or z.dtype
    if dtype not in REAL:
        return function(pair(z.detach())[0], *value, dtype=dtype, **options)
    options.pop("memory_format", None)
    maker = getattr(creation, function.__name__.removesuffix("_like"))
    return maker(tuple(z._array.shape), *value, dtype=dtype, **options)


def _new(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`new_zeros` and the like: complex, unless another type is given."""
    z, *rest = args
    options = {**kwargs, "dtype": kwargs.get("dtype") or z.dtype}
    return getattr(creation, function.__name__.removeprefix("new_"))(*rest, **options)


def _of_truth(function: Callable, args: tuple, kwargs: dict) -> Any:
    return function(*[ops.ne(v, 0) for v in args[:2]])


def _to_real(function: Callable, args: tuple, kwargs: dict) -> Any:
    if function is Tensor.bool:
        return ops.ne(args[0], 0)
    return function(real_part(args[0]), *args[1:], **kwargs)


def _restride(plain: Callable) -> Rule:
    """`squeeze_` and the like: the tensor takes the shape of the view."""

    def rule(function: Callable, args: tuple, kwargs: dict) -> Any:
        z = args[0]
        view = plain(*args, **kwargs)
        z.parts, z._array = view.parts, view._array
        return z

    return rule


def _scaled_sum(combine: Callable) -> Rule:
    """value * combine(tensor1, tensor2) added to the first tensor."""

    def rule(function: Callable, args: tuple, kwargs: dict) -> Any:
        named = dict(zip(("input", "tensor1", "tensor2"), args), **kwargs)
        term = combine(as_complex(named["tensor1"]), named["tensor2"])
        return ops.add(named["input"], ops.mul(term, named.get("value", 1)))

    return rule


def _product_sum(combine: Callable) -> Rule:
    """beta * input + alpha * combine(a, b)."""

    def rule(function: Callable, args: tuple, kwargs: dict) -> Any:
        term = ops.mul(combine(*args[1:3]), kwargs.get("alpha", 1))
        return ops.add(term, ops.mul(args[0], kwargs.get("beta", 1)))

    return rule


def _same_type(name: str) -> Rule:
    """A function with `dtype=`, which is a conversion before."""

    def rule(function: Callable, args: tuple, kwargs: dict) -> Any:
        dtype = kwargs.get("dtype")
        rest = {k: v for k, v in kwargs.items() if k != "dtype"}
        z = args[0] if dtype is None else args[0].to(dtype)
        return known[name](function, (z, *args[1:]), rest)

    known = {name: RULES[getattr(ops, name)]}
    return rule


def _silu(function: Callable, args: tuple, kwargs: dict) -> Any:
    result = ops.mul(args[0], ops.sigmoid(args[0]))
    inplace = args[1] if len(args) > 1 else kwargs.get("inplace", False)
    return args[0].copy_(result) if inplace else result


def _gradient(function: Callable, args: tuple, kwargs: dict) -> Any:
    if _is_any(kwargs.get("spacing")):
        raise absent("gradient with complex spacing")
    return parts_of(function, args, kwargs)


def _is_any(value: Any) -> bool:
    return any(map(_is, value)) if isinstance(value, (list, tuple)) else _is(value)


def _normalize(function: Callable, args: tuple, kwargs: dict) -> Any:
    names = {"p": 2.0, "dim": 1, "eps": 1e-12}
    p, dim, eps = [*args[1:], *[kwargs.get(k, v) for k, v in list(names.items())[len(args) - 1 :]]]
    size = linalg.vector_norm(magnitude(args[0]), p, dim, True)
    return ops.div(args[0], ops.clamp_min(size, eps))


def _loss(function: Callable, args: tuple, kwargs: dict) -> Any:
    error = magnitude(ops.sub(as_complex(args[0]), args[1]))
    reduction = kwargs.get("reduction", "mean")
    return error if reduction == "none" else getattr(ops, reduction)(error)


_COPIES = (
    "alias_copy diagonal_copy expand_copy narrow_copy permute_copy "
    "split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy "
    "unsqueeze_copy view_copy split_copy select_copy slice_copy unsafe_chunk unsafe_split "
    "unsafe_split_with_sizes block_diag combinations masked_scatter diagonal_scatter "
    "select_scatter slice_scatter put index_put index_copy scatter_add"
)
_BODIES = (
    "column_stack ravel hsplit vsplit dsplit cartesian_prod channel_shuffle pixel_shuffle "
    "pixel_unshuffle diagflat softsign tanhshrink feature_alpha_dropout sum_to_size"
)


def _enter() -> None:
    def enter(rule: Rule, names: str) -> None:
        for name in names.split():
            for space in (ops, Tensor):
                if callable(getattr(space, name, None)):
                    RULES[getattr(space, name)] = rule

    enter(parts_of, _COPIES)
    enter(body, _BODIES)
    enter(_written(("input", "dim", "index", "value")), "index_fill")
    enter(_written(("input", "dim", "index", "source")), "index_add")
    enter(_written(("input", "dim", "index", "src")), "scatter")
    enter(_written(("input", "value")), "fill")
    enter(_written(("input", "pad", "mode", "value")), "pad")
    enter(_written(("input", "pad", "value")), "constant_pad_nd")
    enter(_silu, "silu")
    enter(_normalize, "normalize")
    enter(_gradient, "gradient")
    enter(_integral, "trapezoid trapz cumulative_trapezoid")
    enter(lambda f, a, k: ops.sub(as_complex(a[1]) if _is(a[1]) else a[1], a[0], **k), "rsub")
    enter(lambda f, a, k: ops.exp(ops.mul(a[0], math.log(2))), "exp2")
    enter(lambda f, a, k: ops.mul(a[0], ops.pow(2.0, a[1])), "ldexp")
    enter(_scaled_sum(ops.mul), "addcmul")
    enter(_scaled_sum(ops.div), "addcdiv")
    enter(_product_sum(ops.outer), "addr")
    enter(_product_sum(lambda a, b: ops.sum(ops.bmm(a, b), 0)), "addbmm")
    enter(_of_truth, "logical_and logical_or logical_xor")
    enter(_float_power, "float_power")
    enter(_logsumexp, "logsumexp")
    enter(product, "cross")
    RULES[linalg.cross] = product
    enter(_loss, "l1_loss")
    enter(_to_real, "bool byte char short")
    enter(_same_type("cumsum"), "cumsum")
    enter(_same_type("cumprod"), "cumprod")
    enter(_same_type("prod"), "prod")
    enter(_same_type("sum"), "sum")
    for d in (1, 2, 3):
        enter(_convolution, f"conv{d}d conv_transpose{d}d")
    RULES[Tensor.where] = _where_of
    for function in (creation.zeros_like, creation.ones_like, creation.full_like):
        RULES[function] = _like
    for name in ("new_zeros", "new_ones", "new_full", "new_empty"):
        RULES[getattr(new, name)] = _new
    for name in ("squeeze", "unsqueeze", "t", "transpose", "swapaxes", "swapdims"):
        RULES[getattr(Tensor, f"{name}_")] = _restride(getattr(ops, name))
    RULES[native.flip] = body
    RULES[Tensor.stft] = RULES[Tensor.istft] = body


_enter()
