"""Normalisations: batch, layer, group, instance, root mean square; forward and with backward."""

from __future__ import annotations

from cases import Case, tensor, with_backward

LAYERS = {
    "batch_norm 2d": (
        lambda n, s: n.BatchNorm2d(s[1]),
        [((8, 16, 8, 8), "small"), ((64, 64, 32, 32), "large")],
    ),
    "batch_norm 1d": (
        lambda n, s: n.BatchNorm1d(s[1]),
        [((64, 128), "small"), ((4096, 512), "medium")],
    ),
    "layer_norm": (
        lambda n, s: n.LayerNorm(s[-1]),
        [((64, 64), "small"), ((4096, 768), "medium"), ((768, 128), "medium")],
    ),
    "group_norm": (
        lambda n, s: n.GroupNorm(8, s[1]),
        [((8, 16, 8, 8), "small"), ((32, 64, 32, 32), "medium")],
    ),
    "instance_norm": (
        lambda n, s: n.InstanceNorm2d(s[1]),
        [((8, 16, 8, 8), "small"), ((32, 64, 32, 32), "medium")],
    ),
    "rms_norm": (lambda n, s: n.RMSNorm(s[-1]), [((64, 64), "small"), ((4096, 768), "medium")]),
}


def norm(name, layer, shape, size, mode):
    def of(t):
        module = layer(t.nn, shape)
        x = tensor(t, *shape, grad=mode == "fwd+bwd")
        if mode == "eval":
            module.eval()
        if mode != "fwd+bwd":
            module.requires_grad_(False)
            return lambda: module(x)
        return with_backward(t, lambda: module(x), [x, *module.parameters()])

    label = "x".join(map(str, shape))
    return Case(f"{name} {mode} {label}", of, size=size, tolerance=1e-3)


CASES = [
    norm(name, layer, shape, size, mode)
    for name, (layer, shapes) in LAYERS.items()
    for shape, size in shapes
    for mode in (("fwd", "fwd+bwd", "eval") if "batch" in name else ("fwd", "fwd+bwd"))
]
