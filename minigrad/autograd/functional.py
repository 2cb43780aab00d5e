"""Jacobians, Hessians and their products with vectors, of functions of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import namespace
from . import api, modes
from .record import apply
from .variable import Variable, set_requires_grad, wrap

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def _as_tuple(value: Any, name: str, function: str) -> tuple[bool, tuple]:
    single = not isinstance(value, tuple)
    values = (value,) if single else value
    for i, t in enumerate(values):
        if not isinstance(t, Variable):
            where = "" if single else f" (element {i} of the tuple)"
            raise TypeError(
                f"The {name} given to {function} must be either a Tensor or a tuple of Tensors but "
                f"the given {name} has type {type(t)}{where}."
            )
    return not single, values


def _prepared(inputs: tuple, create_graph: bool) -> tuple:
    """The inputs as new tensors that require grad, connected to the old ones if asked for."""
    result = []
    for t in inputs:
        if create_graph and t._fn is not None:
            result.append(t.view_as(t))
            continue
        new = wrap(t._array)
        set_requires_grad(new, True)
        result.append(new)
    return tuple(result)


def _zeros_like(t: Variable) -> Any:
    array = t._array.copy()
    array.fill(0)
    return wrap(array)


def _filled(grads: tuple, like: tuple, strict: bool, function: str) -> tuple:
    """Zeros for missing gradients, or with `strict` an error."""
    result = []
    for i, (g, t) in enumerate(zip(grads, like, strict=True)):
        if g is None and strict:
            raise RuntimeError(
                f"{function}: Output of the user-provided function is independent of input {i}. "
                "This is not allowed in strict mode."
            )
        result.append(_zeros_like(t) if g is None else g)
    return tuple(result)


def _finished(tensors: tuple, create_graph: bool) -> tuple:
    return tensors if create_graph else tuple(wrap(t._array) for t in tensors)


def _dependent(products: tuple, create_graph: bool, strict: bool) -> tuple:
    """Products with a graph, which `strict` mode wants to depend on the inputs."""
    for i, t in enumerate(products):
        if strict and create_graph and t._fn is None:
            raise RuntimeError(
                f"The jacobian of the user-provided function is independent of input {i}. This is "
                "not allowed in strict mode when create_graph=True."
            )
    return products


def _call(function: str, func: Callable, inputs: tuple) -> tuple[bool, tuple]:
    return _as_tuple(func(*inputs), "outputs of the user-provided function", function)


def _connected(outputs: tuple, strict: bool, function: str) -> None:
    for i, t in enumerate(outputs):
        if strict and t._fn is None:
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. The outputs "
                "must be computed in a differentiable manner from the input when running in "
                f"strict mode ({function})."
            )


def _grad(outputs: tuple, inputs: tuple, weights: tuple, create_graph: bool) -> tuple:
    pairs = [(o, w) for o, w in zip(outputs, weights, strict=True) if o._fn is not None]
    if not pairs:
        return (None,) * len(inputs)
    return api.grad(
        [o for o, _ in pairs], inputs, [w for _, w in pairs],
        retain_graph=True, create_graph=create_graph, allow_unused=True,
    )  # fmt: skip


def _vectors(v: Any, like: tuple, is_tuple: bool, function: str) -> tuple:
    """The vector argument, checked against the tensors whose shape it must have."""
    if v is None:
        if len(like) != 1 or like[0]._array.size != 1:
            where = "returns" if function == "vjp" else "has as input"
            raise RuntimeError(
                f"{function}: The vector v can only be None if the user-provided function {where} "
                "a single Tensor with a single element; given shapes "
                f"{[list(t._array.shape) for t in like]}"
            )
        ones = _zeros_like(like[0])
        ones._array.fill(1)
        return (ones,)
    _, vectors = _as_tuple(v, "v", function)
    if not is_tuple and len(vectors) != 1:
        raise RuntimeError(f"{function}: The given v should contain a single Tensor.")
    if len(vectors) != len(like):
        raise RuntimeError(
            f"{function}: v is a tuple of invalid length: should be {len(like)} but got "
            f"{len(vectors)}."
        )
    for i, (a, b) in enumerate(zip(vectors, like, strict=True)):
        if a._array.shape != b._array.shape:
            raise RuntimeError(
                f"{function}: {f'Entry {i} in ' if is_tuple else ''}v has invalid size: should be "
                f"torch.Size({list(b._array.shape)}) but got torch.Size({list(a._array.shape)})."
            )
    return vectors


def vjp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(outputs, v J): the outputs of `func` and the product of a vector with its Jacobian."""
    before = modes.set_recording(True)
    try:
        in_tuple, given = _as_tuple(inputs, "inputs", "vjp")
        points = _prepared(given, create_graph)
        out_tuple, outputs = _call("vjp", func, points)
        _connected(outputs, strict, "vjp")
        vectors = _vectors(v, outputs, out_tuple, "vjp")
        grads = _grad(outputs, points, vectors, create_graph)
        grads = _dependent(_filled(grads, points, strict, "vjp"), create_graph, strict)
        grads = _finished(grads, create_graph)
        outputs = _finished(outputs, create_graph)
    finally:
        modes.set_recording(before)
    return (outputs if out_tuple else outputs[0]), (grads if in_tuple else grads[0])


