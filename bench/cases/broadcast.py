"""Operands that are strided, transposed or broadcast, and copies between layouts."""

from __future__ import annotations

import numpy as np

from cases import Case, normal, tensor, with_backward

# name: shapes of the two operands
PATTERNS = {
    "row": ((4096, 1024), (1024,)),
    "column": ((4096, 1024), (4096, 1)),
    "scalar tensor": ((4096, 1024), ()),
    "outer": ((4096, 1), (1, 1024)),
    "channel": ((32, 64, 32, 32), (64, 1, 1)),
    "channel 7x7": ((32, 512, 7, 7), (512, 1, 1)),
    "batch": ((16, 1, 256, 256), (256, 256)),
    "middle": ((64, 1, 128, 32), (1, 16, 128, 32)),
    "narrow row": ((20_000, 7), (7,)),
    "narrow column": ((20_000, 7), (20_000, 1)),
    "small row": ((64, 32), (32,)),
    "small column": ((64, 32), (64, 1)),
}


def pattern(name, first, second, operation):
    def of(t):
        x, y = tensor(t, *first), tensor(t, *second, seed=1)
        f = getattr(t, operation)
        return lambda: f(x, y)

    def of_numpy():
        x, y = normal(*first), normal(*second, seed=1)
        f = {"add": np.add, "mul": np.multiply}[operation]
        return lambda: f(x, y)

    def of_jax(j):
        x, y = j.numpy.asarray(normal(*first)), j.numpy.asarray(normal(*second, seed=1))
        f = j.jit({"add": j.numpy.add, "mul": j.numpy.multiply}[operation])
        return lambda: f(x, y).block_until_ready()

    return Case(
        f"{operation} {name}", of, of_numpy, of_jax, size="small" if "small" in name else "medium"
    )


def backward(name, first, second):
    def of(t):
        x, y = tensor(t, *first, grad=True), tensor(t, *second, seed=1, grad=True)
        return with_backward(t, lambda: x * y, [x, y])

    return Case(
        f"mul {name} fwd+bwd", of, size="small" if "small" in name else "medium", tolerance=1e-3
    )


def layout(name, shape, view, size="medium", dtype="float32"):
    """A copy of a view into contiguous memory."""

    def of(t):
        x = view(tensor(t, *shape).to(getattr(t, dtype)))
        return lambda: x.contiguous()

    def of_numpy():
        x = normal(*shape)
        return lambda: np.ascontiguousarray(view(x))

    return Case(
        f"copy {name}" + (f" {dtype}" if dtype != "float32" else ""),
        of,
        of_numpy if name == "transposed 4096" else None,
        size=size,
        bytes=8.0 * np.prod(shape) if dtype == "float32" else 0.0,
    )


def transposed_add(n):
    def of(t):
        x, y = tensor(t, n, n), tensor(t, n, n, seed=1).T
        return lambda: x + y

    return Case(f"add transposed {n}", of)


def where(n):
    def of(t):
        x, y = tensor(t, n), tensor(t, n, seed=1)
        mask = x > 0
        return lambda: t.where(mask, x, y)

    return Case(f"where {n:,}", of, size="small" if n == 1000 else "medium")


CASES = [
    *(
        pattern(name, *shapes, operation)
        for operation in ("add", "mul")
        for name, shapes in PATTERNS.items()
    ),
    *(backward(name, *shapes) for name, shapes in PATTERNS.items()),
    layout("transposed 64", (64, 64), lambda x: x.T, "small"),
    layout("transposed 1024", (1024, 1024), lambda x: x.T),
    layout("transposed 4096", (4096, 4096), lambda x: x.T, "large"),
    layout("permuted NCHW to NHWC", (32, 64, 56, 56), lambda x: x.permute(0, 2, 3, 1)),
    layout("permuted NHWC to NCHW", (32, 56, 56, 64), lambda x: x.permute(0, 3, 1, 2)),
    layout("heads (8,256,12,64)", (8, 256, 12, 64), lambda x: x.permute(0, 2, 1, 3)),
    layout("every second column", (1024, 2048), lambda x: x[:, ::2]),
    layout("first three columns", (20_000, 4), lambda x: x[:, :3]),
    *(
        layout(*case, dtype=dtype)
        for dtype in ("bool", "float16", "float64")
        for case in (
            ("heads (4,128,12,64)", (4, 128, 12, 64), lambda x: x.permute(0, 2, 1, 3)),
            ("transposed 1000x777", (1000, 777), lambda x: x.T),
        )
    ),
    transposed_add(2048),
    where(1000),
    where(1_000_000),
]
