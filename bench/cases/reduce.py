"""Sums, means, variances, maxima, scans and sorting over every kind of axis."""

from __future__ import annotations

import numpy as np

from cases import Case, normal, tensor, with_backward

SHAPES = {
    "all 1,000": ((1000,), None, "small"),
    "rows 64x32": ((64, 32), -1, "small"),
    "columns 64x32": ((64, 32), 0, "small"),
    "all 1M": ((1024, 1024), None, "medium"),
    "rows 4096x1024": ((4096, 1024), -1, "medium"),
    "columns 4096x1024": ((4096, 1024), 0, "medium"),
    "middle 64x128x256": ((64, 128, 256), 1, "medium"),
    "channels (0,2,3) 32x64x32x32": ((32, 64, 32, 32), (0, 2, 3), "medium"),
    "all 10M": ((10_000_000,), None, "large"),
}
MANY_AXES = ("sum", "mean", "var", "amax", "logsumexp")  # take a tuple of axes


def reduction(name, label, shape, dim, size):
    keywords = {} if dim is None else {"dim": dim}
    if dim is None and name == "logsumexp":
        keywords = {"dim": tuple(range(len(shape)))}

    def of(t):
        x, f = tensor(t, *shape), getattr(t, name)
        return lambda: f(x, **keywords)

    numpy_name = {"amax": "max"}.get(name, name)

    def of_numpy():
        x, f = normal(*shape), getattr(np, numpy_name)
        options = {"ddof": 1} if name == "var" else {}
        return lambda: f(x, axis=dim, **options)

    def of_jax(j):
        x = j.numpy.asarray(normal(*shape))
        options = {"ddof": 1} if name == "var" else {}
        f = j.jit(lambda x: getattr(j.numpy, numpy_name)(x, axis=dim, **options))
        return lambda: f(x).block_until_ready()

    peers = name != "logsumexp"
    return Case(
        f"{name} {label}",
        of,
        of_numpy if peers else None,
        of_jax if peers else None,
        size=size,
        bytes=4.0 * np.prod(shape),
        tolerance=1e-3,
    )


def backward(name, label, shape, dim, size):
    keywords = {} if dim is None else {"dim": dim}

    def of(t):
        x, f = tensor(t, *shape, grad=True), getattr(t, name)
        return with_backward(t, lambda: f(x, **keywords), [x])

    return Case(f"{name} fwd+bwd {label}", of, size=size, tolerance=1e-3)


def along(name, shape, size, call, of_numpy=None, data=normal):
    """An operation along the last axis."""
    return Case(
        f"{name} {'x'.join(map(str, shape))}",
        lambda t: (lambda x: lambda: call(t, x))(t.from_numpy(data(*shape))),
        (lambda: (lambda x: lambda: of_numpy(x))(data(*shape))) if of_numpy else None,
        size=size,
        tolerance=1e-3,
    )


def reductions():
    for label, (shape, dim, size) in SHAPES.items():
        for name in ("sum", "mean", "var", "amax", "argmax", "logsumexp"):
            if not isinstance(dim, tuple) or name in MANY_AXES:
                yield reduction(name, label, shape, dim, size)
        for name in ("sum", "mean", "var"):
            if label != "all 10M":
                yield backward(name, label, shape, dim, size)


def along_backward(name, shape, size, call):
    """The same, forward and backward."""

    def of(t):
        x = t.from_numpy(shuffled(*shape)).requires_grad_()
        return with_backward(t, lambda: call(t, x), [x])

    return Case(f"{name} fwd+bwd {'x'.join(map(str, shape))}", of, size=size, tolerance=1e-3)


def shuffled(*shape):
    """Numbers in [0, 1) in random order, all different: indices and gradients can be compared."""
    n = int(np.prod(shape))
    return (
        (np.random.default_rng(0).permutation(n) / np.float32(n)).astype(np.float32).reshape(shape)
    )


def sorted_by_numpy(x):
    """Values and indices, as the others give them."""
    order = np.argsort(x, -1)
    return np.take_along_axis(x, order, -1)


