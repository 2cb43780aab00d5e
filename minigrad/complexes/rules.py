"""What public functions do with complex tensors: rules on real and imaginary parts."""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Callable
from typing import Any

from .. import attributes, conversion, creation, dispatch, dtypes, ops
from ..autograd.record import alias
from ..autograd.variable import Variable, is_float
from ..ops import assign, subscript
from ..tensor import Tensor
from .tensor import (
    REAL,
    RULES,
    ComplexTensor,
    Rule,
    absent,
    as_complex,
    complex,
    join,
    make,
    pair,
    polar,
    to_dtype,
    values_of,
    view_as_complex,
    view_as_real,
)


def _add(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Sums and differences."""
    (a, b), (c, d) = map(pair, args[:2])
    real = function(a, c, *args[2:], **kwargs)
    if d is None:
        imag = b if isinstance(b, Variable) else ops.add(ops.mul(c, 0), b)
    else:
        nothing = 0 if isinstance(d, Variable) else ops.mul(a if b is None else b, 0)
        imag = function(nothing if b is None else b, d, *args[2:], **kwargs)
    return join(real, imag)


def product(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Functions that are linear in each of two arguments: products of all kinds."""
    (a, b), (c, d) = map(pair, args[:2])

    def f(x: Any, y: Any) -> Any:
        return function(x, y, *args[2:], **kwargs)

    if d is None:
        return join(f(a, c), f(b, c))
    if b is None:
        return join(f(a, c), f(a, d))
    return join(ops.sub(f(a, c), f(b, d)), ops.add(f(a, d), f(b, c)))


def _linear(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`F.linear`."""
    bias = args[2] if len(args) > 2 else kwargs.get("bias")
    result = product(function, (args[0], args[1] if len(args) > 1 else kwargs["weight"]), {})
    return result if bias is None else ops.add(result, bias)


def _div(function: Callable, args: tuple, kwargs: dict) -> Any:
    if kwargs.get("rounding_mode") is not None:
        raise absent("div with rounding_mode")
    (a, b), (c, d) = map(pair, args[:2])
    if d is None:
        return join(function(a, c), function(b, c))
    size = ops.add(ops.mul(c, c), ops.mul(d, d)) if isinstance(c, Variable) else c * c + d * d
    zero = 0 if b is None else b
    real = ops.add(ops.mul(c, a), ops.mul(d, zero))
    imag = ops.sub(ops.mul(c, zero), ops.mul(d, a))
    return join(function(real, size), function(imag, size))


def parts_of(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Functions that do the same to real and imaginary parts: places, sums, signs."""

    def part(value: Any, i: int) -> Any:
        if isinstance(value, ComplexTensor):
            return pair(value)[i]
        if isinstance(value, Variable) and i and value._array.dtype.kind == "f":
            return ops.mul(value, 0)
        if value.__class__ in (tuple, list):
            return value.__class__(part(v, i) for v in value)
        return value

    both = [
        function(*[part(v, i) for v in args], **{k: part(v, i) for k, v in kwargs.items()})
        for i in (0, 1)
    ]
    if isinstance(both[0], (tuple, list)):
        return type(both[0])([join(re, im) for re, im in zip(*both)])
    return join(*both)


def _masked_fill(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`masked_fill` of complex numbers; real ones cannot take a complex value."""
    named = dict(zip(("input", "mask", "value"), args), **kwargs)
    z: Any = named.get("input", named.get("self"))
    if not isinstance(z, ComplexTensor):
        raise RuntimeError(f"value cannot be converted to type {z.dtype} without overflow")
    values = pair(named["value"])
    mask = named["mask"]
    filled = [function(x, mask, 0 if v is None else v) for x, v in zip(pair(z), values)]
    return join(*filled)


def _view(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`view` of a shape, or of the type of the parts, which doubles the last dimension."""
    z, *rest = args
    if not any(isinstance(v, dtypes.dtype) for v in (*rest, *kwargs.values())):
        return parts_of(function, args, kwargs)
    if rest != [z.parts.dtype] or not z._array.ndim:
        raise absent("view of another type")
    return ops.flatten(z.parts, -2)


def view_pairs(x: Any, dtype: Any) -> Any:
    """`view` of real numbers as complex ones of a type: two make one."""
    if REAL.get(dtype) is not x.dtype:
        raise absent(f"view of {x.dtype} as {dtype}")
    return view_as_complex(ops.unflatten(x, -1, (-1, 2)))


def with_number(name: str, a: Any, b: Any) -> Any:
    """An operation of a real tensor with a Python complex number."""
    function = getattr(ops, name)
    floats = [
        v.to(dtypes.get_default_dtype())
        if isinstance(v, Variable) and not is_float(v._array)
        else v
        for v in (a, b)
    ]
    if function not in (ops.add, ops.sub, ops.mul, ops.div):
        raise absent(name)
    return RULES[function](function, tuple(floats), {})


def _conj(function: Callable, args: tuple, kwargs: dict) -> Any:
    re, im = pair(args[0])
    return join(re, ops.neg(im))


def _conj_in_place(function: Callable, args: tuple, kwargs: dict) -> Any:
    args[0].parts.copy_(_conj(function, args, kwargs).parts)
    return args[0]


def magnitude(z: Any) -> Any:
    return ops.norm(z.parts, 2, -1)  # its gradient is 0 at 0


def _angle(z: Any) -> Any:
    re, im = pair(z)
    return ops.atan2(im, re)


def _exp(z: Any) -> Any:
    re, im = pair(z)
    return polar(ops.exp(re), im)


def power(function: Callable, args: tuple, kwargs: dict) -> Any:
    z, exponent = args
    if not isinstance(exponent, (int, float)) or not isinstance(z, ComplexTensor):
        raise absent("pow with a tensor or a complex number as exponent")
    if exponent == 2:
        return ops.mul(z, z)
    return polar(ops.pow(magnitude(z), exponent), ops.mul(_angle(z), exponent))


def _einsum(function: Callable, args: tuple, kwargs: dict) -> Any:
    equation, *operands = args
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = list(operands[0])
    if len(operands) == 1:
        return parts_of(function, (equation, operands[0]), {})
    if len(operands) > 2:
        raise absent("einsum of more than two operands")
    return product(lambda x, y: function(equation, x, y), tuple(operands), {})


def _where(function: Callable, args: tuple, kwargs: dict) -> Any:
    chosen, first, second = args
    re, im = zip(*[pair(v) for v in (first, second)])
    imag = [ops.mul(chosen, 0.0) if v is None else v for v in im]
    return join(function(chosen, *re), function(chosen, *imag))


def _both(test: Callable, combine: Callable) -> Rule:
    """A test of numbers, made of both parts."""

    def rule(function: Callable, args: tuple, kwargs: dict) -> Any:
        pairs = [pair(v) for v in args]
        re = test(*[p[0] for p in pairs])
        return combine(re, test(*[0.0 if p[1] is None else p[1] for p in pairs]))

    return rule


def _isclose(function: Callable, args: tuple, kwargs: dict) -> Any:
    a, b, *rest = args
    rtol, atol = [*rest, *[kwargs.get(n, v) for n, v in (("rtol", 1e-5), ("atol", 1e-8))]][:2]
    distance, size = magnitude(ops.sub(a, b)), magnitude(as_complex(b))
    return ops.le(distance, ops.add(ops.mul(size, rtol), atol))


def _index(z: Any, index: Any) -> Any:
    """The index of the parts that an index of the numbers means."""
    index = index if isinstance(index, tuple) else (index,)
    if any(i is Ellipsis for i in index):
        return (*index, slice(None))
    used = sum(
        i._array.ndim if isinstance(i, Variable) and i._array.dtype.kind == "b" else i is not None
        for i in index
    )
    if used > z._array.ndim:
        raise IndexError(f"too many indices for tensor of dimension {z._array.ndim}")
    return index


def _getitem(function: Callable, args: tuple, kwargs: dict) -> Any:
    return make(function(args[0].parts, _index(*args)))


def _setitem(function: Callable, args: tuple, kwargs: dict) -> None:
    target, index, value = args
    if not isinstance(target, ComplexTensor):
        function(target, index, real_part(value))
        return
    place = _index(target, index)
    re, im = pair(value)
    if isinstance(value, Variable):
        function(target.parts, place, as_complex(value).parts)
    else:
        function(target.parts, place, target.parts.new_tensor([re, im or 0]))


def real_part(value: Any) -> Any:
    """What is written to a real tensor; a UserWarning says that the rest is lost."""
    warnings.warn(
        "Casting complex values to real discards the imaginary part", UserWarning, stacklevel=4
    )
    return pair(value)[0]


def _copy(function: Callable, args: tuple, kwargs: dict) -> Any:
    target, source = args[:2]
    if not isinstance(target, ComplexTensor):
        return function(target, real_part(source))
    function(target.parts, as_complex(source).parts)
    return target


def _fill(function: Callable, args: tuple, kwargs: dict) -> Any:
    target, value = (*args, kwargs.get("value", 0))[:2]
    re, im = pair(value)
    target.parts.copy_(target.parts.new_tensor([re, im or 0]))
    return target


def _to(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`to` and `type_as`, of complex tensors or to the type of one."""
    z, *rest = args
    like = [v for v in (*rest, *kwargs.values()) if isinstance(v, Variable)]
    if not isinstance(z, ComplexTensor):
        return to_dtype(z, like[0].dtype)
    wanted = [v for v in (*rest, *kwargs.values()) if isinstance(v, dtypes.dtype)]
    wanted += [v.dtype for v in like]
    others = [v for v in rest if not isinstance(v, (dtypes.dtype, Variable))]
    named = {k: v for k, v in kwargs.items() if not isinstance(v, (dtypes.dtype, Variable))}
    result = conversion.to(z.parts, *others, **named) if others or named else z.parts
    if wanted:
        if wanted[0] not in REAL:
            return conversion.to(real_part(make(result)), wanted[0])
        result = conversion.to(result, REAL[wanted[0]])
    return z if result is z.parts else make(result)


def _on_parts(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Functions of a tensor as a whole: clones and the like."""
    result = function(args[0].parts, *args[1:], **kwargs)
    return args[0] if result is args[0].parts else make(result)


def _about_parts(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Questions whose answer is the parts'."""
    return function(args[0].parts, *args[1:], **kwargs)


def body(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Functions whose own body serves."""
    return dispatch.plain(function)(*args, **kwargs)


def _stride(function: Callable, args: tuple, kwargs: dict) -> Any:
    steps = tuple([s // 2 for s in attributes.strides(args[0].parts._array)[:-1]])
    return steps[args[1]] if len(args) > 1 and args[1] is not None else steps


def _rules() -> dict[Callable, Rule]:
    rules: dict[Callable, Rule] = {}

    def enter(rule: Rule, names: str, *spaces: Any) -> None:
        for name in names.split():
            for space in spaces or (ops, Tensor):
                if hasattr(space, name):
                    rules[getattr(space, name)] = rule

    def of_one(operation: Callable) -> Rule:
        return lambda function, args, kwargs: operation(args[0])

    enter(_add, "add sub subtract")
    enter(product, "mul multiply matmul mm bmm mv dot outer ger kron inner tensordot")
    enter(_linear, "linear")
    enter(_div, "div divide true_divide")
    enter(_einsum, "einsum")
    enter(_view, "view")
    enter(_where, "where")
    enter(power, "pow")
    enter(of_one(magnitude), "abs absolute")
    enter(of_one(_angle), "angle")
    enter(of_one(_exp), "exp")
    enter(of_one(lambda z: join(ops.log(magnitude(z)), _angle(z))), "log")
    enter(of_one(lambda z: ops.pow(z, 0.5)), "sqrt")
    enter(of_one(lambda z: ops.mul(z, z)), "square")
    enter(of_one(lambda z: ops.div(1.0, z)), "reciprocal")
    enter(
        parts_of,
        "neg negative positive reshape flatten unflatten transpose permute swapaxes swapdims "
        "movedim moveaxis t squeeze unsqueeze expand expand_as view_as reshape_as broadcast_to "
        "repeat tile roll flip fliplr flipud rot90 cat concat concatenate stack hstack vstack "
        "dstack chunk split split_with_sizes tensor_split unbind select narrow diagonal "
        "diag_embed diag tril triu gather index_select take take_along_dim repeat_interleave pad "
        "unfold sum mean cumsum trace diff gradient zeros_like constant_pad_nd "
        "broadcast_tensors meshgrid atleast_1d atleast_2d atleast_3d",
    )
    enter(_masked_fill, "masked_fill")
    rules[creation.zeros_like] = parts_of
    enter(_both(ops.eq, ops.logical_and), "eq")
    enter(_both(ops.ne, ops.logical_or), "ne not_equal")
    enter(_both(ops.isfinite, ops.logical_and), "isfinite")
    enter(_both(ops.isnan, ops.logical_or), "isnan")
    enter(_both(ops.isinf, ops.logical_or), "isinf")
    enter(_both(ops.equal, lambda a, b: a and b), "equal")
    enter(_isclose, "isclose")
    enter(lambda f, a, k: bool(_isclose(f, a, k).all()), "allclose")
    rules[Tensor.__matmul__] = lambda f, a, k: ops.matmul(a[0], a[1])
    rules[Tensor.__rmatmul__] = lambda f, a, k: ops.matmul(a[1], a[0])
    rules[Tensor.__rmul__] = lambda f, a, k: ops.mul(a[0], a[1])
    rules[Tensor.__rsub__] = lambda f, a, k: ops.sub(a[1], a[0])
    rules[Tensor.__rtruediv__] = lambda f, a, k: ops.div(a[1], a[0])
    rules[Tensor.__eq__], rules[Tensor.__ne__] = rules[ops.eq], rules[ops.ne]
    rules[attributes.conj] = rules[attributes.conj_physical] = _conj
    rules[attributes.conj_physical_] = _conj_in_place
    rules[attributes.real] = of_one(lambda z: pair(z)[0])
    rules[attributes.imag] = of_one(lambda z: pair(z)[1])
    rules[attributes.is_complex] = lambda function, args, kwargs: True
    for function in (
        attributes.size, attributes.dim, attributes.numel, attributes.element_size,
        attributes.is_floating_point, attributes.is_same_size, attributes.same_tensor,
        attributes.get_device, attributes.is_conj, attributes.is_neg, conversion.length, complex,
        polar, view_as_complex, view_as_real,
    ):  # fmt: skip
        rules[function] = body
    for function in (attributes.is_contiguous, attributes.data_ptr, attributes.is_inference):
        rules[function] = _about_parts
    enter(_about_parts, "retain_grad", Tensor)
    rules[attributes.stride] = _stride
    enter(_on_parts, "clone contiguous detach cpu cuda")
    rules[alias] = rules[attributes.detach] = _on_parts
    rules[conversion.to] = rules[conversion.type_as] = _to
    rules[Tensor.cfloat] = rules[Tensor.cdouble] = body
    rules[conversion.item] = of_one(lambda z: _only(z))
    rules[conversion.to_complex] = rules[conversion.item]
    rules[conversion.tolist] = of_one(lambda z: values_of(z).tolist())
    rules[conversion.numpy] = lambda f, a, k: conversion.numpy(a[0].parts, **k).view(
        a[0]._array.dtype
    )[..., 0]
    rules[conversion.as_numpy] = lambda f, a, k: values_of(a[0].detach())
    rules[conversion.iterate] = of_one(lambda z: iter(ops.unbind(z)))
    rules[subscript.getitem], rules[subscript.setitem] = _getitem, _setitem
    rules[assign.copy_], rules[assign.fill_], rules[assign.zero_] = _copy, _fill, _fill
    return rules


def _only(z: Any) -> builtins.complex:
    if z._array.size != 1:
        raise RuntimeError(f"a Tensor with {z._array.size} elements cannot be converted to Scalar")
    return values_of(z).item()


RULES.update(_rules())
