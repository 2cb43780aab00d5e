"""Elementwise operations at a thousand, a hundred thousand and ten million elements."""

from __future__ import annotations

import numpy as np

from cases import Case, normal, tensor, with_backward

SIZES = {1_000: "small", 100_000: "medium", 10_000_000: "large"}

# name: (torch and minigrad, NumPy, JAX, operands)
FUNCTIONS = {
    "add": (lambda t: t.add, np.add, lambda j: j.numpy.add, 2),
    "mul": (lambda t: t.mul, np.multiply, lambda j: j.numpy.multiply, 2),
    "div": (lambda t: t.div, np.divide, lambda j: j.numpy.divide, 2),
    "maximum": (lambda t: t.maximum, np.maximum, lambda j: j.numpy.maximum, 2),
    "less": (lambda t: t.lt, np.less, lambda j: j.numpy.less, 2),
    "neg": (lambda t: t.neg, np.negative, lambda j: j.numpy.negative, 1),
    "abs": (lambda t: t.abs, np.abs, lambda j: j.numpy.abs, 1),
    "square": (lambda t: t.square, np.square, lambda j: j.numpy.square, 1),
    "relu": (lambda t: t.relu, lambda x: np.maximum(x, 0), lambda j: j.nn.relu, 1),
    "clamp": (
        lambda t: lambda x: x.clamp(-1, 1),
        lambda x: np.clip(x, -1, 1),
        lambda j: lambda x: j.numpy.clip(x, -1, 1),
        1,
    ),
    "exp": (lambda t: t.exp, np.exp, lambda j: j.numpy.exp, 1),
    "tanh": (lambda t: t.tanh, np.tanh, lambda j: j.numpy.tanh, 1),
    "sigmoid": (lambda t: t.sigmoid, None, lambda j: j.nn.sigmoid, 1),
    "gelu": (
        lambda t: t.nn.functional.gelu,
        None,
        lambda j: lambda x: j.nn.gelu(x, approximate=False),
        1,
    ),
    "silu": (lambda t: t.nn.functional.silu, None, lambda j: j.nn.silu, 1),
    "softplus": (lambda t: t.nn.functional.softplus, None, lambda j: j.nn.softplus, 1),
    "erf": (lambda t: t.erf, None, lambda j: j.scipy.special.erf, 1),
    "sin": (lambda t: t.sin, np.sin, lambda j: j.numpy.sin, 1),
    "cos": (lambda t: t.cos, np.cos, lambda j: j.numpy.cos, 1),
    "expm1": (lambda t: t.expm1, np.expm1, lambda j: j.numpy.expm1, 1),
    "erfc": (lambda t: t.erfc, None, lambda j: j.scipy.special.erfc, 1),
    "pow 3": (lambda t: lambda x: x**3, None, lambda j: lambda x: x**3, 1),
    "fmod": (lambda t: t.fmod, None, lambda j: j.numpy.fmod, 2),
    "remainder": (lambda t: t.remainder, None, lambda j: j.numpy.remainder, 2),
    "hypot": (lambda t: t.hypot, np.hypot, lambda j: j.numpy.hypot, 2),
    "logaddexp": (lambda t: t.logaddexp, None, lambda j: j.numpy.logaddexp, 2),
    "leaky_relu": (lambda t: t.nn.functional.leaky_relu, None, lambda j: j.nn.leaky_relu, 1),
    "elu": (lambda t: t.nn.functional.elu, None, lambda j: j.nn.elu, 1),
}
# log, sqrt, rsqrt, pow take positive numbers
POSITIVE = {
    "log": (lambda t: t.log, np.log, lambda j: j.numpy.log),
    "log1p": (lambda t: t.log1p, np.log1p, lambda j: j.numpy.log1p),
    "log2": (lambda t: t.log2, np.log2, lambda j: j.numpy.log2),
    "sqrt": (lambda t: t.sqrt, np.sqrt, lambda j: j.numpy.sqrt),
    "rsqrt": (lambda t: t.rsqrt, None, lambda j: j.lax.rsqrt),
    "pow 1.5": (lambda t: lambda x: x**1.5, lambda x: x**1.5, lambda j: lambda x: x**1.5),
}


def forward(name, n, theirs, ours_numpy, ours_jax, operands, positive=False):
    def data(seed):
        return np.abs(normal(n, seed=seed)) + np.float32(0.1) if positive else normal(n, seed=seed)

    def of(t):
        args = [t.from_numpy(data(seed)) for seed in range(operands)]
        f = theirs(t)
        return lambda: f(*args)

    def of_numpy():
        args = [data(seed) for seed in range(operands)]
        return lambda: ours_numpy(*args)

    def of_jax(j):
        args = [j.numpy.asarray(data(seed)) for seed in range(operands)]
        f = j.jit(ours_jax(j))
        return lambda: f(*args).block_until_ready()

    return Case(
        f"{name} {n:,}",
        of,
        of_numpy if ours_numpy else None,
        of_jax,
        size=SIZES.get(n, "large"),
        bytes=4.0 * n * (operands + (0.25 if name == "less" else 1)),
    )


def both(name, n):
    """Forward and backward of a function of one tensor."""

    def of(t):
        f = getattr(t.nn.functional, name, None) or getattr(t, name)
        x = tensor(t, n, grad=True)
        return with_backward(t, lambda: f(x), [x])

    return Case(f"{name} fwd+bwd {n:,}", of, size=SIZES.get(n, "large"), bytes=20.0 * n)


def in_place(name, n):
    def of(t):
        x, y = tensor(t, n), tensor(t, n, seed=1)
        if name == "add_":
            return lambda: x.add_(y, alpha=1e-6)
        return lambda: x.mul_(1.0)

    return Case(
        f"{name} {n:,}",
        of,
        size=SIZES.get(n, "large"),
        tolerance=1e-2,
        bytes=(12.0 if name == "add_" else 8.0) * n,
    )


def double(name, n):
    """A function of float64 numbers."""
    theirs, ours_numpy, ours_jax, *_ = {**FUNCTIONS, **POSITIVE}[name]

    def data():
        values = normal(n).astype(np.float64)
        return np.abs(values) + 0.1 if name in POSITIVE else values

    def of(t):
        x = t.from_numpy(data())
        f = theirs(t)
        return lambda: f(x)

    def of_numpy():
        x = data()
        return lambda: ours_numpy(x)

    return Case(
        f"{name} float64 {n:,}", of, of_numpy if ours_numpy else None, size=SIZES[n], bytes=16.0 * n
    )


DOUBLES = (
    "exp", "tanh", "sigmoid", "gelu", "silu", "softplus", "erf", "sin", "log", "sqrt", "pow 1.5",
)  # fmt: skip

CASES = [
    *(forward(name, n, *f) for n in SIZES for name, f in FUNCTIONS.items()),
    *(forward(name, n, *f, 1, True) for n in SIZES for name, f in POSITIVE.items()),
    *(both(name, n) for n in SIZES for name in ("relu", "gelu", "tanh", "sigmoid", "silu", "exp")),
    *(double(name, n) for n in (1_000, 100_000) for name in DOUBLES),
    *(in_place(name, n) for n in SIZES for name in ("add_", "mul_")),
]
