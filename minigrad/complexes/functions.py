"""Elementary functions, statistics and tests of complex tensors, made of their parts."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

from .. import attributes, conversion, creation, ops
from ..autograd.variable import Variable
from ..ops._shape import broadcast_shapes, normalize_dim
from ..tensor import Tensor
from .rules import magnitude, power, real_part
from .tensor import (
    RULES,
    ComplexTensor,
    Rule,
    absent,
    as_complex,
    join,
    make,
    pair,
    values_of,
)


def _exponential(z: Any) -> tuple[Any, Any, Any, Any]:
    """cosh and sinh of the real part, cos and sin of the imaginary one."""
    x, y = pair(z)
    return ops.cosh(x), ops.sinh(x), ops.cos(y), ops.sin(y)


def _sinh(z: Any) -> Any:
    cosh, sinh, cos, sin = _exponential(z)
    return join(ops.mul(sinh, cos), ops.mul(cosh, sin))


def _cosh(z: Any) -> Any:
    cosh, sinh, cos, sin = _exponential(z)
    return join(ops.mul(cosh, cos), ops.mul(sinh, sin))


def _tanh(z: Any) -> Any:
    """(t + i u) / (1 + i t u), with t = tanh(x) and u = tan(y): nothing overflows."""
    x, y = pair(z)
    t, u = ops.tanh(x), ops.tan(y)
    return ops.div(join(t, u), join(ops.add(ops.mul(t, 0), 1), ops.mul(t, u)))


def _turned(function: Callable, back: complex) -> Callable:
    """f of i z, times a number: what a function of the circle is of one of the hyperbola."""
    return lambda z: ops.mul(function(ops.mul(z, 1j)), back)


def _expm1(z: Any) -> Any:
    """expm1(x) cos(y) - 2 sin(y / 2)^2 + i exp(x) sin(y): exact near 0."""
    x, y = pair(z)
    half = ops.sin(ops.mul(y, 0.5))
    real = ops.sub(ops.mul(ops.expm1(x), ops.cos(y)), ops.mul(ops.mul(half, half), 2))
    return join(real, ops.mul(ops.exp(x), ops.sin(y)))


def _sgn(z: Any) -> Any:
    size = magnitude(z)
    return ops.div(z, ops.add(size, ops.mul(ops.eq(size, 0), 1.0)))


def _general_power(function: Callable, args: tuple, kwargs: dict) -> Any:
    """z^w: exp(w log(z)), 0 at 0; of a complex number and a real one by its magnitude."""
    z, w = args
    if isinstance(z, ComplexTensor) and isinstance(w, (int, float)):
        return power(function, args, kwargs)
    if not isinstance(z, Variable):
        if not z:
            raise absent("pow of the number 0")
        return ops.exp(ops.mul(w, cmath.log(z)))
    base = as_complex(z)
    zero = ops.eq(base, 0)
    result = ops.exp(ops.mul(ops.log(ops.masked_fill(base, zero, 1)), w))
    return ops.masked_fill(result, zero, 0)


def _prod(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Products of halves, until one is left."""
    z = args[0]
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    keepdim = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    if kwargs.get("dtype") is not None:
        raise absent("prod with dtype")
    if dim is None:
        z, dim = ops.reshape(z, (-1,)), 0
    if not z._array.ndim:
        return z
    d = normalize_dim(dim, z._array.ndim)
    size = z._array.shape[d]
    if not size:
        z, size = ops.add(ops.sum(z, d, True), 1), 1
    while size > 1:
        half = size // 2
        product = ops.mul(ops.narrow(z, d, 0, half), ops.narrow(z, d, half, half))
        z = ops.cat([product, ops.narrow(z, d, size - 1, 1)], d) if size % 2 else product
        size = half + size % 2
    return z if keepdim else ops.squeeze(z, d)


