"""Matrix products: square, skinny, batched, by a vector, in half precision; the linear layer."""

from __future__ import annotations

from cases import Case, normal, tensor, with_backward

ITEM = {"float32": "f32", "float16": "f32", "bfloat16": "bf16"}


def operands(m: int, k: int, n: int, layout: str, batch: tuple[int, ...] = ()):
    """Shapes of the arrays that hold A and B, and whether each is used transposed."""
    left, right = layout[0] == "t", layout[1] == "t"
    a = (*batch, k, m) if left else (*batch, m, k)
    b = (*batch, n, k) if right else (*batch, k, n)
    return a, b, left, right


def product(
    name, m, k, n, layout="nn", batch=(), dtype="float32", size="medium", numpy=True, jax=True
):
    shape_a, shape_b, left, right = operands(m, k, n, layout, batch)

    def of(t):
        a = tensor(t, *shape_a, seed=1).to(getattr(t, dtype))
        b = tensor(t, *shape_b, seed=2).to(getattr(t, dtype))
        a, b = a.mT if left else a, b.mT if right else b
        return lambda: a @ b

    def of_numpy():
        a, b = normal(*shape_a, seed=1), normal(*shape_b, seed=2)
        a, b = a.swapaxes(-1, -2) if left else a, b.swapaxes(-1, -2) if right else b
        return lambda: a @ b

    def of_jax(j):
        a = j.numpy.asarray(normal(*shape_a, seed=1)).astype(dtype)
        b = j.numpy.asarray(normal(*shape_b, seed=2)).astype(dtype)
        if left and right:
            f = j.jit(lambda a, b: a.swapaxes(-1, -2) @ b.swapaxes(-1, -2))
        elif left:
            f = j.jit(lambda a, b: a.swapaxes(-1, -2) @ b)
        elif right:
            f = j.jit(lambda a, b: a @ b.swapaxes(-1, -2))
        else:
            f = j.jit(lambda a, b: a @ b)
        return lambda: f(a, b).block_until_ready()

    count = 1
    for extent in batch:
        count *= extent
    return Case(
        f"{name} {layout}" if dtype == "float32" else f"{name} {layout} {dtype}",
        of,
        of_numpy if numpy and dtype == "float32" else None,
        of_jax if jax else None,
        size=size,
        flops=2.0 * count * m * k * n,
        precision=ITEM[dtype],
        tolerance=1e-4 if dtype == "float32" else 2e-2,
    )


def linear(rows: int, inputs: int, outputs: int, size: str) -> Case:
    def of(t):
        t.manual_seed(0)
        layer, x = t.nn.Linear(inputs, outputs), tensor(t, rows, inputs, grad=True)
        return with_backward(t, lambda: layer(x), [x, layer.weight, layer.bias])

    return Case(
        f"linear fwd+bwd {rows}x{inputs}->{outputs}",
        of,
        size=size,
        flops=6.0 * rows * inputs * outputs,
    )


def matvec(n: int) -> Case:
    def of(t):
        a, x = tensor(t, n, n, seed=1), tensor(t, n, seed=2)
        return lambda: a @ x

    def of_numpy():
        a, x = normal(n, n, seed=1), normal(n, seed=2)
        return lambda: a @ x

    def of_jax(j):
        a, x = j.numpy.asarray(normal(n, n, seed=1)), j.numpy.asarray(normal(n, seed=2))
        f = j.jit(lambda a, x: a @ x)
        return lambda: f(a, x).block_until_ready()

    size, work = "small" if n < 512 else "medium", 1.0 * n * n
    return Case(f"matvec {n}", of, of_numpy, of_jax, size, flops=2 * work, bytes=4 * work)


def vecmat(n: int) -> Case:
    def of(t):
        a, x = tensor(t, n, n, seed=1), tensor(t, n, seed=2)
        return lambda: x @ a

    def of_numpy():
        a, x = normal(n, n, seed=1), normal(n, seed=2)
        return lambda: x @ a

    size, work = "small" if n < 512 else "medium", 1.0 * n * n
    return Case(f"vecmat {n}", of, of_numpy, size=size, flops=2 * work, bytes=4 * work)


CASES = [
    product("4", 4, 4, 4, size="small"),
    product("16", 16, 16, 16, size="small"),
    product("64", 64, 64, 64, size="small"),
    product("128", 128, 128, 128, size="small"),
    product("256", 256, 256, 256),
    *(
        product(str(n), n, n, n, layout, size="large" if n >= 2048 else "medium")
        for n in (512, 1024, 2048, 4096)
        for layout in ("nn", "nt", "tn")
    ),
    *(product("64x784x256", 64, 784, 256, layout) for layout in ("nn", "nt", "tn")),
    *(product("128x3072x512", 128, 3072, 512, layout) for layout in ("nn", "nt", "tn")),
    *(product("64x4096x4096", 64, 4096, 4096, layout) for layout in ("nn", "nt", "tn")),
    *(product("16x1024x1024", 16, 1024, 1024, layout) for layout in ("nn", "nt", "tn")),
    product("64x256x10", 64, 256, 10, size="small"),
    product("1x512x512", 1, 512, 512, size="small"),
    product("96x(256,64,256)", 256, 64, 256, "nn", (96,)),
    product("96x(256,64,256)", 256, 64, 256, "nt", (96,)),
    matvec(64),
    matvec(512),
    matvec(4096),
    vecmat(64),
    vecmat(512),
    vecmat(4096),
    *(
        product(str(n), n, n, n, dtype="bfloat16", size="large" if n >= 2048 else "medium")
        for n in (1024, 2048)
    ),
    product("256", 256, 256, 256, dtype="float16"),
    product("1024", 1024, 1024, 1024, dtype="float16", size="large"),
    linear(16, 64, 64, "small"),
    linear(64, 784, 256, "medium"),
    linear(1024, 1024, 1024, "large"),
]
