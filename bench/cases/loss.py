"""Losses, forward and with backward."""

from __future__ import annotations

import numpy as np

from cases import Case, normal, tensor


def run(t, loss, x, mode):
    if mode == "fwd":
        x = x.detach()
        return lambda: loss(x)

    def both():
        x.grad = None
        loss(x).backward()
        return x.grad

    return both


def classes(rows, count, size, mode, **options):
    def of(t):
        x = tensor(t, rows, count, grad=True)
        y = t.from_numpy(np.random.default_rng(1).integers(0, count, rows))
        return run(t, lambda x: t.nn.functional.cross_entropy(x, y, **options), x, mode)

    label = "".join(f" {k}" for k in options)
    return Case(
        f"cross_entropy{label} {mode} {rows}x{count}",
        of,
        size=size,
        bytes=4.0 * rows * count * (1 if mode == "fwd" else 2),
    )


def pair(name, shape, size, mode):
    def of(t):
        x = tensor(t, *shape, grad=True)
        target = normal(*shape, seed=1)
        if "binary" in name or name == "kl_div":
            target = 1 / (1 + np.exp(-target))
        y = t.from_numpy(target)
        f = getattr(t.nn.functional, name)
        if name == "binary_cross_entropy":
            x = t.sigmoid(x).detach().requires_grad_()
        return run(t, lambda x: f(x, y), x, mode)

    return Case(f"{name} {mode} {'x'.join(map(str, shape))}", of, size=size, tolerance=1e-3)


def image(mode):
    """A class for every pixel."""

    def of(t):
        x = tensor(t, 8, 21, 64, 64, grad=True)
        y = t.from_numpy(np.random.default_rng(1).integers(0, 21, (8, 64, 64)))
        return run(t, lambda x: t.nn.functional.cross_entropy(x, y), x, mode)

    return Case(f"cross_entropy {mode} 8x21x64x64", of)


def weighted(name, shape, size, mode):
    """Losses with weights: of classes, of elements, of positive targets."""

    def of(t):
        f = t.nn.functional
        rows, count = shape
        x = tensor(t, *shape, grad=True)
        ids = t.from_numpy(np.random.default_rng(1).integers(0, count, rows))
        positive = t.from_numpy((normal(*shape, seed=1) > 0).astype(np.float32))
        each = t.from_numpy(np.abs(normal(*shape, seed=2)))
        classwise = t.from_numpy(np.abs(normal(count, seed=3)) + np.float32(0.5))
        calls = {
            "nll_loss": lambda x: f.nll_loss(x, ids),
            "nll_loss weight": lambda x: f.nll_loss(x, ids, classwise),
            "bce_with_logits weight": lambda x: f.binary_cross_entropy_with_logits(
                x, positive, each
            ),
            "bce_with_logits pos_weight": lambda x: f.binary_cross_entropy_with_logits(
                x, positive, pos_weight=classwise
            ),
        }
        return run(t, calls[name], x, mode)

    return Case(f"{name} {mode} {'x'.join(map(str, shape))}", of, size=size, tolerance=1e-3)


WEIGHTED = ("nll_loss", "nll_loss weight", "bce_with_logits weight", "bce_with_logits pos_weight")


def aligned(steps, n, count, labels, size, mode):
    """Connectionist temporal classification."""

    def of(t):
        f = t.nn.functional
        x = f.log_softmax(tensor(t, steps, n, count), 2).detach().requires_grad_()
        y = t.from_numpy(np.random.default_rng(1).integers(1, count, (n, labels)))
        lengths = t.full((n,), steps), t.full((n,), labels)
        return run(t, lambda x: f.ctc_loss(x, y, *lengths), x, mode)

    return Case(f"ctc_loss {mode} T{steps} N{n} C{count} S{labels}", of, size=size)


NAMES = (
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy",
    "kl_div",
)
MODES = ("fwd", "fwd+bwd")
CASES = [
    *(
        classes(*shape, mode)
        for shape in (
            (16, 4, "small"),
            (64, 10, "small"),
            (1024, 1000, "medium"),
            (4096, 50257, "large"),
        )
        for mode in MODES
    ),
    *(classes(1024, 1000, "medium", mode, label_smoothing=0.1) for mode in MODES),
    *(image(mode) for mode in MODES),
    *(
        pair(name, shape, size, mode)
        for name in NAMES
        for shape, size in (((64, 10), "small"), ((1024, 1024), "medium"))
        for mode in MODES
    ),
    *(
        weighted(name, shape, size, mode)
        for name in WEIGHTED
        for shape, size in (((64, 10), "small"), ((1024, 1024), "medium"))
        for mode in MODES
    ),
    *(
        aligned(*shape, mode)
        for shape in ((32, 1, 10, 5, "small"), (100, 16, 30, 20, "medium"))
        for mode in MODES
    ),
]