def sorts():
    """Sorts, first elements and order statistics, short rows and long ones."""
    values = {
        "sort": lambda t, x: t.sort(x, -1)[0],
        "argsort": lambda t, x: t.argsort(x, -1),
        "topk 5": lambda t, x: t.topk(x, 5, -1)[0],
        "median": lambda t, x: t.median(x, -1)[0],
        "kthvalue 7": lambda t, x: t.kthvalue(x, 7, -1)[0],
    }
    by_numpy = {"sort": sorted_by_numpy, "argsort": lambda x: np.argsort(x, -1)}
    shapes = [((8,), "small"), ((64, 32), "small"), ((64, 100), "small"), ((1000,), "small"),
              ((1024, 1024), "medium"), ((1_000_000,), "medium")]  # fmt: skip
    for shape, size in shapes:
        for name, call in values.items():
            yield along(name, shape, size, call, by_numpy.get(name), shuffled)
    for shape, size in (((64, 100), "small"), ((1024, 1024), "medium")):
        for name in ("sort", "topk 5", "median"):
            yield along_backward(name, shape, size, values[name])
    yield along(
        "topk 100", (64, 50257), "medium", lambda t, x: t.topk(x, 100, -1)[0], None, shuffled
    )
    yield along("sort dim 0", (1024, 1024), "medium", lambda t, x: t.sort(x, 0)[0], None, shuffled)
    yield along("median of all", (1000,), "small", lambda t, x: t.median(x))
    yield along("median of all", (1024, 1024), "medium", lambda t, x: t.median(x))


def orders():
    """Distinct values and places in sorted sequences."""
    for n, size in ((1000, "small"), (1_000_000, "medium")):

        def ids(t, n=n):
            return t.from_numpy(np.random.default_rng(0).integers(0, n // 10, n))

        def edges(t, n=n):
            return t.from_numpy(np.sort(normal(n // 10)))

        def points(t, n=n):
            return t.from_numpy(normal(n, seed=1))

        yield Case(
            f"unique ints {n}", lambda t, x=ids: (lambda x: lambda: t.unique(x))(x(t)), size=size
        )
        yield Case(
            f"searchsorted {n}",
            lambda t, e=edges, x=points: (lambda e, x: lambda: t.searchsorted(e, x))(e(t), x(t)),
            size=size,
        )


def layouts():
    """Rows of 96, tensors that do not lie in order, and integers."""
    cube, matrix = (64, 127, 96), (1000, 777)
    for name in ("sum", "amax", "nansum"):
        yield along(f"{name} short rows", cube, "medium", lambda t, x, f=name: getattr(t, f)(x, -1))
    views = {
        "of x.T, columns": lambda x: x.t().sum(0),
        "of x.T, rows": lambda x: x.t().sum(1),
        "of x[:, 1:]": lambda x: x[:, 1:].sum(),
        "of x[:, ::2], rows": lambda x: x[:, ::2].sum(1),
    }
    for name, call in views.items():
        yield along(f"sum {name}", matrix, "medium", lambda t, x, f=call: f(x))

    def whole(*shape):
        return np.random.default_rng(0).integers(-99, 99, shape)

    for dim in (0, 1, 2):
        for name in ("sum", "prod", "amax", "cumsum"):
            yield along(
                f"{name} of int64 dim {dim}",
                cube,
                "medium",
                lambda t, x, f=name, d=dim: getattr(t, f)(x, d),
                None,
                whole,
            )
        yield along(
            f"sum of bool dim {dim}",
            cube,
            "medium",
            lambda t, x, d=dim: x.sum(d),
            None,
            lambda *shape: whole(*shape) > 0,
        )
    for name in ("sum", "amax"):
        for dim in (0, 1):
            yield Case(
                f"{name} of float16 dim {dim} 1000x777",
                lambda t, f=name, d=dim: (lambda x: lambda: getattr(t, f)(x, d))(
                    tensor(t, *matrix).to(t.float16)
                ),
                tolerance=1e-2,
            )
    for dim in (0, 1):
        yield Case(
            f"sum of expanded dim {dim} 1000x777",
            lambda t, d=dim: (lambda x: lambda: x.sum(d))(tensor(t, 1000, 1).expand(*matrix)),
            tolerance=1e-3,
        )
    yield along(
        "count_nonzero of int64", matrix, "medium", lambda t, x: t.count_nonzero(x), None, whole
    )
    yield along("cummax", matrix, "medium", lambda t, x: t.cummax(x, 1)[0])


CASES = [
    *reductions(),
    *layouts(),
    along("max with indices", (64, 32), "small", lambda t, x: t.max(x, -1)[0]),
    along("max with indices", (4096, 1024), "medium", lambda t, x: t.max(x, -1)[0]),
    along("norm", (1000,), "small", lambda t, x: x.norm()),
    along("norm", (1024, 1024), "medium", lambda t, x: x.norm()),
    along("cumsum", (64, 32), "small", lambda t, x: t.cumsum(x, -1), lambda x: np.cumsum(x, -1)),
    along(
        "cumsum", (1024, 1024), "medium", lambda t, x: t.cumsum(x, -1), lambda x: np.cumsum(x, -1)
    ),
    along(
        "cumprod",
        (1024, 1024),
        "medium",
        lambda t, x: t.cumprod(x, -1),
        lambda x: np.cumprod(x, -1),
    ),
    *sorts(),
    *orders(),
]
