"""Pooling, forward and with backward."""

from __future__ import annotations

from cases import Case, normal, tensor, with_backward

SHAPES = {(4, 8, 14, 14): "small", (64, 64, 32, 32): "large", (16, 128, 28, 28): "medium"}
POOLS = {
    "max_pool2d 2": lambda f: lambda x: f.max_pool2d(x, 2),
    "max_pool2d 3 s2 p1": lambda f: lambda x: f.max_pool2d(x, 3, 2, 1),
    "avg_pool2d 2": lambda f: lambda x: f.avg_pool2d(x, 2),
    "adaptive_avg_pool2d 1": lambda f: lambda x: f.adaptive_avg_pool2d(x, 1),
    "adaptive_avg_pool2d 4": lambda f: lambda x: f.adaptive_avg_pool2d(x, 4),
}


def pool(name, call, shape, size, mode):
    def of(t):
        f = call(t.nn.functional)
        x = tensor(t, *shape, grad=mode == "fwd+bwd")
        return with_backward(t, lambda: f(x), [x]) if mode == "fwd+bwd" else lambda: f(x)

    def of_jax(j):
        x = j.numpy.asarray(normal(*shape))
        window = (1, 1, 2, 2)
        f = j.jit(
            lambda x: j.lax.reduce_window(x, -j.numpy.inf, j.lax.max, window, window, "VALID")
        )
        return lambda: f(x).block_until_ready()

    plain = name == "max_pool2d 2" and mode == "fwd"
    label = "x".join(map(str, shape))
    return Case(f"{name} {mode} {label}", of, jax=of_jax if plain else None, size=size)


CASES = [
    *(
        pool(name, call, shape, size, mode)
        for name, call in POOLS.items()
        for shape, size in SHAPES.items()
        for mode in ("fwd", "fwd+bwd")
    ),
    *(
        pool("max_pool1d 2", lambda f: lambda x: f.max_pool1d(x, 2), (64, 64, 256), "medium", mode)
        for mode in ("fwd", "fwd+bwd")
    ),
]