def _cumprod(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Each step multiplies by what stands twice as far before."""
    z = args[0]
    d = normalize_dim(args[1] if len(args) > 1 else kwargs["dim"], z._array.ndim)
    size = z._array.shape[d] if z._array.ndim else 1
    step = 1
    while step < size:
        rest = size - step
        later = ops.mul(ops.narrow(z, d, step, rest), ops.narrow(z, d, 0, rest))
        z = ops.cat([ops.narrow(z, d, 0, step), later], d)
        step *= 2
    return z


def _var(function: Callable, args: tuple, kwargs: dict) -> Any:
    """The mean of |z - mean|^2: the variances of both parts together."""
    return ops.add(*[ops.var(part, *args[1:], **kwargs) for part in pair(args[0])])


def _std(function: Callable, args: tuple, kwargs: dict) -> Any:
    return ops.sqrt(_var(function, args, kwargs))


def _with_mean(statistic: Rule) -> Rule:
    def rule(function: Callable, args: tuple, kwargs: dict) -> Any:
        means = [function(part, *args[1:], **kwargs)[1] for part in pair(args[0])]
        return statistic(function, args, kwargs), join(*means)

    return rule


def _of_nonzero(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Functions that see only whether numbers are 0."""
    return function(ops.ne(args[0], 0), *args[1:], **kwargs)


def _masked_select(function: Callable, args: tuple, kwargs: dict) -> Any:
    z, mask = args[0], args[1] if len(args) > 1 else kwargs["mask"]
    shape = broadcast_shapes(z.shape, mask.shape)
    return make(ops.expand(z, shape).parts[ops.expand(mask, shape)])


def _lerp(function: Callable, args: tuple, kwargs: dict) -> Any:
    start, end, weight = args[0], args[1], args[2] if len(args) > 2 else kwargs["weight"]
    return ops.add(start, ops.mul(ops.sub(end, start), weight))


def _added_product(product: Callable) -> Rule:
    def rule(function: Callable, args: tuple, kwargs: dict) -> Any:
        beta, alpha = kwargs.get("beta", 1), kwargs.get("alpha", 1)
        return ops.add(ops.mul(args[0], beta), ops.mul(product(*args[1:3]), alpha))

    return rule


def _real_type(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`float()` and the like: the real part."""
    return function(real_part(args[0]), *args[1:], **kwargs)


def _no_number(function: Callable, args: tuple, kwargs: dict) -> Any:
    value = values_of(args[0].detach()).item()
    if value.imag:
        raise RuntimeError("value cannot be converted to type double without overflow")
    return function(pair(args[0])[0])


def _contains(function: Callable, args: tuple, kwargs: dict) -> Any:
    return bool(ops.any(ops.eq(args[0], args[1])))


def _ones_like(function: Callable, args: tuple, kwargs: dict) -> Any:
    if any(v is not None for v in kwargs.values()):
        raise absent("ones_like with options")
    return ops.add(make(creation.zeros_like(args[0].parts)), 1)


def _rules() -> dict[Callable, Rule]:
    rules: dict[Callable, Rule] = {}

    def enter(rule: Rule, names: str, *spaces: Any) -> None:
        for name in names.split():
            for space in spaces or (ops, Tensor):
                function = getattr(space, name, None)
                if callable(function):
                    rules[function] = rule

    def of_one(operation: Callable) -> Rule:
        return lambda function, args, kwargs: operation(args[0])

    enter(of_one(_sinh), "sinh")
    enter(of_one(_cosh), "cosh")
    enter(of_one(_tanh), "tanh")
    enter(of_one(_turned(_sinh, -1j)), "sin")
    enter(of_one(_turned(_cosh, 1)), "cos")
    enter(of_one(_turned(_tanh, -1j)), "tan")
    enter(of_one(_expm1), "expm1")
    enter(of_one(lambda z: ops.log(ops.add(z, 1))), "log1p")
    enter(of_one(lambda z: ops.div(ops.log(z), math.log(2))), "log2")
    enter(of_one(lambda z: ops.div(ops.log(z), math.log(10))), "log10")
    enter(of_one(lambda z: ops.reciprocal(ops.add(ops.exp(ops.neg(z)), 1))), "sigmoid")
    enter(of_one(lambda z: ops.pow(z, -0.5)), "rsqrt")
    enter(of_one(_sgn), "sgn")
    enter(_general_power, "pow")
    rules[Tensor.__rpow__] = lambda f, a, k: _general_power(ops.pow, (a[1], a[0]), k)
    enter(_prod, "prod")
    enter(_cumprod, "cumprod")
    enter(_var, "var")
    enter(_std, "std")
    enter(_with_mean(_var), "var_mean")
    enter(_with_mean(_std), "std_mean")
    enter(_of_nonzero, "any all nonzero argwhere count_nonzero logical_not")
    rules[attributes.is_nonzero] = _of_nonzero
    enter(lambda f, a, k: ops.norm(magnitude(ops.sub(a[0], a[1])), *a[2:], **k), "dist")
    enter(lambda f, a, k: ops.dot(attributes.conj(as_complex(a[0])), a[1]), "vdot")
    enter(of_one(lambda z: z.mH), "adjoint")
    enter(of_one(lambda z: ops.eq(pair(z)[1], 0)), "isreal")
    enter(_masked_select, "masked_select")
    enter(_lerp, "lerp")
    for name, product in (("addmm", ops.mm), ("addmv", ops.mv), ("baddbmm", ops.bmm)):
        enter(_added_product(product), name)
    rules[creation.ones_like] = _ones_like
    enter(_real_type, "float double half bfloat16 int long", Tensor)
    rules[conversion.to_float] = rules[conversion.to_int] = _no_number
    rules[conversion.contains] = _contains
    return rules


RULES.update(_rules())
