"""Images resampled and read at given points, forward and with backward."""

from __future__ import annotations

from cases import Case, tensor, with_backward

SHAPES = {(4, 8, 14, 14): "small", (16, 32, 28, 28): "medium", (8, 64, 64, 64): "large"}
WAYS = {
    "nearest x2": {"scale_factor": 2},
    "bilinear x2": {"scale_factor": 2, "mode": "bilinear"},
    "bilinear corners 20x30": {"size": (20, 30), "mode": "bilinear", "align_corners": True},
    "bicubic x2": {"scale_factor": 2, "mode": "bicubic"},
    "bilinear antialias 10x10": {"size": (10, 10), "mode": "bilinear", "antialias": True},
}


def interpolate(name, options, shape, size, mode):
    def of(t):
        x = tensor(t, *shape, grad=mode == "fwd+bwd")

        def call():
            return t.nn.functional.interpolate(x, **options)

        return with_backward(t, call, [x]) if mode == "fwd+bwd" else call

    label = "x".join(map(str, shape))
    return Case(f"{name} {mode} {label}", of, size=size)


CASES = [
    interpolate(name, options, shape, size, mode)
    for name, options in WAYS.items()
    for shape, size in SHAPES.items()
    for mode in ("fwd", "fwd+bwd")
]