def jvp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(outputs, J v): by differentiating w J with respect to w, which J v does not depend on."""
    before = modes.set_recording(True)
    try:
        in_tuple, given = _as_tuple(inputs, "inputs", "jvp")
        points = _prepared(given, create_graph)
        vectors = _vectors(v, points, in_tuple, "jvp")
        out_tuple, outputs = _call("jvp", func, points)
        _connected(outputs, strict, "jvp")
        weights = _prepared(tuple(_zeros_like(t) for t in outputs), False)
        grads = _filled(_grad(outputs, points, weights, True), points, strict, "jvp")
        products = _grad(grads, weights, vectors, create_graph)
        products = _filled(products, outputs, strict, "jvp")
        products = _finished(_dependent(products, create_graph, strict), create_graph)
        outputs = _finished(outputs, create_graph)
    finally:
        modes.set_recording(before)
    return (outputs if out_tuple else outputs[0]), (products if out_tuple else products[0])


def jacobian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """d output / d input of `func`, shaped (*output shape, *input shape).

    Tuples of inputs or outputs give tuples (outputs outermost). `vectorize` is accepted and
    changes nothing, nor does `strategy` ("forward-mode" goes with `vectorize` only).
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise AssertionError(
            f"jacobian: strategy={strategy!r} was given; needed: 'forward-mode' or 'reverse-mode'"
        )
    if strategy == "forward-mode":
        if create_graph:
            raise NotImplementedError(
                'jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported '
                'together. Please either set `create_graph=False` or `strategy="reverse-mode"`.'
            )
        if strict:
            raise RuntimeError(
                'jacobian: `strict=True` and `strategy="forward-mode"` are not supported '
                'together. Please either set `strict=False` or `strategy="reverse-mode"`.'
            )
        if not vectorize:
            raise NotImplementedError(
                "jacobian: strategy='forward-mode' is only supported with vectorize=True"
            )
    before = modes.set_recording(True)
    try:
        in_tuple, given = _as_tuple(inputs, "inputs", "jacobian")
        points = _prepared(given, create_graph)
        out_tuple, outputs = _call("jacobian", func, points)
        _connected(outputs, strict, "jacobian")
        if strict and vectorize:
            raise RuntimeError(
                "jacobian: `strict=True` and `vectorized=True` are not supported together. Please "
                "either set `strict=False` or `vectorize=False`."
            )
        result = tuple(_rows_of(o, points, create_graph, strict) for o in outputs)
    finally:
        modes.set_recording(before)
    shaped = tuple(row if in_tuple else row[0] for row in result)
    return shaped if out_tuple else shaped[0]


def _rows_of(output: Variable, points: tuple, create_graph: bool, strict: bool) -> tuple:
    rows: list = [[] for _ in points]
    xp = namespace(output._array)
    for index in xp.ndindex(*output._array.shape):
        weight = _zeros_like(output)
        weight._array[index] = 1
        grads = _grad((output,), points, (weight,), create_graph)
        grads = _dependent(_filled(grads, points, strict, "jacobian"), create_graph, strict)
        for row, g in zip(rows, grads, strict=True):
            row.append(g)
    shaped = []
    for row, point in zip(rows, points, strict=True):
        shape = output._array.shape + point._array.shape
        if not row:
            shaped.append(wrap(xp.zeros(shape, output._array.dtype)))
            continue
        stacked = apply(api.Rows, tuple(row))
        shaped.append(stacked.reshape(shape))
    return _finished(tuple(shaped), create_graph)


def _scalar(function: str, func: Callable, strict: bool = False) -> Callable:
    def checked(*args: Any) -> Any:
        is_tuple, outputs = _call(function, func, args)
        if is_tuple:
            raise RuntimeError(f"The function given to {function} should return a single Tensor")
        if outputs[0]._array.size != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {function} should contain a single "
                f"element; given shape {list(outputs[0]._array.shape)}"
            )
        _connected(outputs, strict, function)
        return outputs[0].reshape(()) if outputs[0]._array.ndim else outputs[0]

    return checked


def _independent(first: tuple, strict: bool, function: str) -> None:
    for i, t in enumerate(first):
        if strict and t._fn is None:
            raise RuntimeError(
                f"{function}: the jacobian of the user-provided function with respect to input {i} "
                "is independent of the input. This is not allowed in strict mode."
            )


def hessian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Second derivatives of a function of one value, shaped (*input shape, *input shape)."""
    if outer_jacobian_strategy not in ("reverse-mode", "forward-mode"):
        raise AssertionError(
            f"hessian: outer_jacobian_strategy={outer_jacobian_strategy!r} was given; needed: "
            "'forward-mode' or 'reverse-mode'"
        )
    in_tuple, _ = _as_tuple(inputs, "inputs", "hessian")
    value = _scalar("hessian", func, strict)

    def gradients(*points: Any) -> Any:
        first = jacobian(value, points, create_graph=True)
        _independent(first, strict, "hessian")
        return first if in_tuple else first[0]

    return jacobian(gradients, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)


def vhp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(output, v H): the value of `func` and the product of a vector with its Hessian."""
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(output, H v), the same as `vhp`, since the Hessian is symmetric."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(
    name: str, func: Callable, inputs: Any, v: Any, create_graph: bool, strict: bool
) -> tuple:
    before = modes.set_recording(True)
    try:
        in_tuple, given = _as_tuple(inputs, "inputs", name)
        points = _prepared(given, create_graph)
        vectors = _vectors(v, points, in_tuple, name)
        output = _scalar(name, func)(*points)
        _connected((output,), strict, name)
        weight = _zeros_like(output)
        weight._array.fill(1)
        first = _filled(_grad((output,), points, (weight,), True), points, strict, name)
        _independent(first, strict, name)
        second = _grad(first, points, vectors, create_graph)
        second = _finished(_filled(second, points, strict, name), create_graph)
        (output,) = _finished((output,), create_graph)
    finally:
        modes.set_recording(before)
    return output, (second if in_tuple else second[0])
