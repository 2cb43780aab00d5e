"""Random numbers, which are PyTorch's own: the first answers after a seed are equal bit for bit."""

from __future__ import annotations

from cases import Case

SIZES = ((1000, "small"), (1_000_000, "medium"), (10_000_000, "large"))


def filling(name, n, size, *numbers):
    """An in-place method of a tensor with `n` elements."""

    def of(t):
        x = t.empty(n)
        t.manual_seed(1)
        return lambda: getattr(x, name)(*numbers)

    return Case(f"{name} {n:,}", of, size=size, tolerance=0.0, bytes=4.0 * n)


def making(name, n, size, *numbers):
    """A function that makes `n` int64 numbers."""

    def of(t):
        t.manual_seed(1)
        return lambda: getattr(t, name)(*numbers)

    return Case(f"{name} {n:,}", of, size=size, tolerance=0.0, bytes=8.0 * n)


def initial(name, shape, size, *numbers):
    """An initialiser of `torch.nn.init`; `orthogonal_` by another decomposition of its own."""

    def of(t):
        x = t.empty(shape)
        t.manual_seed(1)
        return lambda: getattr(t.nn.init, name)(x, *numbers)

    return Case(f"{name} {shape[0]}x{shape[1]}", of, size=size, tolerance=1e-3)


CASES = [
    case
    for n, size in SIZES
    for case in (
        filling("normal_", n, size, 0.1, 0.02),
        filling("uniform_", n, size, -0.3, 0.3),
        filling("bernoulli_", n, size, 0.3),
        filling("exponential_", n, size),
        making("randint", n, size, 1000, (n,)),
        making("randperm", n, size, n),
    )
] + [
    initial("trunc_normal_", (1000, 1000), "medium"),
    initial("kaiming_normal_", (4096, 4096), "large"),
    initial("orthogonal_", (256, 256), "medium"),
    initial("sparse_", (1000, 100), "medium", 0.9),
]
