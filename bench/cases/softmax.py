"""Softmax and log-softmax, forward and with backward."""

from __future__ import annotations

from cases import Case, normal, tensor, with_backward

SHAPES = {(16, 10): "small", (64, 256): "small", (4096, 1024): "medium", (96 * 256, 256): "medium"}


def forward(name, shape, size, dim=-1):
    def of(t):
        x, f = tensor(t, *shape), getattr(t.nn.functional, name)
        return lambda: f(x, dim=dim)

    def of_jax(j):
        x = j.numpy.asarray(normal(*shape))
        f = j.jit(lambda x: getattr(j.nn, name)(x, axis=dim))
        return lambda: f(x).block_until_ready()

    label = "x".join(map(str, shape)) + (" over columns" if dim == 0 else "")
    return Case(f"{name} {label}", of, jax=of_jax, size=size, bytes=8.0 * shape[0] * shape[1])


def both(name, shape, size, dim=-1):
    def of(t):
        x, f = tensor(t, *shape, grad=True), getattr(t.nn.functional, name)
        return with_backward(t, lambda: f(x, dim=dim), [x])

    label = "x".join(map(str, shape)) + (" over columns" if dim == 0 else "")
    return Case(f"{name} fwd+bwd {label}", of, size=size)


CASES = [
    *(
        make(name, shape, size)
        for name in ("softmax", "log_softmax")
        for shape, size in SHAPES.items()
        for make in (forward, both)
    ),
    forward("softmax", (1024, 512), "medium", 0),
    both("softmax", (1024, 512), "medium", 0),
    forward("log_softmax", (1024, 512), "medium", 0),
    both("log_softmax", (1024, 512), "medium", 0),
]
