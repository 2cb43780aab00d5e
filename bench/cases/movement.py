"""Copies that rearrange, pad or repeat a tensor, and their gradients."""

from __future__ import annotations

import numpy as np

from cases import Case, normal, tensor, with_backward

# name: (call, NumPy's form, whether the gradient is measured)
CALLS = {
    "flip 1": (lambda t: lambda x: t.flip(x, (1,)), lambda x: np.flip(x, 1).copy(), True),
    "flip 0": (lambda t: lambda x: t.flip(x, (0,)), lambda x: np.flip(x, 0).copy(), False),
    "roll 1": (lambda t: lambda x: t.roll(x, 3, 1), lambda x: np.roll(x, 3, 1), True),
    "roll 0": (lambda t: lambda x: t.roll(x, 3, 0), lambda x: np.roll(x, 3, 0), False),
    "pad": (
        lambda t: lambda x: t.nn.functional.pad(x, (1, 1, 2, 2)),
        lambda x: np.pad(x, ((2, 2), (1, 1))),
        True,
    ),
    "repeat": (lambda t: lambda x: x.repeat(2, 3), lambda x: np.tile(x, (2, 3)), True),
    "tile": (lambda t: lambda x: t.tile(x, (2,)), lambda x: np.tile(x, (2,)), False),
    "repeat_interleave 0": (
        lambda t: lambda x: x.repeat_interleave(2, 0),
        lambda x: np.repeat(x, 2, 0),
        True,
    ),
    "repeat_interleave 1": (
        lambda t: lambda x: x.repeat_interleave(3, 1),
        lambda x: np.repeat(x, 3, 1),
        True,
    ),
    "tril": (lambda t: lambda x: t.tril(x), np.tril, True),
    "triu": (lambda t: lambda x: t.triu(x, 1), lambda x: np.triu(x, 1), True),
    "clone": (lambda t: lambda x: x.clone(), lambda x: x.copy(), True),
    "contiguous of t": (lambda t: lambda x: x.t().contiguous(), lambda x: x.T.copy(), True),
    "slice columns": (
        lambda t: lambda x: x[:, 1:-1].contiguous(),
        lambda x: x[:, 1:-1].copy(),
        True,
    ),
}
SHAPES = {(32, 16): "small", (1024, 1024): "medium"}


def case(name, shape, mode):
    call, of_numpy, _ = CALLS[name]

    def of(t):
        f = call(t)
        x = tensor(t, *shape, grad=mode != "fwd")
        return (lambda: f(x)) if mode == "fwd" else with_backward(t, lambda: f(x), [x])

    def numpy_form():
        x = normal(*shape)
        return lambda: of_numpy(x)

    return Case(
        f"{name} {mode} {'x'.join(map(str, shape))}",
        of,
        numpy_form if mode == "fwd" else None,
        size=SHAPES[shape],
    )


def image_pad(mode, kind):
    """One pixel around every plane, as before a convolution."""

    def of(t):
        x = tensor(t, 16, 64, 32, 32, grad=mode != "fwd")

        def forward():
            return t.nn.functional.pad(x, (1, 1, 1, 1), mode=kind)

        return forward if mode == "fwd" else with_backward(t, forward, [x])

    return Case(f"pad {kind} {mode} 16x64x32x32", of)


CASES = [
    *(
        case(name, shape, mode)
        for name, (_, _, gradient) in CALLS.items()
        for shape in SHAPES
        for mode in ("fwd", "fwd+bwd")
        if mode == "fwd" or gradient
    ),
    *(
        image_pad(mode, kind)
        for kind in ("constant", "reflect", "replicate", "circular")
        for mode in ("fwd", "fwd+bwd")
    ),
]
