"""Joining, picking and scattering; the embedding's dense gradient."""

from __future__ import annotations

import numpy as np

from cases import Case, normal, tensor, with_backward


def integers(t, high, *shape):
    return t.from_numpy(np.random.default_rng(5).integers(0, high, shape))


def simple(name, size, make, of_numpy=None):
    return Case(name, make, of_numpy, size=size, tolerance=1e-3)


def cat(shape, count, dim, size):
    def of(t):
        parts = [tensor(t, *shape, seed=s) for s in range(count)]
        return lambda: t.cat(parts, dim)

    def of_numpy():
        parts = [normal(*shape, seed=s) for s in range(count)]
        return lambda: np.concatenate(parts, dim)

    return simple(f"cat {count} of {'x'.join(map(str, shape))} dim {dim}", size, of, of_numpy)


def stack(shape, count, dim, size):
    def of(t):
        parts = [tensor(t, *shape, seed=s) for s in range(count)]
        return lambda: t.stack(parts, dim)

    return simple(f"stack {count} of {'x'.join(map(str, shape))} dim {dim}", size, of)


def embedding(rows, width, ids, mode, size):
    def of(t):
        weight, index = tensor(t, rows, width, grad=mode == "fwd+bwd"), integers(t, rows, ids)

        def forward():
            return t.nn.functional.embedding(index, weight)

        return with_backward(t, forward, [weight]) if mode == "fwd+bwd" else forward

    return simple(f"embedding {mode} {rows}x{width} {ids} ids", size, of)


def picks(shape, count, size):
    """index_select, indexing, gather, scatter_add, index_add along the first axis of a matrix."""
    n, width = shape
    label = f"{n}x{width} {count}"

    def of(call):
        def make(t):
            x, index = tensor(t, n, width), integers(t, n, count)
            wide = index.reshape(-1, 1).expand(count, width).contiguous()
            source = tensor(t, count, width, seed=1)
            return lambda: call(t, x, index, wide, source)

        return make

    calls = {
        "index_select": lambda t, x, i, w, s: t.index_select(x, 0, i),
        "x[index]": lambda t, x, i, w, s: x[i],
        "gather": lambda t, x, i, w, s: t.gather(x, 0, w),
        "scatter_add": lambda t, x, i, w, s: t.scatter_add(x, 0, w, s),
        "index_add": lambda t, x, i, w, s: t.index_add(x, 0, i, s),
    }
    return [simple(f"{name} {label}", size, of(call)) for name, call in calls.items()]


def gather_last(rows, width, size):
    def of(t):
        x, index = tensor(t, rows, width, grad=True), integers(t, width, rows, 1)
        return with_backward(t, lambda: t.gather(x, 1, index), [x])

    return simple(f"gather last fwd+bwd {rows}x{width}", size, of)


def masked(n, size):
    def of(t):
        x = tensor(t, n)
        mask = x > 0.5
        return lambda: x[mask]

    def fill(t):
        x = tensor(t, n)
        mask = x > 0.5
        return lambda: x.masked_fill(mask, 0.0)

    return [simple(f"x[mask] {n:,}", size, of), simple(f"masked_fill {n:,}", size, fill)]


def combined(reduce, dim):
    """Values combined at random places, many at each."""

    def of(t):
        x, index = tensor(t, 1000, 777), integers(t, 777, 1000, 777)
        return lambda: t.zeros(1000, 777).scatter_reduce(dim, index, x, reduce)

    return simple(f"scatter_reduce {reduce} dim {dim} 1000x777", "medium", of)


def rows_combined(reduce):
    def of(t):
        x, index = tensor(t, 1000, 777), integers(t, 100, 1000)
        return lambda: t.zeros(100, 777).index_reduce(0, index, x, reduce)

    return simple(f"index_reduce {reduce} 1000x777", "medium", of)


CASES = [
    *(combined(reduce, dim) for reduce in ("sum", "prod", "amax", "mean") for dim in (0, 1)),
    *(rows_combined(reduce) for reduce in ("prod", "amax", "mean")),
    simple(
        "nonzero 1000x777",
        "medium",
        lambda t: (lambda x: lambda: t.nonzero(x))((tensor(t, 1000, 777) > 0).float()),
    ),
    cat((16, 8), 2, 1, "small"),
    cat((1024, 256), 4, 0, "medium"),
    cat((1024, 256), 4, 1, "medium"),
    stack((16, 8), 4, 0, "small"),
    stack((256, 256), 16, 0, "medium"),
    stack((256, 256), 16, -1, "medium"),
    embedding(100, 16, 64, "fwd", "small"),
    embedding(100, 16, 64, "fwd+bwd", "small"),
    embedding(50257, 768, 4096, "fwd", "large"),
    embedding(50257, 768, 4096, "fwd+bwd", "large"),
    *picks((100, 16), 32, "small"),
    *picks((10_000, 256), 4096, "medium"),
    gather_last(4096, 1000, "medium"),
    *masked(1000, "small"),
    *masked(1_000_000, "medium"),
]
